// usage: node formats_test.mjs <directory of node_modules> <firn> <work directory>
//
// Asks a running server each statement as NDJSON, as an Arrow stream and as Parquet. What Apache Arrow's
// JavaScript and hyparquet read must be what NDJSON says, value by value.

import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { Firn, parseTime } from '../otlp/firn.mjs'

const [modules, binary, work] = process.argv.slice(2)
const load = createRequire(join(modules, 'package.json'))
const { DataType, tableFromIPC } = load('apache-arrow')
const { parquetReadObjects } = await import(pathToFileURL(load.resolve('hyparquet')).href)
const { compressors } = await import(pathToFileURL(load.resolve('hyparquet-compressors')).href)

// --- What NDJSON says: integers that a number cannot hold come as text ---------------------------

const lines = (text) => text.split('\n').filter((line) => line).map((line) =>
  JSON.parse(line.replace(/([:,[])(-?\d{16,})(?=[,}\]])/g, '$1"$2"')))

// --- Values of Arrow, as NDJSON shows them -------------------------------------------------------

const whole = (value) => (String(value).replace('-', '').length < 16 ? Number(value) : String(value))
const two = (number) => String(number).padStart(2, '0')

function clock(microseconds) {
  const seconds = Number(microseconds / 1_000_000n)
  const rest = String(microseconds % 1_000_000n).padStart(6, '0').replace(/0+$/, '')
  return `${two(Math.floor(seconds / 3600))}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}${rest && '.' + rest}`
}

function decimal(words, scale) {
  let value = 0n
  for (const word of [...words].reverse()) value = (value << 32n) | BigInt(word)
  value = BigInt.asIntN(128, value)
  const digits = String(value < 0n ? -value : value).padStart(scale + 1, '0')
  const point = digits.length - scale
  return (value < 0n ? '-' : '') + digits.slice(0, point) + (scale ? '.' + digits.slice(point) : '')
}

const printable = (byte) => byte >= 32 && byte < 127 && !['\\', '"', "'"].includes(String.fromCharCode(byte))
const blob = (bytes) => [...bytes].map((byte) =>
  (printable(byte) ? String.fromCharCode(byte) : `\\x${byte.toString(16).toUpperCase().padStart(2, '0')}`)).join('')

// Of seconds, milliseconds, microseconds, nanoseconds.
const UNIT_NS = [1_000_000_000n, 1_000_000n, 1_000n, 1n]

function shown(type, value) {
  if (value === null) return null
  if (DataType.isInt(type)) return whole(value)
  if (DataType.isFloat(type)) return Number.isFinite(value) ? value : null  // JSON has no other numbers
  if (DataType.isBool(type) || DataType.isUtf8(type)) return value
  if (DataType.isDecimal(type)) return decimal(value, type.scale)
  if (DataType.isDate(type)) return new Date(Number(value)).toISOString().slice(0, 10)
  if (DataType.isTime(type)) return clock(BigInt(value))
  if (DataType.isBinary(type)) return blob(value)
  if (DataType.isList(type) || DataType.isFixedSizeList(type)) {
    return [...value].map((item) => shown(type.children[0].type, item))
  }
  if (DataType.isStruct(type)) {
    return Object.fromEntries(type.children.map((child) => [child.name, shown(child.type, value[child.name])]))
  }
  if (DataType.isMap(type)) {
    const inner = type.children[0].type.children[1].type
    return Object.fromEntries([...value].map(([key, item]) => [key, shown(inner, item)]))
  }
  throw new Error(`no rule for ${type}`)
}

// The values of a column. Times are compared as nanoseconds, which the reader's own numbers cannot hold.
function columnOf(table, name) {
  const { type } = table.schema.fields.find((field) => field.name === name)
  const column = table.getChild(name)
  if (!DataType.isTimestamp(type)) return [...column].map((value) => shown(type, value))
  return column.data.flatMap((data) => Array.from({ length: data.length }, (_, i) =>
    (data.getValid(i) ? data.values[i] * UNIT_NS[type.unit] : null)))
}

// --- Values of Parquet ---------------------------------------------------------------------------

