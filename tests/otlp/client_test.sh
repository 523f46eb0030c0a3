#!/usr/bin/env bash
# usage: tests/otlp/client_test.sh <script beside this one> <directory of node_modules> <firn> <work directory>
#
# A client of OpenTelemetry against a running server. Exit 77 (skipped) without node, the SDK or Deno;
# scripts/setup installs them.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
script=$1
shift
if ! command -v node >/dev/null || [[ ! -d "$1/node_modules/@opentelemetry" ]]; then
  echo "SKIPPED: node or the OpenTelemetry SDK is not installed; run scripts/setup" >&2
  exit 77
fi
if [[ "$script" != sdk_* && ! -x "$1/node_modules/@deno/linux-x64-glibc/deno" ]]; then
  echo "SKIPPED: Deno is not installed, or not made for this machine; run scripts/setup" >&2
  exit 77
fi
exec node "$here/$script" "$@"
