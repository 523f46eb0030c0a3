// What EventoDB's contract says of the process itself: its flags and variables, its plain routes,
// and the commands that export and import.

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { EventoClient, EventoServer, freePort, token } from './client.mjs'

const message = { type: 'T', data: {} }

// Runs a program to its end.
async function run(binary, flags, { input = '', environment = {} } = {}) {
  const child = spawn(binary, flags, { env: { ...process.env, ...environment } })
  const result = { out: '', err: '' }
  child.stdout.on('data', (text) => { result.out += text })
  child.stderr.on('data', (text) => { result.err += text })
  child.stdin.on('error', () => {})  // it may end without reading
  child.stdin.end(input)
  const [code] = await once(child, 'close')
  return { code, ...result }
}

async function statusOf(url, options) {
  const answer = await fetch(url, options)
  const body = await answer.text()
  return [answer.status, JSON.parse(body).error?.code]
}

// Every form of a flag is taken, and the word before them may be left out.
export async function takesFlags(binary, directory) {
  const server = new EventoServer(binary), secret = token('default')
  for (const word of [[], ['serve']]) {
    for (const form of [(name, value) => [`-${name}`, value], (name, value) => [`-${name}=${value}`],
      (name, value) => [`--${name}`, value], (name, value) => [`--${name}=${value}`]]) {
      await server.start(...word, ...form('port', `${await freePort()}`), ...form('token', secret),
        ...form('db-url', 'sqlite://events'), ...form('data-dir', directory), ...form('log-level', 'warn'),
        ...form('log-format', 'json'), ...form('db-type', 'timescale'), '-test-mode=false')
      await new EventoClient(server.url, secret).write('flags-1', message)
      await server.stop()
    }
  }
  await server.start(`--port=${await freePort()}`, '-token', secret, `-db-url=pebble://${directory}`)
  assert.equal(await new EventoClient(server.url, secret).rpc('stream.version', 'flags-1'), 7)
  await server.stop()
  for (const url of ['sqlite://:memory:', 'pebble://memory']) {
    await server.start(`--port=${await freePort()}`, '-token', secret, '-db-url', url, '-data-dir', directory)
    assert.equal(await new EventoClient(server.url, secret).rpc('stream.version', 'flags-1'), null)
    await server.stop()
  }
}

export async function takesVariables(binary, directory) {
  const secret = token('default'), port = await freePort()
  const environment = { EVENTODB_PORT: `${port}`, EVENTODB_TOKEN: secret, EVENTODB_DB_URL: 'sqlite://events',
    EVENTODB_DATA_DIR: directory, EVENTODB_LOG_FORMAT: 'json', EVENTODB_DB_TYPE: '' }
  const server = new EventoServer(binary, environment)
  await server.start('-log-level=warn')
  assert.equal(server.port, `${port}`)
  const client = new EventoClient(server.url, secret)
  await client.write('variables-1', message)
  await assert.rejects(new EventoClient(server.url).rpc('sys.version'), (error) => error.code === 'AUTH_REQUIRED')
  await server.stop()
  // Flags win.
  const other = token('default', 'b')
  await server.start(`--port=${await freePort()}`, '-token', other)
  assert.equal(await new EventoClient(server.url, other).rpc('stream.version', 'variables-1'), 0)
  await server.stop()
  for (const yes of ['true', '1']) {
    const tester = new EventoServer(binary, { EVENTODB_TEST_MODE: yes })
    await tester.start(`--port=${await freePort()}`)
    assert.equal(await new EventoClient(tester.url).rpc('stream.version', 'variables-1'), null)
    await tester.stop()
  }
  const strict = new EventoServer(binary, { ...environment, EVENTODB_TEST_MODE: 'true' })
  await strict.start(`--port=${await freePort()}`, '--test-mode=false')
  await assert.rejects(new EventoClient(strict.url).rpc('sys.version'), (error) => error.code === 'AUTH_REQUIRED')
  await strict.stop()
}

// What cannot be served ends the process, with a reason.
export async function refusesSettings(binary, directory) {
  const port = ['-port', `${await freePort()}`], data = ['-db-url', 'sqlite://events', '-data-dir', directory]
  for (const [flags, reason] of [
    [port, /db-url/], [[...port, '-db-url', 'sqlite://events'], /data-dir/],
    [[...port, '-db-url', 'postgres://localhost/events'], /postgres/], [[...port, '-db-url', 'redis://x', '-data-dir', directory], /redis/],
    [['-port', 'x', ...data], /port/], [['-port', '70000', ...data], /port/], [[...port, ...data, '-nothing'], /nothing/],
    [[...port, ...data, '-token'], /token/], [[...port, ...data, '-test-mode=perhaps'], /test-mode/],
    [[...port, ...data, '-token', 'ns_x'], /token/], [[...port, ...data, '-token', token('other')], /other/]]) {
    const { code, err } = await run(binary, flags)
    assert.notEqual(code, 0, flags.join(' '))
    assert.match(err, reason, flags.join(' '))
  }
}