function fromParquet(value) {
  if (value === null || value === undefined) return null
  if (typeof value === 'bigint') return whole(value)
  if (value instanceof Date) return value.getTime()
  if (Array.isArray(value)) return value.map(fromParquet)
  if (typeof value === 'object') {
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, fromParquet(item)]))
  }
  return value
}

// --- The server ----------------------------------------------------------------------------------

rmSync(work, { recursive: true, force: true })
const firn = new Firn(binary, join(work, 'data'))
process.on('exit', () => firn.process.kill('SIGKILL'))
await firn.start()

async function ask(query, format) {
  const answer = await fetch(`http://${firn.api}/api/v1/namespaces/default/sql`, {
    method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ query, format }) })
  const body = Buffer.from(await answer.arrayBuffer())
  assert.equal(answer.status, 200, `${query}: ${body}`)
  return { type: answer.headers.get('content-type'), tiers: answer.headers.get('firn-tiers'), body }
}

async function append(events) {
  const answer = await fetch(`http://${firn.api}/api/v1/namespaces/default/events`, {
    method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(events) })
  assert.equal(answer.status, 200, await answer.text())
}

const event = (n) => ({
  type: `type-${n % 7}`, source: n % 3 ? 'shop' : undefined, stream: n % 5 ? `order-${n % 50}` : undefined,
  time: new Date(Date.UTC(2026, 10, 18) + n * 60_000).toISOString().replace('Z', `${String(n % 1_000_000).padStart(6, '0')}Z`),
  data: { n, text: 'h\u00e9llo "quoted"\n', nested: [1, null, { deep: true }] } })

const all = Array.from({ length: 6000 }, (_, n) => event(n))
await append(all.slice(0, 2000))
await firn.command('chunks:flush')
await firn.command('chunks:move')
await append(all.slice(2000, 4000))
await firn.command('chunks:flush')
await append(all.slice(4000))

// --- Arrow ---------------------------------------------------------------------------------------

const values = `SELECT * FROM (VALUES
  (true, -1::TINYINT, -300::SMALLINT, -70000::INTEGER, -9223372036854775807::BIGINT, 255::UTINYINT, 65535::USMALLINT,
   4294967295::UINTEGER, 18446744073709551615::UBIGINT, 1.5::FLOAT, 0.1::DOUBLE, 'h\u00e9llo'::VARCHAR, '\\x00a\\xFF'::BLOB),
  (false, 1, 300, 70000, 1, 0, 0, 0, 0, 'nan'::FLOAT, '-infinity'::DOUBLE, '', ''::BLOB),
  (NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL))
  t(yes, i8, i16, i32, i64, u8, u16, u32, u64, f32, f64, text, bytes)`
const times = `SELECT * FROM (VALUES
  (DATE '2026-02-28', TIME '23:59:59.25', TIMESTAMP '2026-01-02 03:04:05.678901', make_timestamp_ns(1767322800123456789),
   TIMESTAMP_S '1969-12-31 23:59:59', TIMESTAMP_MS '2026-01-02 03:04:05.678', TIMESTAMPTZ '2026-01-02 03:04:05+02'),
  (DATE '1969-01-01', TIME '00:00:00', NULL, NULL, NULL, NULL, NULL), (NULL, NULL, NULL, NULL, NULL, NULL, NULL))
  t(day, clock, us, ns, s, ms, tz)`
const others = `SELECT * FROM (VALUES
  (1.25::DECIMAL(5,2), -12345678901234567890.123::DECIMAL(30,3), 170141183460469231731::HUGEINT,
   '0190f3b2-0000-7000-8000-0000000000ff'::UUID, 'a'::ENUM('a', 'b'), '101'::BIT, '01:02:03+01'::TIMETZ),
  (-0.01, 0, -1, NULL, 'b', NULL, NULL), (NULL, NULL, NULL, NULL, NULL, NULL, NULL))
  t(small, large, huge, id, choice, bits, zoned)`
