#!/usr/bin/env bash
# usage: tests/parquet_reader_test.sh <sample program> <directory of node_modules> <work directory>
#
# Writes a Parquet file with Firn and reads it with an independent reader. Exit 77 (skipped) without
# node or the reader; scripts/setup installs both.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
if ! command -v node >/dev/null; then
  echo "SKIPPED: node is not installed; run scripts/setup" >&2
  exit 77
fi
file=$("$1" "$3" 5000)
exec node "$here/parquet_reader_test.mjs" "$2" "$file" 5000
