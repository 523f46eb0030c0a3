// usage: node deno_test.mjs <directory of node_modules> <firn> <work directory>
//
// Deno's own OpenTelemetry, a client that shares no code with the SDK's, sends spans, logs and metrics by each of
// its protocols; what Firn returns is compared with what was made, field by field. What was returned from memory is
// returned again after a kill -9, from SQLite and from Parquet.

import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { DENO_PROTOCOLS, denoArguments, denoEnvironment, denoProgram } from './deno.mjs'
import { canonical, Firn, order, parseTime, withoutEmpty } from './firn.mjs'

const [modules, binary, work] = process.argv.slice(2)
const SEVERITIES = { debug: [5, 'DEBUG', 'stdout'], info: [9, 'INFO', 'stdout'], warn: [13, 'WARN', 'stderr'], error: [17, 'ERROR', 'stderr'] }
const HAS_IS_REMOTE = 0x100

// --- Sending -------------------------------------------------------------------------------------

// What a run of Deno made, and when it ran.
function send(firn, protocol) {
  const file = join(work, 'sent.json')
  const began = BigInt(Date.now()) * 1_000_000n
  const { status, stdout, stderr } = spawnSync(denoProgram(modules), denoArguments(file), {
    encoding: 'utf8', timeout: 60_000, env: denoEnvironment(firn, protocol, join(work, 'deno')) })
  assert.equal(status, 0, `deno over ${protocol}: ${stdout}${stderr}`)
  return { protocol, began, ended: BigInt(Date.now() + 1) * 1_000_000n, ...JSON.parse(readFileSync(file, 'utf8')) }
}

// --- What Firn should return ---------------------------------------------------------------------

// Deno adds what it is.
const resource = ({ protocol }) => ({ 'service.name': 'shop', 'service.instance.id': protocol, team: 'green' })
const SDK = ['process.runtime.name', 'process.runtime.version', 'telemetry.sdk.language', 'telemetry.sdk.name', 'telemetry.sdk.version']

function expectedSpan(span, run) {
  const parts = withoutEmpty({
    events: span.events?.map(({ ms, ...event }) => ({ time: nanos(ms), ...event })),
    links: span.links?.map((link) => ({ ...link, flags: HAS_IS_REMOTE | 1 })),
  })
  return withoutEmpty({
    kind: 'span', type: span.name || 'span', source: 'shop', time: nanos(span.start), end: nanos(span.start + span.milliseconds),
    trace_id: span.trace_id, span_id: span.span_id, parent: span.parent, data: parts,
    metadata: withoutEmpty({ attributes: span.attributes, name: span.name === '' ? '' : undefined, kind: span.kind, status: span.status,
      flags: HAS_IS_REMOTE | span.trace_flags }),
    resource: resource(run), scope: { name: 'deno-test', version: '2.1' },
  })
}
const nanos = (milliseconds) => BigInt(milliseconds) * 1_000_000n

function expectedLog(record, run) {
  const [severity, severity_text, stream] = SEVERITIES[record.method]
  return withoutEmpty({
    kind: 'log', type: 'log', source: 'shop', severity, trace_id: record.trace_id, span_id: record.span_id, data: `${record.text}\n`,
    metadata: withoutEmpty({ attributes: { 'log.iostream': stream }, severity_text, flags: record.trace_id && 1 }),
    resource: resource(run), scope: 'deno',
  })
}

function expectedPoints(run) {
  return run.metrics.flatMap(({ name, type, unit, description, monotonic, points }) => points.map((point) => {
    const { labels, value, ...data } = point
    return withoutEmpty({ name, type, unit, description, monotonic, labels, value, data, resource: resource(run),
      temporality: type === 'gauge' ? undefined : 'cumulative', scope: { name: 'deno-test', version: '2.1' } })
  }))
}

// --- What was returned, in the same form ---------------------------------------------------------