export async function answersPlainRoutes(binary) {
  const server = new EventoServer(binary), secret = token('default')
  await server.start(`--port=${await freePort()}`, '-token', secret, '-db-url', 'sqlite://:memory:')
  const { url } = server
  assert.equal((await (await fetch(`${url}/health`)).json()).status, 'ok')
  assert.equal(await (await fetch(`${url}/version`)).text(), '{"version":"0.7.0"}\n')
  for (const route of ['health', 'version']) {
    for (const method of ['HEAD', 'POST', 'DELETE', 'PATCH']) {
      assert.equal((await fetch(`${url}/${route}`, { method })).status, 200, method)
    }
  }
  for (const path of ['/', '/nothing', '/debug/pprof/', '/api/v1/namespaces']) {
    const answer = await fetch(url + path)
    assert.equal(answer.status, 404, path)
    assert.deepEqual(await answer.json(), { error: { code: 'NOT_FOUND', message: 'Endpoint not found' } })
  }
  assert.deepEqual(await statusOf(`${url}/rpc`), [401, 'AUTH_REQUIRED'])
  assert.deepEqual(await statusOf(`${url}/rpc?token=${secret}`), [405, 'INVALID_REQUEST'])
  assert.deepEqual(await statusOf(`${url}/rpc?token=${secret}`, { method: 'PUT', body: '[]' }), [405, 'INVALID_REQUEST'])
  assert.deepEqual(await statusOf(`${url}/rpc?token=${secret}`, { method: 'PATCH', body: '[]' }), [405, 'INVALID_REQUEST'])
  assert.deepEqual(await statusOf(`${url}/rpc?token=${secret}`, { method: 'POST', body: 'x'.repeat(21 << 20) }), [413, 'INVALID_REQUEST'])
  const answer = await fetch(`${url}/rpc?token=${secret}`, { method: 'POST', body: '["sys.version"]' })
  assert.match(answer.headers.get('content-type'), /^application\/json/)
  assert.equal(answer.headers.get('access-control-allow-origin'), null)
  await server.stop()
}

// The commands of the same names, against a server with tokens.
export async function exportsAndImports(binary, directory) {
  const server = new EventoServer(binary), admin = token('default'), secret = token('shop')
  await server.start(`--port=${await freePort()}`, '-token', admin, '-db-url', 'sqlite://:memory:')
  await new EventoClient(server.url, admin).rpc('ns.create', 'shop', { token: secret })
  const client = new EventoClient(server.url, secret), at = ['--url', server.url, '--token', secret]
  const record = (stream, pos, time) => JSON.stringify({ stream, type: 'T', pos, gpos: 1, data: { pos }, meta: null, time })
  await client.import([record('a-1', 0, '2026-01-01T00:00:00Z'), record('b-1', 0, '2026-01-02T00:00:00Z'),
    record('a-1', 1, '2026-01-03T00:00:00.000000001Z')].join('\n'))
  const lines = await client.export()
  const file = join(directory, 'all.ndjson'), packed = join(directory, 'all.gz')
  assert.equal((await run(binary, ['export', ...at])).out, lines)
  assert.deepEqual((await run(binary, ['export', ...at, '--output', file])).code, 0)
  assert.equal(readFileSync(file, 'utf8'), lines)
  assert.deepEqual((await run(binary, ['export', ...at, '--gzip', '--output', packed])).code, 0)
  assert.equal(gunzipSync(readFileSync(packed)).toString(), lines)
  const some = async (...flags) => (await run(binary, ['export', ...at, ...flags])).out.trim().split('\n')
    .map((line) => { const { stream, pos } = JSON.parse(line); return `${stream}/${pos}` })
  assert.deepEqual(await some('--categories', 'a'), ['a-1/0', 'a-1/1'])
  assert.deepEqual(await some('--categories', 'b,none'), ['b-1/0'])
  assert.deepEqual(await some('--since', '2026-01-02', '--until', '2026-01-03T00:00:00Z'), ['b-1/0'])
  assert.deepEqual(await some('--since', '2026-01-03'), ['a-1/1'])
  // Nothing is removed unless somebody agrees, and the question names the token's namespace.
  await client.write('a-1', message)
  const changed = await client.export()
  for (const input of ['', '\n', 'n\n']) {
    const { code, err } = await run(binary, ['import', ...at, '--input', file, '--force'], { input })
    assert.notEqual(code, 0)
    assert.match(err, /namespace 'shop'.*\[y\/N\]/)
    assert.equal(await client.export(), changed)
  }
  assert.equal((await run(binary, ['import', ...at, '--input', packed, '--gzip', '--force'], { input: 'y\n' })).code, 0)
  assert.equal(await client.export(), lines)
  for (const flags of [['import', ...at, '--input', file], ['import', '--url', server.url, '--input', file],
    ['export', '--url', server.url, '--token', token('shop', 'b')]]) {
    const { code, out, err } = await run(binary, flags)
    assert.deepEqual([code, out], [1, ''], flags.join(' '))
    assert.notEqual(err, '')
  }
  await server.stop()
}
