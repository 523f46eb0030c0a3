// usage: node client_test.mjs <prometheus|vmagent> <firn> <work directory>
//
// Prometheus in agent mode, or vmagent, scrapes an endpoint of the test's own whose values differ from scrape to
// scrape, and sends them by remote write. The server is killed in between. Afterwards every sample of every scrape
// is there, and so are the staleness markers of a series that went away.

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { Firn } from '../otlp/firn.mjs'

const [client, binary, work] = process.argv.slice(2)
const SCRAPES = 9, KILL_BEHIND = 3, GONE_BEHIND = 6, SERIES = 50
const LABEL = 'h\u00e9llo "quoted" \\ back\nline'
const escaped = LABEL.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms))

// What the endpoint says at its n-th scrape: the value of each series.
function exposed(n) {
  const series = new Map([['probe_scrapes_total', n], ['probe_infinite', n % 2 ? '+Inf' : '-Inf'], ['probe_nan', 'NaN'],
    [`probe_odd{text="${escaped}"}`, n + 0.125], ['probe_seconds_bucket{le="0.5"}', n], ['probe_seconds_bucket{le="+Inf"}', 3 * n],
    ['probe_seconds_sum', n / 8], ['probe_seconds_count', 3 * n]])
  for (let i = 0; i < SERIES; ++i) series.set(`probe_value{shard="${i}"}`, n * 1000 + i + 0.25)
  if (n <= GONE_BEHIND) series.set('probe_gone', -n)
  return series
}
const text = (n) => '# HELP probe_scrapes_total How often.\n# TYPE probe_scrapes_total counter\n' +
  '# TYPE probe_seconds histogram\n' + [...exposed(n)].map(([name, value]) => `${name} ${value}\n`).join('')

// --- The endpoint --------------------------------------------------------------------------------

let scrapes = 0
const endpoint = createServer((request, response) => {
  if (scrapes === SCRAPES) return response.writeHead(503).end()
  scrapes += 1
  response.writeHead(200, { 'content-type': 'text/plain; version=0.0.4' }).end(text(scrapes))
})
endpoint.listen(0, '127.0.0.1')
await once(endpoint, 'listening')
const target = `127.0.0.1:${endpoint.address().port}`
async function scraped(n) {
  for (let wait = 0; scrapes < n; ++wait) {
    assert.ok(wait < 1200, `after ${scrapes} scrapes the next did not come`)
    await sleep(50)
  }
}

// --- The client ----------------------------------------------------------------------------------

function startClient(url) {
  const config = join(work, 'config.yml')
  const scrape = 'global: {scrape_interval: 1s, scrape_timeout: 1s}\n' +
    `scrape_configs:\n  - {job_name: probe, static_configs: [{targets: ["${target}"]}]}\n`
  const of = {
    prometheus: {
      config: scrape + `remote_write:\n  - url: ${url}\n    metadata_config: {send: true, send_interval: 1s}\n` +
        '    queue_config: {batch_send_deadline: 200ms, max_backoff: 500ms}\n',
      options: ['--enable-feature=agent', `--config.file=${config}`, `--storage.agent.path=${join(work, 'agent')}`,
        '--web.listen-address=127.0.0.1:0', '--log.level=warn'],
    },
    vmagent: {
      config: scrape,
      options: [`-promscrape.config=${config}`, `-remoteWrite.url=${url}`, `-remoteWrite.tmpDataPath=${join(work, 'agent')}`,
        '-httpListenAddr=', '-remoteWrite.flushInterval=200ms', '-loggerLevel=WARN'],
    },
  }[client]
  writeFileSync(config, of.config)
  return spawn(client, of.options, { stdio: ['ignore', 'ignore', 'inherit'] })
}

// --- The test ------------------------------------------------------------------------------------

rmSync(work, { recursive: true, force: true })
mkdirSync(work, { recursive: true })
const firn = new Firn(binary, join(work, 'data'))
await firn.start()
const sender = startClient(`http://${firn.api}/api/v1/write`)

const named = ({ name, labels }) => {
  const inner = Object.entries(labels ?? {}).filter(([key]) => key !== 'job' && key !== 'instance')
    .map(([key, value]) => `${key}="${value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')}"`)
  return inner.length === 0 ? name : `${name}{${inner.join(',')}}`
}
// Stored points by series, without those that Prometheus itself adds (up, scrape_...).
async function stored() {
  const points = new Map()
  for (const series of await firn.list('metrics/series', 'limit=1000', 'series')) {
    if (!series.name.startsWith('probe_') || series.type === 'metadata') continue
    assert.equal(series.labels.job, 'probe')
    assert.equal(series.labels.instance, target)
    points.set(named(series), await firn.list('metrics/range', `series=${series.series}&limit=1000`, 'points'))
  }
  return points
}

try {
  await scraped(KILL_BEHIND)
  const { api } = firn
  await firn.kill()
  await sleep(700)  // the client fails to send
  await firn.start('--listen', api)
  await scraped(SCRAPES)
  let points
  for (let wait = 0; ; ++wait) {  // until the staleness markers behind the last scrape have come, in several requests
    assert.ok(wait < 600, 'the last scrape did not arrive')
    points = await stored()
    if (points.size === exposed(1).size && [...points.values()].every((list) => list.at(-1).flags === 1)) break
    await sleep(100)
  }

  const expected = new Map()
  for (let n = 1; n <= SCRAPES; ++n) {
    for (const [name, value] of exposed(n)) expected.set(name, [...(expected.get(name) ?? []), value])
  }
  const as = { '+Inf': 'Infinity', '-Inf': '-Infinity', NaN: 'NaN' }
  assert.deepEqual([...points.keys()].sort(), [...expected.keys()].sort())
  let samples = 0
  for (const [name, values] of expected) {
    const got = points.get(name)
    const kept = got.filter((point) => point.flags === undefined).map((point) => point.value)
    assert.deepEqual(kept, values.map((value) => as[value] ?? value), name)
    assert.ok(got.at(-1).flags === 1, `${name} has no staleness marker at its end`)
    samples += kept.length
  }
  assert.equal(points.get('probe_gone').length, GONE_BEHIND + 1)
  if (client === 'prometheus') {
    const told = await firn.sql("SELECT name, description FROM series WHERE type = 'metadata' AND name = 'probe_scrapes_total'")
    assert.deepEqual(told[0], ['probe_scrapes_total', 'How often.'])
  }
  console.log(`${client}: ${SCRAPES} scrapes, ${expected.size} series, all ${samples} samples are there`)
} finally {
  sender.kill('SIGTERM')
  endpoint.closeAllConnections()
  endpoint.close()
  if (firn.process.exitCode === null) await firn.kill('SIGTERM')
  if (sender.exitCode === null) await once(sender, 'exit')
}
