/** A server on a free port over the tick schema, gone at the end of the test. */
import { onTestFinished, vi } from 'vitest'
import type { LogFields, Logger } from '../../src/logger.ts'
import { createServer, type RowcastServer, type ServerOptions } from '../../src/server/create-server.ts'
import { buildTickSchema, createTickSource, type TickSource } from './tick-schema.ts'

/** What a test holds of its server. */
export interface ServerFixture {
  readonly url: string
  readonly server: RowcastServer
  readonly source: TickSource
  /** Every line that was logged, with its fields, as JSON. */
  readonly logged: string[]
}

/** Starts one. */
export async function startServer(
  options: Partial<ServerOptions> = {},
  source: TickSource = createTickSource(),
): Promise<ServerFixture> {
  const logged: string[] = []
  const log =
    (level: string) =>
    (message: string, fields: LogFields = {}): void => {
      logged.push(JSON.stringify({ level, message, ...fields }))
    }
  const logger: Logger = { debug: log('debug'), info: log('info'), warn: log('warn'), error: log('error') }
  const server = createServer({
    schema: buildTickSchema(source),
    logger,
    port: 0,
    health: () => ({ isReady: true, details: { replication: 'streaming' } }),
    ...options,
  })
  const { url } = await server.listen()
  onTestFinished(() => server.close())
  return { url, server, source, logged }
}

/** Resolves when nobody takes from the source any more, as who does not read has as much unread as may be. */
export async function untilStill(source: TickSource): Promise<void> {
  let before = -1
  await vi.waitUntil(
    () => {
      const isStill = source.pulled > 0 && source.pulled === before
      before = source.pulled
      return isStill
    },
    { interval: 300 },
  )
}

/** Sends a query or mutation over plain HTTP. */
export async function postGraphql(
  url: string,
  query: string,
  variables: Record<string, unknown> = {},
): Promise<{ readonly status: number; readonly body: Record<string, unknown> }> {
  const response = await fetch(`${url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'application/json' },
    body: JSON.stringify({ query, variables }),
  })
  return { status: response.status, body: (await response.json()) as Record<string, unknown> }
}
