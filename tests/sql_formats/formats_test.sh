#!/usr/bin/env bash
# usage: tests/sql_formats/formats_test.sh <directory of node_modules> <firn> <work directory>
#
# SQL answers as Arrow and Parquet, read by other programs. Exit 77 (skipped) without node or the
# readers; scripts/setup installs them.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
if ! command -v node >/dev/null || [[ ! -d "$1/node_modules/apache-arrow" || ! -d "$1/node_modules/hyparquet" ]]; then
  echo "SKIPPED: node, apache-arrow or hyparquet is not installed; run scripts/setup" >&2
  exit 77
fi
exec node "$here/formats_test.mjs" "$@"
