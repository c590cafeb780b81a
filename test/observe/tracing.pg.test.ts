/** The spans of a service that an application traces. */
import { trace } from '@opentelemetry/api'
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-base'
import { expect, it, onTestFinished } from 'vitest'
import { openDatabase } from '../support/database.ts'
import { openService } from '../support/live-service.ts'
import { createWsClient } from '../support/ws-client.ts'

it('a service traces transactions, subscriptions and deliveries', async () => {
  const exporter = new InMemorySpanExporter()
  trace.setGlobalTracerProvider(
    new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] }),
  )
  onTestFinished(() => trace.disable())
  await using database = await openDatabase({ migrate: true })
  await using running = await openService(database, { config: { livePage: false } })
  const { rowcast } = running.service
  await rowcast.ready()
  const client = createWsClient(running.url)
  const changes = client.subscribe('subscription { tagChanged { cursor } }')
  await expect.poll(() => rowcast.status().subscriptions.get('Tag'), { timeout: 30_000 }).toBe(1)
  await database.query(`INSERT INTO "Tag" (name) VALUES ('one'), ('two')`)
  await changes.nextData()
  await changes.nextData()
  await client.close()
  const names = () => exporter.getFinishedSpans().map(({ name }) => name)
  await expect.poll(names, { timeout: 30_000 }).toContain('rowcast subscription')
  const of = (name: string) => exporter.getFinishedSpans().find((span) => span.name === name)?.attributes
  expect(of('rowcast publish')).toMatchObject({ 'rowcast.transaction.changes': 2 })
  expect(of('rowcast deliver')).toMatchObject({ 'rowcast.deliveries': 2 })
  expect(of('rowcast subscription')).toEqual({ 'rowcast.model': 'Tag' })
})
