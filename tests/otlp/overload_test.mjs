// usage: node overload_test.mjs <directory of node_modules> <firn> <work directory>
//
// A server whose disk is full refuses. Real clients must take that for "later", and once there is room nothing may
// be missing, and nothing be there twice:
// - the SDK over HTTP sends again by itself;
// - the SDK over gRPC never does (its exporters have no retries), but is told that it may: who calls it again loses nothing;
// - Deno sends its metrics again, since they are cumulative. Logs and spans that were refused it drops, whatever the answer.

import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readFileSync, rmSync, statfsSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { DENO_PROTOCOLS, denoArguments, denoEnvironment, denoProgram } from './deno.mjs'
import { canonical, Firn, order } from './firn.mjs'

const [modules, binary, work] = process.argv.slice(2)
const load = createRequire(join(modules, 'package.json'))
const { resourceFromAttributes } = load('@opentelemetry/resources')
const { BasicTracerProvider, BatchSpanProcessor } = load('@opentelemetry/sdk-trace-base')
const { LoggerProvider, BatchLogRecordProcessor } = load('@opentelemetry/sdk-logs')
const { MeterProvider, PeriodicExportingMetricReader } = load('@opentelemetry/sdk-metrics')
const grpc = createRequire(load.resolve('@opentelemetry/exporter-logs-otlp-grpc'))('@grpc/grpc-js')
const UNAVAILABLE = 14, RECORDS = 20

// --- The disk ------------------------------------------------------------------------------------

const freeBytes = () => { const { bavail, bsize } = statfsSync(work); return bavail * bsize }

// A file that takes half of the room above the reserve, and as much below it.
class Disk {
  constructor() {
    this.file = join(work, 'filler')
    this.size = Math.min(4 * 2 ** 30, Math.floor(freeBytes() / 2))
    this.reserve = freeBytes() - Math.floor(this.size / 2)
  }
  async fill(firn) {
    execFileSync('fallocate', ['-l', String(this.size), this.file])
    await until('the server refuses', async () => (await probe(firn)).status === 503)
  }
  async empty(firn) {
    rmSync(this.file)
    await until('the server takes', async () => (await probe(firn)).status === 200)
  }
}

const probe = (firn) => fetch(`http://${firn.otlpHttp}/v1/logs`, { method: 'POST', headers: { 'content-type': 'application/json', 'firn-namespace': 'probe' },
  body: '{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":{"stringValue":"room?"}}]}]}]}' })

async function until(what, holds) {
  for (let wait = 0; !(await holds()); ++wait) {
    if (wait > 600) throw new Error(`waited too long: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

async function refusals(firn) {
  const text = await (await fetch(`http://${firn.api}/metrics`)).text()
  return Number(text.match(/^firn_appends_refused_total\{[^}]*reason="no_space"[^}]*\} (\d+)/m)?.[1] ?? 0)
}

// --- The SDK -------------------------------------------------------------------------------------

// Sends what it is given by `again` until that ends well.
class Client {
  constructor(firn, transport) {
    this.transport = transport
    this.results = []
    this.refused = []  // what an exporter without retries gave back
    const resource = resourceFromAttributes({ 'service.name': transport })
    const one = (signal) => {
      const Exporter = Object.values(load(`@opentelemetry/exporter-${signal}-otlp-${transport}`)).find((value) => /^OTLP\w+Exporter$/.test(value.name))
      const path = { trace: '/v1/traces', logs: '/v1/logs', metrics: '/v1/metrics' }[signal]
      return this.noting(new Exporter({ timeoutMillis: 30_000, url: transport === 'grpc' ? `http://${firn.otlpGrpc}` : `http://${firn.otlpHttp}${path}` }))
    }
    this.tracers = new BasicTracerProvider({ resource, spanProcessors: [new BatchSpanProcessor(one('trace'))] })
    this.loggers = new LoggerProvider({ resource, processors: [new BatchLogRecordProcessor(one('logs'))] })
    this.meters = new MeterProvider({ resource, readers: [new PeriodicExportingMetricReader({ exporter: one('metrics'), exportIntervalMillis: 3_600_000 })] })
    this.spanIds = []
  }
  noting(exporter) {
    const send = exporter.export.bind(exporter)
    exporter.export = (items, done) => send(items, (result) => {
      this.results.push(result)
      if (result.code !== 0) this.refused.push(() => new Promise((resolve) => send(items, resolve)))
      done(result)
    })
    return exporter
  }
  make() {
    const tracer = this.tracers.getTracer('overload'), logger = this.loggers.getLogger('overload'), meter = this.meters.getMeter('overload')
    for (let i = 0; i < RECORDS; ++i) {
      const span = tracer.startSpan(`span ${i}`)
      span.end()
      this.spanIds.push(span.spanContext().spanId)
      logger.emit({ body: `log ${i}` })
      meter.createCounter(`counter.${i}`).add(i)
    }
  }
  // Ends when all have ended, well or not.
  flush() { return Promise.allSettled([this.tracers.forceFlush(), this.loggers.forceFlush(), this.meters.forceFlush()]) }
}

