// usage: node sdk_test.mjs <directory of node_modules> <firn> <work directory>
//
// The official OpenTelemetry SDK sends logs and spans by each of its exporters, with and without
// gzip; what Firn returns is compared with what the SDK held, field by field: from memory, after a
// kill -9, from SQLite and from Parquet.

import assert from 'node:assert/strict'
import { rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { Firn } from './firn.mjs'

const [modules, binary, work] = process.argv.slice(2)
const load = createRequire(join(modules, 'package.json'))
const { context, trace, SpanKind, SpanStatusCode, TraceFlags, createTraceState } = load('@opentelemetry/api')
const { resourceFromAttributes } = load('@opentelemetry/resources')
const { BasicTracerProvider, BatchSpanProcessor } = load('@opentelemetry/sdk-trace-base')
const { LoggerProvider, BatchLogRecordProcessor } = load('@opentelemetry/sdk-logs')
const { CompressionAlgorithm } = load('@opentelemetry/otlp-exporter-base')

const RESOURCE = { 'service.name': 'shop', 'service.instance.id': 'i-1', 'host.cores': 2, 'host.load': 0.5 }
const SCOPE = { name: 'sdk-test', version: '1.2.3' }
const ATTRIBUTES = {
  text: 'a "quoted" text\n', unicode: 'h\u00e9llo \u{1F600}', empty: '', int: 42, negative: -7, double: 1.5, tiny: 5e-324,
  yes: true, no: false, texts: ['a', 'b'], numbers: [1, 2, 3], mixed: [1.5, 2.5], nothing: [],
}
const BODY = { message: 'it broke', code: 7, nested: { deep: [1, 'two', { three: 3.5 }] }, none: null }

const nanos = ([seconds, rest]) => BigInt(seconds) * 1_000_000_000n + BigInt(rest)
const parseTime = (text) => {
  const [, seconds, fraction = ''] = text.match(/^(.*?)(?:\.(\d+))?Z$/)
  return BigInt(Date.parse(seconds + 'Z')) * 1_000_000n + BigInt(fraction.padEnd(9, '0'))
}

// --- What Firn should return ---------------------------------------------------------------------

const withoutEmpty = (object) => Object.fromEntries(Object.entries(object).filter(([, value]) =>
  value !== undefined && !(typeof value === 'object' && value !== null && Object.keys(value).length === 0)))

function expectedSpan(span) {
  const { traceId, spanId, traceFlags, traceState } = span.spanContext()
  const start = nanos(span.startTime), end = nanos(span.endTime)
  const parts = withoutEmpty({
    events: span.events.map((event) => withoutEmpty({
      time_unix_nano: String(nanos(event.time)), name: event.name, attributes: event.attributes })),
    links: span.links.map((link) => withoutEmpty({
      trace_id: link.context.traceId, span_id: link.context.spanId, trace_state: link.context.traceState?.serialize(),
      attributes: link.attributes, flags: linkFlags(link.context) })),
  })
  const codes = { [SpanStatusCode.UNSET]: undefined, [SpanStatusCode.OK]: 'ok', [SpanStatusCode.ERROR]: 'error' }
  return withoutEmpty({
    kind: 'span', type: span.name, source: 'shop', time: start, duration: Number(end - start), trace_id: traceId,
    span_id: spanId, parent: span.parentSpanContext?.spanId,
    data: Object.keys(parts).length === 0 ? undefined : parts,
    metadata: withoutEmpty({
      attributes: span.attributes, kind: ['internal', 'server', 'client', 'producer', 'consumer'][span.kind],
      status: withoutEmpty({ code: codes[span.status.code], message: span.status.message }),
      trace_state: traceState?.serialize(), flags: spanFlags(traceFlags, span.parentSpanContext) }),
    context: { resource: { attributes: RESOURCE }, scope: SCOPE },
  })
}
const HAS_IS_REMOTE = 0x100, IS_REMOTE = 0x200
const spanFlags = (flags, parent) => flags | HAS_IS_REMOTE | (parent?.isRemote ? IS_REMOTE : 0)
const linkFlags = (link) => (link.traceFlags & 0xff) | HAS_IS_REMOTE | (link.isRemote ? IS_REMOTE : 0)

function expectedLog(record) {
  return withoutEmpty({
    kind: 'log', type: record.eventName ?? 'log', source: 'shop', time: nanos(record.hrTime),
    observed_time: nanos(record.hrTimeObserved), severity: record.severityNumber, trace_id: record.spanContext?.traceId,
    span_id: record.spanContext?.spanId, data: record.body,
    metadata: withoutEmpty({
      attributes: record.attributes, severity_text: record.severityText, event_name: record.eventName,
      flags: record.spanContext?.traceFlags }),
    context: { resource: { attributes: RESOURCE }, scope: SCOPE },
  })
}

// What was returned, in the same form.
function returned({ position, id, parent_id, time, observed_time, ...rest }) {
  assert.ok(position > 0 && id.length === 36)
  return withoutEmpty({
    ...rest, time: parseTime(time), observed_time: observed_time && parseTime(observed_time),
    parent: parent_id?.replaceAll('-', '').slice(16) })
}

// --- Sending -------------------------------------------------------------------------------------

const sent = { spans: [], logs: [] }
const remember = (list) => ({ onStart() {}, onEmit: (record) => list.push(record), onEnd: (span) => list.push(span),
  forceFlush: async () => {}, shutdown: async () => {} })

function exporters(firn, transport, compression) {
  const options = { compression, timeoutMillis: 30_000 }
  const one = (signal, path) => {
    const Exporter = Object.values(load(`@opentelemetry/exporter-${signal}-otlp-${transport}`))
      .find((value) => /^OTLP\w+Exporter$/.test(value.name))
    return new Exporter({ ...options, url: transport === 'grpc' ? `http://${firn.otlpGrpc}` : `http://${firn.otlpHttp}${path}` })
  }
  return { spans: one('trace', '/v1/traces'), logs: one('logs', '/v1/logs') }
}

function makeSpans(tracer) {
  const root = tracer.startSpan('GET /orders', { kind: SpanKind.SERVER, attributes: ATTRIBUTES })
  const inside = trace.setSpan(context.active(), root)
  const child = tracer.startSpan('query', { kind: SpanKind.CLIENT, links: [{ context: root.spanContext(), attributes: { why: 'cause', n: 1 } }] }, inside)
  child.addEvent('retry', { attempt: 2, slow: true })
  child.addEvent('again')
  child.setStatus({ code: SpanStatusCode.ERROR, message: 'it broke' })
  child.end()
  const remote = trace.setSpanContext(context.active(), { traceId: 'abcdef0123456789abcdef0123456789',
    spanId: '0123456789abcdef', traceFlags: TraceFlags.SAMPLED, isRemote: true, traceState: createTraceState('vendor=1') })
  tracer.startSpan('consume', { kind: SpanKind.CONSUMER }, remote).end()
  root.setStatus({ code: SpanStatusCode.OK })
  root.end()
  return inside
}

function makeLogs(logger, inside) {
  logger.emit({ severityNumber: 17, severityText: 'Error', body: BODY, attributes: { ...ATTRIBUTES, map: { a: { b: 1 } } }, context: inside })
  logger.emit({ severityNumber: 9, body: 'plain text', eventName: 'order.placed' })
  logger.emit({ body: [1, 'two', null, { three: 3 }], timestamp: new Date(1_767_225_600_123) })
  logger.emit({ body: 1.25 })
}

async function send(firn, transport, compression) {
  const to = exporters(firn, transport, compression)
  const resource = resourceFromAttributes(RESOURCE)
  const spans = new BasicTracerProvider({ resource,
    spanProcessors: [remember(sent.spans), new BatchSpanProcessor(to.spans)] })
  const logs = new LoggerProvider({ resource,
    processors: [remember(sent.logs), new BatchLogRecordProcessor(to.logs)] })
  for (let i = 0; i < 5; ++i) {
    makeLogs(logs.getLogger(SCOPE.name, SCOPE.version), makeSpans(spans.getTracer(SCOPE.name, SCOPE.version)))
  }
  await Promise.all([spans.forceFlush(), logs.forceFlush()])
  await Promise.all([spans.shutdown(), logs.shutdown()])
}

// --- Comparing -----------------------------------------------------------------------------------

// Records of one request keep their order; requests may overtake each other.
const order = (a, b) => (a < b ? -1 : a > b ? 1 : 0)
const canonical = (value) => JSON.stringify(value, (_, inner) =>
  typeof inner === 'bigint' ? `${inner}` :
    inner && typeof inner === 'object' && !Array.isArray(inner) ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => order(a, b))) : inner)