function resourceOf(context) {
  const { ...attributes } = context.resource.attributes
  for (const key of SDK) {
    assert.ok(attributes[key], `the resource has no ${key}`)
    delete attributes[key]
  }
  return attributes
}

// Deno counts times in floats of milliseconds: what it sends is off by some hundred nanoseconds.
const rounded = (time) => (BigInt(time) + 500_000n) / 1_000_000n * 1_000_000n
function near(time) {
  const milliseconds = rounded(time), off = BigInt(time) - milliseconds
  assert.ok(off > -1000n && off < 1000n, `${time} is not what was set`)
  return milliseconds
}

function returnedSpan({ position, id, parent_id, time, duration, data, context, ...rest }) {
  assert.ok(position > 0 && id.length === 36)
  const start = parseTime(time)
  return withoutEmpty({ ...rest, time: near(start), end: near(start + BigInt(duration)), parent: parent_id && parent_id.slice(-17).replace('-', ''),
    data: data && withoutEmpty({ links: data.links, events: data.events?.map(({ time_unix_nano, ...event }) =>
      ({ time: near(time_unix_nano), ...event })) }),
    resource: resourceOf(context), scope: context.scope })
}

function returnedLog({ position, id, time, observed_time, context, ...rest }, run) {
  assert.ok(position > 0 && id.length === 36)
  inRun(time, run)
  inRun(observed_time, run)
  return withoutEmpty({ ...rest, resource: resourceOf(context), scope: context.scope.name })
}

function returnedPoint({ time, start_time, ...point }, { series, context, ...definition }, run) {
  inRun(time, run)
  if (start_time) inRun(start_time, run)
  return withoutEmpty({ ...point, ...definition, resource: resourceOf(context), scope: context.scope })
}

function inRun(time, { began, ended }) {
  const at = parseTime(time)
  assert.ok(at >= began && at <= ended, `${time} lies outside of the run`)
}

// -------------------------------------------------------------------------------------------------

async function readAll(firn) {
  const series = await firn.series()
  for (const one of series) one.points = await firn.points(one.series)
  return { spans: await firn.events('span'), logs: await firn.events('log'), series }
}

function compare({ spans, logs, series }, run) {
  const ofRun = ({ context }) => context.resource.attributes['service.instance.id'] === run.protocol
  const same = (got, want, what) => assert.deepEqual(got.map(canonical).sort(order).map(JSON.parse),
    want.map(canonical).sort(order).map(JSON.parse), `${run.protocol}: ${what}`)
  same(spans.filter(ofRun).map(returnedSpan), run.spans.map((span) => expectedSpan(span, run)), 'spans')
  same(logs.filter(ofRun).map((log) => returnedLog(log, run)), run.logs.map((log) => expectedLog(log, run)), 'logs')
  // Deno sends what the instruments say again and again, perhaps also between two recordings; and what it knows of itself.
  const own = series.filter(({ context }) => context.scope.name === 'deno-test')
  same(own.filter(ofRun).map(({ points, ...definition }) => returnedPoint(points.at(-1), definition, run)), expectedPoints(run), 'points')
  console.log(`ok ${run.protocol}: ${run.spans.length} spans, ${run.logs.length} logs, ${expectedPoints(run).length} points`)
}

rmSync(work, { recursive: true, force: true })
mkdirSync(work, { recursive: true })
const firn = new Firn(binary, join(work, 'data'))
await firn.start()
try {
  const runs = DENO_PROTOCOLS.map((protocol) => send(firn, protocol))
  const stored = await readAll(firn)
  for (const run of runs) compare(stored, run)
  const again = async (where) => {
    assert.deepEqual(await readAll(firn), stored, where)
    console.log(`ok ${where}`)
  }
  await firn.kill()
  await firn.start()
  await again('after kill -9')
  await firn.command('chunks:flush')
  await again('from SQLite')
  await firn.command('chunks:move')
  await again('from Parquet')
} finally {
  await firn.kill()
}
rmSync(work, { recursive: true, force: true })
