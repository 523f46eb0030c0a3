// The real server as a child process, for tests written in JavaScript.

import { spawn } from 'node:child_process'
import { once } from 'node:events'

export class Firn {
  constructor(binary, directory) {
    this.binary = binary
    this.directory = directory
  }

  // Starts it on ports that the system chooses, or on `--listen` of the options, and waits until it serves.
  async start(...options) {
    const listen = options.includes('--listen') ? [] : ['--listen', '127.0.0.1:0']
    this.process = spawn(this.binary, ['serve', '--data-dir', this.directory, ...listen,
      '--otlp-http', '127.0.0.1:0', '--otlp-grpc', '127.0.0.1:0', ...options], { stdio: ['ignore', 'pipe', 'inherit'] })
    let text = ''
    this.process.stdout.on('data', (data) => { text += data })
    const found = () => text.match(/http:\/\/(\S+)\nlistening on http:\/\/(\S+)\nlistening for OTLP over gRPC on (\S+)\n/)
    for (let wait = 0; !found(); ++wait) {
      if (wait > 600 || this.process.exitCode !== null) throw new Error(`the server did not start: ${text}`)
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
    ;[, this.api, this.otlpHttp, this.otlpGrpc] = found()
    for (let wait = 0; ; ++wait) {
      const ready = await fetch(`http://${this.api}/readyz`)
      if (ready.ok) return
      if (wait > 600) throw new Error(`the server is not ready: ${await ready.text()}`)
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }

  async kill(signal = 'SIGKILL') {
    const ended = once(this.process, 'exit')
    this.process.kill(signal)
    await ended
  }

  async command(path) {
    const answer = await fetch(`http://${this.api}/api/v1/namespaces/default/${path}`, { method: 'POST' })
    if (!answer.ok) throw new Error(`${path}: ${await answer.text()}`)
    return answer.json()
  }

  // All items of a list that comes in pages. Integers that a number cannot hold come as text.
  async list(path, query, member) {
    const items = []
    for (let cursor = ''; cursor !== null;) {
      const behind = cursor ? `&cursor=${encodeURIComponent(cursor)}` : ''
      const answer = await fetch(`http://${this.api}/api/v1/namespaces/default/${path}?${query}${behind}`)
      const text = await answer.text()
      if (!answer.ok) throw new Error(text)
      const page = JSON.parse(text.replace(/:(-?\d{16,})([,}\]])/g, ':"$1"$2'))
      items.push(...page[member])
      cursor = page.next
    }
    return items
  }

  // All events of a kind, by position.
  events(kind) { return this.list('events', `kind=${kind}&limit=1000`, 'events') }
  series() { return this.list('metrics/series', 'limit=7', 'series') }
  // Without the series, which is the same for all.
  async points(series) {
    const points = await this.list('metrics/range', `series=${series}&limit=5`, 'points')
    return points.map(({ series: _, ...point }) => point)
  }

  // The rows of a statement.
  async sql(statement) {
    const answer = await fetch(`http://${this.api}/api/v1/namespaces/default/sql`, {
      method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ query: statement }) })
    if (!answer.ok) throw new Error(await answer.text())
    return (await answer.json()).rows
  }
}

// --- Comparing -----------------------------------------------------------------------------------

// RFC 3339 text as nanoseconds.
export const parseTime = (text) => {
  const [, seconds, fraction = ''] = text.match(/^(.*?)(?:\.(\d+))?Z$/)
  return BigInt(Date.parse(seconds + 'Z')) * 1_000_000n + BigInt(fraction.padEnd(9, '0'))
}

// Without members that are undefined or empty objects.
export const withoutEmpty = (object) => Object.fromEntries(Object.entries(object).filter(([, value]) =>
  value !== undefined && !(typeof value === 'object' && value !== null && Object.keys(value).length === 0)))

// Equal texts for equal values, whatever the order of their keys.
export const order = (a, b) => (a < b ? -1 : a > b ? 1 : 0)
export const canonical = (value) => JSON.stringify(value, (_, inner) =>
  typeof inner === 'bigint' ? `${inner}` :
    inner && typeof inner === 'object' && !Array.isArray(inner) ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => order(a, b))) : inner)
