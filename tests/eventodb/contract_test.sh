#!/usr/bin/env bash
# usage: tests/eventodb/contract_test.sh <firn>
#
# A client of EventoDB's protocol against the program in EventoDB's place. Exit 77 (skipped) without
# node; scripts/setup installs it.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
if ! command -v node >/dev/null; then
  echo "SKIPPED: node is not installed; run scripts/setup" >&2
  exit 77
fi
exec node "$here/contract_test.mjs" "$@"
