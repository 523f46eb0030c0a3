// usage: node read_tree.mjs <directory of node_modules> <tree> <column>...
// What a reader that shares no code with DuckDB says of the exported tree: the lines of
// export_tree.cc. Exit 77: the reader is not installed.
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const [modules, tree, ...columns] = process.argv.slice(2);

async function load(name) {
  const require = createRequire(join(modules, 'node_modules', 'x.js'));
  try {
    return await import(pathToFileURL(require.resolve(name)).href);
  } catch (error) {
    console.error(`SKIPPED: cannot load ${name} from ${modules}: ${error.message}`);
    process.exit(77);
  }
}
const { parquetReadObjects } = await load('hyparquet');
const { compressors } = await load('hyparquet-compressors');

function* filesIn(directory) {
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) yield* filesIn(path);
    else if (entry.name.endsWith('.parquet')) yield path;
  }
}

const sums = new Map(columns.map((name) => [name, { count: 0, sum: 0n }]));
for (const path of filesIn(tree)) {
  const bytes = readFileSync(path);
  const file = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength);
  for (const row of await parquetReadObjects({ file, compressors })) {
    for (const [name, total] of sums) {
      const value = row[name];
      if (value === null || value === undefined) continue;
      const text = value instanceof Date ? String(value.getTime()) : String(value);
      total.count += 1;
      total.sum += BigInt(`0x${createHash('md5').update(text).digest('hex').slice(0, 8)}`);
    }
  }
}
for (const [name, { count, sum }] of sums) console.log(`${name} ${count} ${sum}`);
