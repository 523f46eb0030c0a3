// Deno, where scripts/setup put it, and how it is told where to send.

import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const denoProgram = (modules) => join(modules, 'node_modules', '@deno', 'linux-x64-glibc', 'deno')
export const denoArguments = (...more) => ['run', '--no-remote', '--no-npm', '--no-config', '-A',
  join(dirname(fileURLToPath(import.meta.url)), 'deno_send.mjs'), ...more]
export const DENO_PROTOCOLS = ['grpc', 'http/protobuf', 'http/json']

export const denoEnvironment = (firn, protocol, cache) => ({
  PATH: process.env.PATH, DENO_DIR: cache, DENO_NO_UPDATE_CHECK: '1', OTEL_DENO: 'true', OTEL_DENO_CONSOLE: 'replace',
  OTEL_EXPORTER_OTLP_PROTOCOL: protocol, OTEL_METRIC_EXPORT_INTERVAL: '200', OTEL_SERVICE_NAME: 'shop',
  OTEL_RESOURCE_ATTRIBUTES: `service.instance.id=${protocol},team=green`,
  OTEL_EXPORTER_OTLP_ENDPOINT: `http://${protocol === 'grpc' ? firn.otlpGrpc : firn.otlpHttp}` })
