// usage: node parquet_reader_test.mjs <directory of node_modules> <file.parquet> <expected rows>
// Reads one of our files with a Parquet reader that shares no code with DuckDB. Exit 0: it has the
// rows, columns and metadata that docs/formats/parquet.md promises. 77: the reader is not installed.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import { join } from 'node:path';

const [modules, file, expected] = process.argv.slice(2);

async function load(name) {
  const require = createRequire(join(modules, 'node_modules', 'x.js'));
  try {
    return await import(pathToFileURL(require.resolve(name)).href);
  } catch (error) {
    console.error(`SKIPPED: cannot load ${name} from ${modules}: ${error.message}`);
    process.exit(77);
  }
}

function check(condition, what) {
  if (condition) return;
  console.error(`FAILED: ${what}`);
  process.exit(1);
}

const { parquetReadObjects, parquetMetadata } = await load('hyparquet');
const { compressors } = await load('hyparquet-compressors');

const bytes = readFileSync(file);
const buffer = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength);
const metadata = parquetMetadata(buffer);
const pairs = Object.fromEntries(metadata.key_value_metadata.map(({ key, value }) => [key, value]));
check(Number(metadata.num_rows) === Number(expected), `rows in the footer: ${metadata.num_rows}`);
check(pairs['firn.format'] === '1', `firn.format: ${pairs['firn.format']}`);
check(Number(pairs['firn.rows']) === Number(expected), `firn.rows: ${pairs['firn.rows']}`);

const rows = await parquetReadObjects({ file: buffer, compressors });
check(rows.length === Number(expected), `rows read: ${rows.length}`);
let before = 0n;
for (const row of rows) {
  const position = BigInt(row.position);
  check(position > before, `position ${position} follows ${before}`);
  before = position;
  check(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(row.id), `id ${row.id}`);
  check(/^[0-9a-f]{32}$/.test(row.trace_id), `trace_id ${row.trace_id}`);
  check(row.time !== null && row.time !== undefined, 'time is missing');
  check(row.kind === 'event', `kind ${row.kind}`);
  check(row.type === 'ordered', `type ${row.type}`);
  check(row._raw === null || row._raw === undefined, '_raw is set');
  const data = typeof row.data === 'string' ? JSON.parse(row.data) : row.data;
  check(data.n === 1, `data ${row.data}`);
}
console.log(`${rows.length} rows read by hyparquet`);
