/** Spans, as an application's own exporter gets them; and nothing at all where there is no OpenTelemetry. */
import { trace } from '@opentelemetry/api'
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-base'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { BusObservers } from '../../src/bus/bus-observer.ts'
import { createMemoryBus } from '../../src/bus/memory-bus.ts'
import type { TransactionPart } from '../../src/changes/change.ts'
import { RowcastError } from '../../src/errors.ts'
import { createGuard } from '../../src/guard.ts'
import { silentLogger } from '../../src/logger.ts'
import {
  createBusTracer,
  createDeliveryTracer,
  isProviderRegistered,
  loadTracer,
  loadTracerBehind,
  traceOnce,
} from '../../src/observe/tracing.ts'
import { createDeferred } from '../support/deferred.ts'
import { plainChange, plainTransaction } from '../support/plain-change.ts'

function openTraced() {
  const exporter = new InMemorySpanExporter()
  const provider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] })
  const observers = new BusObservers()
  const tracer = provider.getTracer('test')
  observers.add(createBusTracer(tracer))
  const spans = () =>
    exporter
      .getFinishedSpans()
      .map(({ name, attributes, status }) => ({ name, attributes, code: status.code }))
  return { bus: createMemoryBus({ observers }), tracer, provider, exporter, spans }
}

function part(count: number, isFinal: boolean): TransactionPart {
  const transaction = plainTransaction(7, { committedAt: new Date() })
  const changes = Array.from({ length: count }, (_, index) => plainChange({ transaction, index }))
  return { transaction, changes, isFinal, byteLength: count * 10 }
}

afterEach(() => {
  trace.disable()
  vi.doUnmock('@opentelemetry/api')
  vi.resetModules()
})

describe('spans', () => {
  it('one for each transaction, however many parts it comes in', () => {
    const { bus, spans } = openTraced()
    bus.publish(part(2, false))
    expect(spans()).toEqual([])
    bus.publish(part(1, true))
    bus.publish(part(1, true))
    expect(spans().map(({ name }) => name)).toEqual(['rowcast publish', 'rowcast publish'])
    expect(spans()[0]?.attributes).toEqual({
      'db.system.name': 'postgresql',
      'rowcast.transaction.id': 7,
      'rowcast.transaction.commit_lsn': '0/7',
      'rowcast.transaction.delay_ms': expect.any(Number),
      'rowcast.transaction.changes': 3,
      'rowcast.transaction.bytes': 30,
    })
  })

  it('one for each subscription, with the code of what ended it', async () => {
    const { bus, spans } = openTraced()
    await bus.subscribe({ model: 'User' }).return()
    bus.subscribe({ model: 'Post' })
    bus.close(new RowcastError('RESYNC_REQUIRED', 'The slot was lost.'))
    expect(spans()).toEqual([
      { name: 'rowcast subscription', attributes: { 'rowcast.model': 'User' }, code: 0 },
      {
        ...{ name: 'rowcast subscription', code: 2 },
        attributes: { 'rowcast.model': 'Post', 'error.type': 'RESYNC_REQUIRED' },
      },
    ])
  })

  it('one for all deliveries of a turn', async () => {
    const { tracer, spans } = openTraced()
    const onDelivered = createDeliveryTracer({ now: tracer }, createGuard(silentLogger))
    for (let count = 0; count < 3; count += 1) onDelivered()
    await new Promise(setImmediate)
    onDelivered()
    await new Promise(setImmediate)
    expect(spans().map(({ name, attributes }) => [name, attributes['rowcast.deliveries']])).toEqual([
      ['rowcast deliver', 3],
      ['rowcast deliver', 1],
    ])
  })

  it('a transaction that a gap cut off is ended, and marked', () => {
    const { bus, spans } = openTraced()
    bus.publish(part(1, false))
    bus.gap(new RowcastError('RESYNC_REQUIRED', 'The slot was lost.'))
    expect(spans()).toMatchObject([{ name: 'rowcast publish', code: 2 }])
  })
})

describe('the tracer', () => {
  it("is the application's own", async () => {
    const { provider, exporter } = openTraced()
    trace.setGlobalTracerProvider(provider)
    const tracer = await loadTracer()
    tracer?.startSpan('from the application').end()
    const [span] = exporter.getFinishedSpans()
    expect(span?.name).toBe('from the application')
    expect(span?.instrumentationScope.name).toBe('rowcast')
  })

  it('is loaded behind the start, unless somebody records spans', async () => {
    expect(isProviderRegistered()).toBe(false)
    let isReady = false
    const whenReady = async (): Promise<void> => {
      isReady = true
    }
    expect(await loadTracerBehind(whenReady)).not.toBeNull()
    expect(isReady).toBe(true)
    expect(await loadTracerBehind(() => Promise.reject(new Error('It was stopped before.')))).toBeNull()
    trace.setGlobalTracerProvider(openTraced().provider)
    expect(isProviderRegistered()).toBe(true)
    expect(await loadTracerBehind(() => new Promise(() => {}))).not.toBeNull()
  })

  it('gives spans of what comes before all is ready to whoever registers a provider after the start', async () => {
    const { provider, exporter } = openTraced()
    const observers = new BusObservers()
    const bus = createMemoryBus({ observers })
    const ready = createDeferred<void>()
    traceOnce(observers, createGuard(silentLogger), () => ready.promise)()
    bus.publish(part(1, true))
    trace.setGlobalTracerProvider(provider)
    bus.publish(part(1, false))
    bus.publish(part(1, true))
    const names = () => exporter.getFinishedSpans().map(({ name }) => name)
    expect(names()).toEqual(['rowcast publish'])
    ready.resolve()
    await ready.promise
    bus.publish(part(1, true))
    // Once, whoever it was that found it.
    expect(names()).toEqual(['rowcast publish', 'rowcast publish'])
  })

  it('is none where @opentelemetry/api is not installed', async () => {
    vi.resetModules()
    vi.doMock('@opentelemetry/api', () => {
      throw new Error("Cannot find package '@opentelemetry/api'")
    })
    const { loadTracer: load } = await import('../../src/observe/tracing.ts')
    expect(await load()).toBeNull()
  })
})
