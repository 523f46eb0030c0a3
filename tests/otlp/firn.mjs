// The real server as a child process, for tests written in JavaScript.

import { spawn } from 'node:child_process'
import { once } from 'node:events'

export class Firn {
  constructor(binary, directory) {
    this.binary = binary
    this.directory = directory
  }

  // Starts it on ports that the system chooses, and waits until it serves.
  async start() {
    this.process = spawn(this.binary, ['serve', '--data-dir', this.directory, '--listen', '127.0.0.1:0',
      '--otlp-http', '127.0.0.1:0', '--otlp-grpc', '127.0.0.1:0'], { stdio: ['ignore', 'pipe', 'inherit'] })
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

  // All events of a kind, by position. Integers that a number cannot hold come as text.
  async events(kind) {
    const events = []
    for (let cursor = ''; cursor !== null;) {
      const query = `kind=${kind}&limit=1000` + (cursor ? `&cursor=${encodeURIComponent(cursor)}` : '')
      const answer = await fetch(`http://${this.api}/api/v1/namespaces/default/events?${query}`)
      const text = await answer.text()
      if (!answer.ok) throw new Error(text)
      const page = JSON.parse(text.replace(/:(-?\d{16,})([,}\]])/g, ':"$1"$2'))
      events.push(...page.events)
      cursor = page.next
    }
    return events
  }
}