async function compare(firn, where) {
  for (const [kind, list, expected] of [['span', sent.spans, expectedSpan], ['log', sent.logs, expectedLog]]) {
    const want = list.map((record) => canonical(expected(record))).sort(order)
    const got = (await firn.events(kind)).map((event) => canonical(returned(event))).sort(order)
    assert.equal(got.length, want.length, `${where}: number of events of kind ${kind}`)
    for (let i = 0; i < want.length; ++i) assert.deepEqual(JSON.parse(got[i]), JSON.parse(want[i]), `${where}: ${kind} ${i}`)
  }
  console.log(`ok ${where}: ${sent.spans.length} spans, ${sent.logs.length} logs`)
}

// -------------------------------------------------------------------------------------------------

const failures = []
process.on('warning', (warning) => failures.push(warning))
rmSync(work, { recursive: true, force: true })
const firn = new Firn(binary, join(work, 'data'))
await firn.start()
try {
  for (const transport of ['grpc', 'proto', 'http']) {
    for (const compression of [CompressionAlgorithm.NONE, CompressionAlgorithm.GZIP]) {
      await send(firn, transport, compression)
      await compare(firn, `${transport}, ${compression}`)
    }
  }
  await firn.kill()
  await firn.start()
  await compare(firn, 'after kill -9')
  await firn.command('chunks:flush')
  await compare(firn, 'from SQLite')
  await firn.command('chunks:move')
  await compare(firn, 'from Parquet')
  assert.deepEqual(failures, [])
} finally {
  await firn.kill()
}
rmSync(work, { recursive: true, force: true })
