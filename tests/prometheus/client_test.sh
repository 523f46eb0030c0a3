#!/usr/bin/env bash
# usage: tests/prometheus/client_test.sh <prometheus|vmagent> <firn> <work directory>
#
# A program that scrapes and sends by remote write, against a running server. Exit 77 (skipped) without it;
# scripts/setup installs it.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
for program in node "$1"; do
  if ! command -v "$program" >/dev/null; then
    echo "SKIPPED: $program is not installed; run scripts/setup" >&2
    exit 77
  fi
done
exec node "$here/client_test.mjs" "$@"