async function checkStored(firn, client) {
  const own = ({ context }) => context.resource.attributes['service.name'] === client.transport
  const spans = (await firn.events('span')).filter(own), logs = (await firn.events('log')).filter(own)
  assert.deepEqual(spans.map(({ span_id }) => span_id).sort(), client.spanIds.sort(), `${client.transport}: spans`)
  const texts = Array.from({ length: RECORDS }, (_, i) => `log ${i}`)
  assert.deepEqual(logs.map(({ data }) => data).sort(), texts.sort(), `${client.transport}: logs`)
  const values = []
  for (const one of (await firn.series()).filter(own)) values.push([one.name, ...(await firn.points(one.series)).map(({ value }) => value)])
  assert.deepEqual(values.sort(), Array.from({ length: RECORDS }, (_, i) => [`counter.${i}`, i]).sort(), `${client.transport}: points`)
}

async function sdkOverHttp(firn, disk, transport) {
  await disk.fill(firn)
  const client = new Client(firn, transport), before = await refusals(firn)
  client.make()
  const flushed = client.flush()
  await until('all three were refused', async () => (await refusals(firn)) >= before + 3)
  assert.deepEqual(client.results, [], 'nothing was given up')
  await disk.empty(firn)
  await flushed
  assert.deepEqual(client.results.map(({ code }) => code), [0, 0, 0], 'sent again, and taken')
  await checkStored(firn, client)
  console.log(`ok SDK, ${transport}: sent again by itself`)
}

async function sdkOverGrpc(firn, disk) {
  await disk.fill(firn)
  const client = new Client(firn, 'grpc')
  client.make()
  await client.flush()
  assert.deepEqual(client.results.map(({ error }) => error.code), [UNAVAILABLE, UNAVAILABLE, UNAVAILABLE])
  await disk.empty(firn)
  for (const again of client.refused) assert.equal((await again()).code, 0)
  await checkStored(firn, client)
  console.log('ok SDK, grpc: UNAVAILABLE, and taken when sent again')
}

// --- What the answers say ------------------------------------------------------------------------

async function answers(firn, disk) {
  await disk.fill(firn)
  const http = await probe(firn)
  const status = await http.json()
  assert.equal(http.status, 503)
  assert.ok(Number(http.headers.get('retry-after')) >= 1)
  assert.equal(status.code, UNAVAILABLE)
  assert.match(status.message, /reserve|space/)
  assert.equal(status.details[0]['@type'], 'type.googleapis.com/google.rpc.RetryInfo')
  const caller = new grpc.Client(firn.otlpGrpc, grpc.credentials.createInsecure())
  const bytes = (message) => message
  // One log record without anything: {1: {2: {2: {}}}}.
  const error = await new Promise((resolve) => caller.makeUnaryRequest('/opentelemetry.proto.collector.logs.v1.LogsService/Export', bytes, bytes,
    Buffer.from([0x0a, 4, 0x12, 2, 0x12, 0]), resolve))
  caller.close()
  assert.equal(error.code, UNAVAILABLE)
  assert.match(String(error.metadata.get('grpc-status-details-bin')[0]), /google\.rpc\.RetryInfo/)
  await disk.empty(firn)
  console.log('ok answers: 503 with Retry-After, UNAVAILABLE with RetryInfo')
}

// --- Deno ----------------------------------------------------------------------------------------

async function deno(firn, disk, protocol) {
  await disk.fill(firn)
  const file = join(work, 'sent.json'), room = join(work, 'room'), before = await refusals(firn)
  writeFileSync(room, '')
  const child = spawn(denoProgram(modules), denoArguments(file, room), { stdio: 'inherit', env: denoEnvironment(firn, protocol, join(work, 'deno')) })
  const ended = once(child, 'exit')
  await until('it was refused', async () => (await refusals(firn)) >= before + 2)
  await disk.empty(firn)
  writeFileSync(room, 'yes')
  assert.deepEqual(await ended, [0, null])
  const expected = JSON.parse(readFileSync(file, 'utf8')).metrics.flatMap(({ name, points }) => points.map(({ labels, value }) => canonical([name, labels, value])))
  const own = (await firn.series()).filter(({ context }) => context.scope.name === 'deno-test' && context.resource.attributes['service.instance.id'] === protocol)
  const last = []
  for (const { series, name, labels } of own) last.push(canonical([name, labels ?? {}, (await firn.points(series)).at(-1).value]))
  assert.deepEqual(last.sort(order), expected.sort(order), `${protocol}: points`)
  console.log(`ok Deno, ${protocol}: its metrics are complete`)
}

// -------------------------------------------------------------------------------------------------

rmSync(work, { recursive: true, force: true })
mkdirSync(work, { recursive: true })
const disk = new Disk(), firn = new Firn(binary, join(work, 'data'))
await firn.start('--disk-reserve', String(disk.reserve))
try {
  const made = await fetch(`http://${firn.api}/api/v1/namespaces/probe`, { method: 'PUT' })
  assert.ok(made.ok, await made.text())
  await answers(firn, disk)
  for (const transport of ['proto', 'http']) await sdkOverHttp(firn, disk, transport)
  await sdkOverGrpc(firn, disk)
  for (const protocol of DENO_PROTOCOLS) await deno(firn, disk, protocol)
} finally {
  await firn.kill()
}
rmSync(work, { recursive: true, force: true })