const nested = `SELECT * FROM (VALUES
  ([1, NULL, 3], [['a'], [], NULL], {'a': 1, 'b': ['x', NULL]}, [{'k': 1.5::DOUBLE}, NULL], MAP {'x': 1, 'y': NULL}, [1, 2]::INTEGER[2]),
  ([], [], {'a': NULL, 'b': NULL}, [], MAP {}, [NULL, 4]),
  (NULL, NULL, NULL, NULL, NULL, NULL))
  t(list, lists, struct, structs, map, pair)`
const statements = [
  values, times, others, nested,
  'SELECT NULL AS nothing, 1 AS one',
  'SELECT type, sum(position) AS total, avg(position) AS mean FROM events GROUP BY type ORDER BY type',
  'FROM events ORDER BY position',
  'SELECT position, list(stream) OVER (ORDER BY position ROWS 2 PRECEDING) AS streams FROM events ORDER BY position',
  'SELECT range AS n, CASE WHEN range % 3 = 0 THEN NULL ELSE repeat(chr(97 + (range % 26)::INTEGER), (range % 40)::INTEGER) END AS t FROM range(200000)',
  'SELECT type FROM events WHERE false',
]

let compared = 0
function compareArrow(query, body, expected) {
  const table = tableFromIPC(body)
  assert.equal(table.numRows, expected.length, query)
  for (const field of table.schema.fields) {
    const read = columnOf(table, field.name)
    read.forEach((value, i) => {
      const said = expected[i][field.name]
      const wanted = DataType.isTimestamp(field.type) && said !== null ? parseTime(said) : said
      assert.deepEqual(value, wanted, `${query}: row ${i}, ${field.name} (${field.type})`)
      ++compared
    })
  }
  if (expected.length > 0) {
    assert.deepEqual(table.schema.fields.map((field) => field.name), Object.keys(expected[0]), query)
  }
}

for (const query of statements) {
  const expected = lines((await ask(query, 'ndjson')).body.toString())
  const arrow = await ask(query, 'arrow')
  assert.equal(arrow.type, 'application/vnd.apache.arrow.stream')
  compareArrow(query, arrow.body, expected)
}
assert.equal((await ask('SELECT count(*) AS n FROM events', 'arrow')).tiers, 'cold,hot,warm')

// Months, days and nanoseconds have a text of their own in NDJSON; the reader gives the numbers.
const [interval] = tableFromIPC((await ask("SELECT INTERVAL '14 months 3 days 00:00:01.5' AS v", 'arrow')).body).getChild('v')
assert.deepEqual([...interval], [14, 3, 1_500_000_000, 0])

// --- Parquet -------------------------------------------------------------------------------------

const readParquet = (body) => parquetReadObjects({
  file: body.buffer.slice(body.byteOffset, body.byteOffset + body.byteLength), compressors })
const inParquet = [
  'SELECT position, type, source, stream, data, severity FROM events ORDER BY position',
  "SELECT range AS n, range / 7 AS d, range % 2 = 0 AS even, [range, NULL] AS l, {'a': range, 'b': 'x'} AS s FROM range(5000)",
]
for (const query of inParquet) {
  const expected = lines((await ask(query, 'ndjson')).body.toString())
  const parquet = await ask(query, 'parquet')
  assert.equal(parquet.type, 'application/vnd.apache.parquet')
  const rows = await readParquet(parquet.body)
  assert.equal(rows.length, expected.length)
  rows.forEach((row, i) => assert.deepEqual(fromParquet(row), expected[i], `${query}: row ${i}`))
  compared += rows.length
}
const [{ total }] = await readParquet((await ask('SELECT sum(position) AS total FROM events', 'parquet')).body)
assert.equal(Number(total), (6000 * 6001) / 2)

// --- The command ---------------------------------------------------------------------------------

const command = (...options) => execFileSync(binary, ['sql', '--server', firn.api, ...options], { maxBuffer: 1 << 28 })
compareArrow(values, command('--format', 'arrow', values), lines((await ask(values, 'ndjson')).body.toString()))
assert.equal((await readParquet(command('--output', 'parquet', values))).length, 3)

await firn.kill('SIGTERM')
rmSync(work, { recursive: true, force: true })
console.log(`${compared} values and rows agree`)
