/** `/metrics` of a real service: what an operator sees of a stream that works, and of one that was cut. */
import { describe, expect, it } from 'vitest'
import { METRICS } from '../../src/observe/metric-table.ts'
import { openDatabase } from '../support/database.ts'
import { openService } from '../support/live-service.ts'
import { subscribeSse } from '../support/sse-client.ts'
import { openTcpProxy } from '../support/tcp-proxy.ts'
import { createWsClient } from '../support/ws-client.ts'

const SUBSCRIPTION = 'subscription ($after: Cursor) { tagChanged(after: $after) { action cursor } }'

async function scrape(url: string): Promise<Map<string, number>> {
  const response = await fetch(`${url}/metrics`)
  expect(response.status).toBe(200)
  const lines = (await response.text()).split('\n').filter((line) => line !== '' && !line.startsWith('#'))
  return new Map(
    lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ')))]),
  )
}

describe('the metrics of a service', () => {
  it('follow changes from the slot to the sockets', async () => {
    await using database = await openDatabase({ migrate: true })
    await using running = await openService(database)
    const { rowcast } = running.service
    await rowcast.ready()
    const after = await rowcast.changeCursor()
    await database.query(`INSERT INTO "Tag" (name) VALUES ('missed')`)
    // It has come before anybody subscribes: what comes later is no replay.
    const insertsOf = async () =>
      (await scrape(running.url)).get('rowcast_changes_total{model="Tag",action="INSERT"}')
    await expect.poll(insertsOf, { timeout: 30_000 }).toBe(1)
    const webSocket = createWsClient(running.url)
    const overSocket = webSocket.subscribe(SUBSCRIPTION, { after })
    await overSocket.nextData()
    const events = await subscribeSse(running.url, SUBSCRIPTION)
    await expect.poll(() => rowcast.status().subscriptions.get('Tag'), { timeout: 30_000 }).toBe(2)
    await database.query(`INSERT INTO "Tag" (name) VALUES ('live')`)
    await database.query(`UPDATE "Tag" SET name = 'renamed' WHERE name = 'live'`)
    for (const stream of [overSocket, events]) {
      await stream.nextData()
      await stream.nextData()
    }

    const metrics = await scrape(running.url)
    const of = (name: string) => metrics.get(name)
    expect(of('rowcast_ready')).toBe(1)
    expect(of('rowcast_source_state{state="streaming"}')).toBe(1)
    expect(of('rowcast_changes_total{model="Tag",action="INSERT"}')).toBe(2)
    expect(of('rowcast_changes_total{model="Tag",action="UPDATE"}')).toBe(1)
    expect(of('rowcast_deliveries_total{model="Tag",action="INSERT"}')).toBe(3)
    expect(of('rowcast_deliveries_total{model="Tag",action="UPDATE"}')).toBe(2)
    expect(of('rowcast_replayed_deliveries_total{model="Tag"}')).toBe(1)
    expect(of('rowcast_commit_to_socket_seconds_count')).toBe(4)
    // Without the one of the live page.
    expect(of('rowcast_subscriptions{model="Tag"}')).toBe(2)
    expect(of('rowcast_websockets')).toBe(1)
    expect(of('rowcast_event_streams')).toBe(1)
    expect(of('rowcast_slot_retained_bytes')).toBeGreaterThanOrEqual(0)
    expect(of('rowcast_reconnects_total')).toBe(0)
    // Each sample belongs to a row of the table.
    const families = Object.keys(METRICS)
    const strangers = [...metrics.keys()].filter(
      (line) => !families.includes((line.split('{')[0] ?? '').replace(/_(bucket|sum|count)$/, '')),
    )
    expect(strangers).toEqual([])
    await webSocket.close()
    events.unsubscribe()
  })

  it('count reconnections', async () => {
    await using database = await openDatabase({ migrate: true })
    await using proxy = await openTcpProxy(database.target.port)
    const databaseUrl = new URL(database.url)
    databaseUrl.port = String(proxy.port)
    await using running = await openService(database, { databaseUrl: databaseUrl.href })
    await running.service.rowcast.ready()
    proxy.cut()
    await expect
      .poll(async () => (await scrape(running.url)).get('rowcast_reconnects_total'), { timeout: 30_000 })
      .toBe(1)
    expect((await scrape(running.url)).get('rowcast_ready')).toBe(1)
  })
})
