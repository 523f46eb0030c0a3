#!/usr/bin/env bash
# usage: tests/otlp/sdk_test.sh <directory of node_modules> <firn> <work directory>
#
# The OpenTelemetry SDK against a running server. Exit 77 (skipped) without node or the SDK;
# scripts/setup installs both.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
if ! command -v node >/dev/null || [[ ! -d "$1/node_modules/@opentelemetry" ]]; then
  echo "SKIPPED: node or the OpenTelemetry SDK is not installed; run scripts/setup" >&2
  exit 77
fi
exec node "$here/sdk_test.mjs" "$@"
