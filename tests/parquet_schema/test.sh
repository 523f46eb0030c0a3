#!/usr/bin/env bash
# usage: tests/parquet_schema/test.sh <export_tree> <duckdb_alone> <directory of node_modules> <work directory>
#
# Exports chunks while their schema changes three times. Firn, DuckDB alone and an independent Parquet
# reader must agree on the number of values and their checksum in every column.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=$4
rm -rf "$work"
mkdir -p "$work"
"$1" "$work" >"$work/firn.txt"
"$2" "$work/lake" >"$work/duckdb.txt"
diff "$work/firn.txt" "$work/duckdb.txt" || { echo "FAILED: DuckDB reads the tree differently" >&2; exit 1; }
if ! command -v node >/dev/null; then
  echo "SKIPPED: node is not installed; run scripts/setup" >&2
  exit 77
fi
mapfile -t columns < <(cut -d' ' -f1 "$work/firn.txt")
node "$here/read_tree.mjs" "$3" "$work/lake" "${columns[@]}" >"$work/reader.txt" || exit $?
diff "$work/firn.txt" "$work/reader.txt" || { echo "FAILED: the reader reads the tree differently" >&2; exit 1; }
# A test that compares nothing with nothing proves nothing.
awk '$2 == 0 { print "FAILED: no values in " $1; bad = 1 } END { exit bad }' "$work/firn.txt" >&2
echo "$(find "$work/lake" -name '*.parquet' | wc -l) files, ${#columns[@]} columns: all three agree"
