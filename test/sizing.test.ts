/** docs/scaling.md: each number of the sizing table follows from the figures that the page names. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'

const page = readFileSync(join(import.meta.dirname, '../docs/scaling.md'), 'utf8')

/** The number that the page gives at a place of its words. */
function figure(words: RegExp): number {
  const [, text] = words.exec(page.replaceAll('\n', ' ')) ?? []
  if (text === undefined) throw new Error(`docs/scaling.md does not say ${words}.`)
  return Number(text.replaceAll(',', ''))
}

const changesPerSecond = figure(/for a stream of ([\d,]+) single-row updates a second/)
const subscribersMax = figure(/A gateway holds ([\d,]+) subscribers/)
const deliveryMicros = figure(/subscribers × deliveries\/s × ([\d.]+) µs/)
const changeMicros = figure(/deliveries\/s × [\d.]+ µs \+ [\d,]+ × ([\d.]+) µs/)
const gatewayMb = figure(/its memory ([\d.]+) MB/)
const subscriberKb = figure(/MB \+ subscribers × ([\d.]+) kB/)
const bytesOfChange = figure(/Redis sends gateways × [\d,]+ × (\d+) B/)
const redisMicros = figure(/gateways × [\d,]+ × ([\d.]+) µs\./)
/** Half of one. */
const CORE_MICROS = 500_000

const grouped = (value: number) => Math.round(value).toLocaleString('en-US')

function row(subscribers: number, deliveriesPerSecond: number): string {
  const perSubscriber = deliveriesPerSecond * deliveryMicros
  const perGateway = changesPerSecond * changeMicros
  const byCpu = (CORE_MICROS - perGateway) / perSubscriber
  const gateways = Math.ceil(subscribers / Math.min(subscribersMax, byCpu))
  const cores = (subscribers * perSubscriber + gateways * perGateway) / 1e6
  const memoryGb = (gateways * gatewayMb * 1e6 + subscribers * subscriberKb * 1e3) / 1e9
  const outMb = (gateways * changesPerSecond * bytesOfChange) / 1e6
  const redisPercent = ((gateways * changesPerSecond * redisMicros) / 1e6) * 100
  const cells = [
    grouped(subscribers),
    `${deliveriesPerSecond}/s`,
    String(gateways),
    grouped(subscribers / gateways),
    cores < 1 ? cores.toFixed(2) : cores.toFixed(1),
    `${memoryGb.toFixed(1)} GB`,
    `${outMb.toFixed(outMb < 20 ? 1 : 0)} MB/s`,
    `${redisPercent.toFixed(redisPercent < 10 ? 1 : 0)} %`,
  ]
  return `| ${cells.join(' | ')} |`
}

it('is calculated from what the page says was measured', () => {
  const rows = page.split('\n').filter((line) => /^\| [\d,]+ \| \d+\/s \|/.test(line))
  const expected = [1, 10].flatMap((rate) => [10_000, 100_000, 1_000_000].map((count) => row(count, rate)))
  expect(rows).toEqual(expected)
})
