// A client of EventoDB's protocol, written from its contract alone, and the server in EventoDB's
// place as a child process.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'

export const token = (namespace, digit = 'a') =>
  `ns_${Buffer.from(namespace).toString('base64url')}_${digit.repeat(64)}`

export async function freePort() {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address()
  server.close()
  await once(server, 'close')
  return port
}

export class EventoServer {
  constructor(binary, environment = {}) {
    this.binary = binary
    this.environment = environment
  }

  async start(...flags) {
    this.process = spawn(this.binary, flags, { stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...this.environment } })
    this.printed = this.logged = ''
    this.process.stdout.on('data', (text) => { this.printed += text })
    this.process.stderr.on('data', (text) => { this.logged += text; process.stderr.write(text) })
    this.port = flags.join(' ').match(/-port[= ](\d+)/)?.[1] ?? this.environment.EVENTODB_PORT
    this.url = `http://localhost:${this.port}`
    for (let wait = 0; ; ++wait) {
      const health = await fetch(`${this.url}/health`).catch(() => undefined)
      if (health?.ok) return
      if (wait > 600 || this.process.exitCode !== null) throw new Error('the server did not start')
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }

  // Returns the exit code and how many milliseconds it took.
  async stop(signal = 'SIGTERM') {
    const began = performance.now()
    const ended = once(this.process, 'exit')
    this.process.kill(signal)
    const [code] = await ended
    return { code, milliseconds: performance.now() - began }
  }
}

export class EventoError extends Error {
  constructor(status, error) {
    super(`${status} ${error.code}: ${error.message}`)
    Object.assign(this, { status, code: error.code, details: error.details })
  }
}

export class EventoClient {
  constructor(url, token) {
    this.url = url
    this.headers = token === undefined ? {} : { Authorization: `Bearer ${token}` }
  }

  async rpc(...call) {
    const answer = await fetch(`${this.url}/rpc`, { method: 'POST', headers: this.headers, body: JSON.stringify(call) })
    const body = JSON.parse(await answer.text())
    if (!answer.ok) throw new EventoError(answer.status, body.error)
    return body
  }

  write(stream, message, options) {
    return options === undefined ? this.rpc('stream.write', stream, message)
      : this.rpc('stream.write', stream, message, options)
  }

  async import(lines, query = '') {
    const answer = await fetch(`${this.url}/import${query}`, { method: 'POST', headers: this.headers, body: lines, duplex: 'half' })
    return (await answer.text()).split('\n\n').filter((part) => part.startsWith('data: '))
      .map((part) => JSON.parse(part.slice(6)))
  }

  async export(query = '') {
    const answer = await fetch(`${this.url}/export${query}`, { headers: this.headers })
    return answer.text()
  }

  // Calls `poke` for each; resolves when the server is ready. The result ends it.
  async subscribe(query, poke) {
    const stop = new AbortController()
    const answer = await fetch(`${this.url}/subscribe?${query}`, { headers: this.headers, signal: stop.signal })
    if (!answer.ok) throw new EventoError(answer.status, { message: await answer.text() })
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader()
    let text = ''
    const ready = new Promise((resolve, reject) => {
      const read = async () => {
        for (;;) {
          const { done, value } = await reader.read()
          if (done) return
          text += value
          for (let end; (end = text.indexOf('\n\n')) !== -1; text = text.slice(end + 2)) {
            const lines = text.slice(0, end).split('\n')
            if (lines[0] === ': ready') resolve()
            const data = lines.find((line) => line.startsWith('data: '))
            if (lines.includes('event: poke')) poke(JSON.parse(data.slice(6)))
          }
        }
      }
      read().catch((error) => (stop.signal.aborted ? undefined : reject(error)))
    })
    await ready
    return () => stop.abort()
  }
}
