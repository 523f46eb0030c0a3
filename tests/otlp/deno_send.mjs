// usage: OTEL_DENO=true ... deno run deno_send.mjs <file> [<file that lets it end>]
//
// Makes spans, logs and metrics with Deno's own OpenTelemetry, whose exporters share no code with the SDK's,
// and writes what they were to the file as JSON. Deno exports it at the end, metrics also meanwhile.

const [file, awaited] = Deno.args
const mayEnd = () => awaited === undefined || Deno.readTextFileSync(awaited) !== ''
const SCOPE = ['deno-test', '2.1']
const ATTRIBUTES = { text: 'a "quoted" text\n', unicode: 'h\u00e9llo \u{1F600}', empty: '', whole: 42, negative: -7, half: 1.5,
  tiny: 5e-324, great: 1e300, yes: true, no: false, texts: ['a', '', 'b c'], numbers: [1, 2.5, -3], flags: [true, false] }
const START = 1_767_225_600_123  // milliseconds
const SPAN_KIND = { internal: 0, server: 1, client: 2, producer: 3, consumer: 4 }
const STATUS = { ok: 1, error: 2 }

const sent = { spans: [], logs: [], metrics: [] }

// The span ends `milliseconds` after its start.
function note(span, parent, milliseconds, what) {
  const { traceId, spanId, traceFlags } = span.spanContext()
  span.end(what.start + milliseconds)
  sent.spans.push({ ...what, trace_id: traceId, span_id: spanId, trace_flags: traceFlags, parent: parent?.spanContext().spanId,
    milliseconds })
}

function log(method, text, span) {
  console[method](text)
  const { traceId, spanId } = span?.spanContext() ?? {}
  sent.logs.push({ method, text, trace_id: traceId, span_id: spanId })
}

function sendSpans(tracer) {
  tracer.startActiveSpan('GET /orders', { kind: SPAN_KIND.server, attributes: ATTRIBUTES, startTime: START }, (root) => {
    log('error', 'it broke', root)
    const link = { context: root.spanContext(), attributes: { why: 'cause', n: 1 } }
    tracer.startActiveSpan('query', { kind: SPAN_KIND.client, links: [link], startTime: START + 5 }, (child) => {
      child.addEvent('retry', { attempt: 2, slow: true }, START + 6)
      child.addEvent('again', START + 7)
      child.setStatus({ code: STATUS.error, message: 'no answer' })
      child.setAttribute('late', 'yes')
      log('info', 'h\u00e9llo \u{1F600} "quoted"', child)
      note(child, root, 3, { name: 'query', kind: 'client', start: START + 5, attributes: { late: 'yes' },
        status: { code: 'error', message: 'no answer' }, links: [{ trace_id: link.context.traceId, span_id: link.context.spanId,
          attributes: link.attributes }],
        events: [{ ms: START + 6, name: 'retry', attributes: { attempt: 2, slow: true } }, { ms: START + 7, name: 'again' }] })
    })
    root.setStatus({ code: STATUS.ok })
    note(root, undefined, 1500, { name: 'GET /orders', kind: 'server', start: START, attributes: ATTRIBUTES, status: { code: 'ok' } })
  })
  const alone = tracer.startSpan('', { kind: SPAN_KIND.consumer, root: true, startTime: START + 9 })
  note(alone, undefined, 0, { name: '', kind: 'consumer', start: START + 9, attributes: {} })
}

function sendMetrics(meter) {
  const metric = (name, type, more, points) => sent.metrics.push({ name, type, ...more, points })
  const requests = meter.createCounter('requests', { unit: '1', description: 'requests served' })
  requests.add(3, { path: '/a', code: 200 })
  requests.add(4.5, { path: '/a', code: 200 })
  requests.add(1, { path: '/b', ...ATTRIBUTES })
  metric('requests', 'sum', { unit: '1', description: 'requests served', monotonic: true },
    [{ labels: { path: '/a', code: 200 }, value: 7.5 }, { labels: { path: '/b', ...ATTRIBUTES }, value: 1 }])
  const open = meter.createUpDownCounter('open')
  open.add(3)
  open.add(-5)
  metric('open', 'sum', {}, [{ labels: {}, value: -2 }])
  const latency = meter.createHistogram('latency', { unit: 's', advice: { explicitBucketBoundaries: [0.1, 1, 10] } })
  for (const value of [0.0625, 0.5, 5, 50]) latency.record(value, { path: '/a' })
  metric('latency', 'histogram', { unit: 's' }, [{ labels: { path: '/a' }, value: 55.5625, count: 4, min: 0.0625, max: 50,
    bucket_counts: [1, 1, 1, 1], explicit_bounds: [0.1, 1, 10] }])
  const load = meter.createGauge('load')
  load.record(7)
  load.record(1 / 3)
  load.record(1e300, { kind: 'odd' })
  metric('load', 'gauge', {}, [{ labels: {}, value: 1 / 3 }, { labels: { kind: 'odd' }, value: 1e300 }])
  let observed = 0
  const wasObserved = new Promise((resolve) => {
    meter.createObservableGauge('temperature', { unit: 'Cel' }).addCallback((result) => {
      result.observe(21.5, { room: 'a' })
      result.observe(-0.25, { room: 'b', floor: 2 })
      // When it is asked again, what it said before is on its way; at its end Deno does not ask.
      if (mayEnd() && ++observed === 2) resolve()
    })
  })
  metric('temperature', 'gauge', { unit: 'Cel' }, [{ labels: { room: 'a' }, value: 21.5 }, { labels: { room: 'b', floor: 2 }, value: -0.25 }])
  return wasObserved
}

const { tracerProvider, meterProvider } = Deno.telemetry
sendSpans(tracerProvider.getTracer(...SCOPE))
const wasObserved = sendMetrics(meterProvider.getMeter(...SCOPE))
log('debug', '')
log('warn', 'outside of any span')
const awake = setInterval(() => {}, 1000)
await wasObserved
clearInterval(awake)
Deno.writeTextFileSync(file, JSON.stringify(sent))
