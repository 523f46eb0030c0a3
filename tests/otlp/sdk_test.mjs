// usage: node sdk_test.mjs <directory of node_modules> <firn> <work directory>
//
// The official OpenTelemetry SDK sends logs, spans and metrics by each of its exporters, with and without
// gzip; what Firn returns is compared with what the SDK held, field by field: from memory, after a
// kill -9, from SQLite and from Parquet.

import assert from 'node:assert/strict'
import { rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { canonical, Firn, order, parseTime, withoutEmpty } from './firn.mjs'

const [modules, binary, work] = process.argv.slice(2)
const load = createRequire(join(modules, 'package.json'))
const { context, trace, SpanKind, SpanStatusCode, TraceFlags, ValueType, createTraceState } = load('@opentelemetry/api')
const { resourceFromAttributes } = load('@opentelemetry/resources')
const { BasicTracerProvider, BatchSpanProcessor } = load('@opentelemetry/sdk-trace-base')
const { LoggerProvider, BatchLogRecordProcessor } = load('@opentelemetry/sdk-logs')
const { AggregationTemporality, AggregationType, DataPointType, InstrumentType, MeterProvider,
  PeriodicExportingMetricReader } = load('@opentelemetry/sdk-metrics')
const { CompressionAlgorithm } = load('@opentelemetry/otlp-exporter-base')

const RESOURCE = { 'service.name': 'shop', 'service.instance.id': 'i-1', 'host.cores': 2, 'host.load': 0.5 }
const SCOPE = { name: 'sdk-test', version: '1.2.3' }
const ATTRIBUTES = {
  text: 'a "quoted" text\n', unicode: 'h\u00e9llo \u{1F600}', empty: '', int: 42, negative: -7, double: 1.5, tiny: 5e-324,
  yes: true, no: false, texts: ['a', 'b'], numbers: [1, 2, 3], mixed: [1.5, 2.5], nothing: [],
}
const BODY = { message: 'it broke', code: 7, nested: { deep: [1, 'two', { three: 3.5 }] }, none: null }

const nanos = ([seconds, rest]) => BigInt(seconds) * 1_000_000_000n + BigInt(rest)

// --- What Firn should return ---------------------------------------------------------------------

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

// Every point that an exporter was given, with what its series is.
function expectedPoints({ resource, scopeMetrics }) {
  return scopeMetrics.flatMap(({ scope, metrics }) => metrics.flatMap((metric) => metric.dataPoints.map((point) => ({
    series: withoutEmpty({
      name: metric.descriptor.name, type: TYPES[metric.dataPointType], unit: metric.descriptor.unit || undefined,
      description: metric.descriptor.description || undefined,
      temporality: metric.dataPointType === DataPointType.GAUGE ? undefined
        : metric.aggregationTemporality === AggregationTemporality.DELTA ? 'delta' : 'cumulative',
      monotonic: metric.isMonotonic || undefined, labels: point.attributes,
      context: { resource: { attributes: resource.attributes }, scope: withoutEmpty({ name: scope.name, version: scope.version }) } }),
    point: withoutEmpty({ time: nanos(point.endTime), start_time: nanos(point.startTime), ...expectedValue(metric, point.value) }),
  }))))
}
const TYPES = { [DataPointType.GAUGE]: 'gauge', [DataPointType.SUM]: 'sum', [DataPointType.HISTOGRAM]: 'histogram',
  [DataPointType.EXPONENTIAL_HISTOGRAM]: 'exponential_histogram' }
function expectedValue(metric, value) {
  if (metric.dataPointType === DataPointType.HISTOGRAM) {
    return { value: value.sum, data: withoutEmpty({ count: value.count, min: value.min, max: value.max,
      bucket_counts: value.buckets.counts, explicit_bounds: value.buckets.boundaries }) }
  }
  if (metric.dataPointType === DataPointType.EXPONENTIAL_HISTOGRAM) {
    const buckets = ({ offset, bucketCounts }) => withoutEmpty({ offset, bucket_counts: bucketCounts })
    return { value: value.sum, data: withoutEmpty({ count: value.count, min: value.min, max: value.max, scale: value.scale,
      zero_count: value.zeroCount, positive: buckets(value.positive), negative: buckets(value.negative) }) }
  }
  const isGreat = metric.descriptor.valueType === ValueType.INT && String(value).length >= 16  // see Firn.list()
  return { value: Number.isFinite(value) && !isGreat ? value : String(value) }
}

// What was returned, in the same form.
function returned({ position, id, parent_id, time, observed_time, ...rest }) {
  assert.ok(position > 0 && id.length === 36)
  return withoutEmpty({
    ...rest, time: parseTime(time), observed_time: observed_time && parseTime(observed_time),
    parent: parent_id?.replaceAll('-', '').slice(16) })
}

// --- Sending -------------------------------------------------------------------------------------

const sent = { spans: [], logs: [], points: [] }
const remember = (list) => ({ onStart() {}, onEmit: (record) => list.push(record), onEnd: (span) => list.push(span),
  forceFlush: async () => {}, shutdown: async () => {} })

function exporters(firn, transport, compression) {
  const options = { compression, timeoutMillis: 30_000 }
  const one = (signal, path, more = {}) => {
    const Exporter = Object.values(load(`@opentelemetry/exporter-${signal}-otlp-${transport}`))
      .find((value) => /^OTLP\w+Exporter$/.test(value.name))
    return new Exporter({ ...options, ...more, url: transport === 'grpc' ? `http://${firn.otlpGrpc}` : `http://${firn.otlpHttp}${path}` })
  }
  const metrics = (temporalityPreference) => one('metrics', '/v1/metrics', { temporalityPreference })
  return { spans: one('trace', '/v1/traces'), logs: one('logs', '/v1/logs'),
    metrics: [metrics(AggregationTemporality.CUMULATIVE), metrics(AggregationTemporality.DELTA)] }
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

// Notes what it exports.
function noting(exporter) {
  const original = exporter.export.bind(exporter)
  exporter.export = (metrics, done) => {
    sent.points.push(...expectedPoints(metrics))
    original(metrics, done)
  }
  return exporter
}

// All instruments, recorded twice, with a collection behind each.
async function sendMetrics(exporters, resource) {
  for (const exporter of exporters) {
    const reader = new PeriodicExportingMetricReader({ exporter: noting(exporter), exportIntervalMillis: 3_600_000 })
    const provider = new MeterProvider({ resource, readers: [reader], views: [{ instrumentName: 'sizes',
      aggregation: { type: AggregationType.EXPONENTIAL_HISTOGRAM } }] })
    const meter = provider.getMeter(SCOPE.name, SCOPE.version)
    const requests = meter.createCounter('requests', { unit: '1', description: 'requests served', valueType: ValueType.INT })
    const open = meter.createUpDownCounter('open', { valueType: ValueType.INT })
    const latency = meter.createHistogram('latency', { unit: 's', advice: { explicitBucketBoundaries: [0.1, 1, 10] } })
    const sizes = meter.createHistogram('sizes', { unit: 'By' })
    const load = meter.createGauge('load')
    meter.createObservableGauge('temperature', { unit: 'Cel' }).addCallback((result) => {
      result.observe(21.5, { room: 'a' })
      result.observe(-0.25, { room: 'b', floor: 2 })
    })
    for (let round = 1; round <= 2; ++round) {
      requests.add(round, { path: '/a', code: 200 })
      requests.add(9_007_199_254_740_991 - round, { path: '/b', ...ATTRIBUTES })
      open.add(round === 1 ? 3 : -5)
      for (const value of [0.05, 0.5, 5, 50]) latency.record(value * round, { path: '/a' })
      for (const value of [0, 1, 1000, 123456]) sizes.record(value * round)
      load.record(round / 3)
      load.record(round === 1 ? 1e300 : 5e-324, { kind: 'odd' })
      await provider.forceFlush()
    }
    await provider.shutdown()
  }
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
  await Promise.all([spans.forceFlush(), logs.forceFlush(), sendMetrics(to.metrics, resource)])
  await Promise.all([spans.shutdown(), logs.shutdown()])
}

// --- Comparing -----------------------------------------------------------------------------------

// Records of one request keep their order; requests may overtake each other.
async function compare(firn, where) {
  for (const [kind, list, expected] of [['span', sent.spans, expectedSpan], ['log', sent.logs, expectedLog]]) {
    const want = list.map((record) => canonical(expected(record))).sort(order)
    const got = (await firn.events(kind)).map((event) => canonical(returned(event))).sort(order)
    assert.equal(got.length, want.length, `${where}: number of events of kind ${kind}`)
    for (let i = 0; i < want.length; ++i) assert.deepEqual(JSON.parse(got[i]), JSON.parse(want[i]), `${where}: ${kind} ${i}`)
  }
  await compareMetrics(firn, where)
  const [[rows, spans]] = await firn.sql(
    'SELECT (SELECT count(*) FROM samples), (SELECT count(*) FROM spans WHERE start_time IS NOT NULL)')
  assert.deepEqual([Number(rows), Number(spans)], [sent.points.length, sent.spans.length], `${where}: SQL`)
  console.log(`ok ${where}: ${sent.spans.length} spans, ${sent.logs.length} logs, ${sent.points.length} points`)
}

async function compareMetrics(firn, where) {
  const want = new Map()
  for (const { series, point } of sent.points) {
    const key = canonical(series)
    want.set(key, [...(want.get(key) ?? []), canonical(point)])
  }
  const found = await firn.series()
  assert.equal(found.length, want.size, `${where}: number of series`)
  for (const { series, ...definition } of found) {
    const expected = want.get(canonical(withoutEmpty(definition)))
    assert.ok(expected, `${where}: a series that was not sent: ${canonical(definition)}`)
    const points = (await firn.points(series)).map(({ time, start_time, ...rest }) => canonical(withoutEmpty({
      time: parseTime(time), start_time: start_time && parseTime(start_time), ...rest })))
    assert.deepEqual(points.sort(order), expected.sort(order), `${where}: points of ${definition.name}`)
  }
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
