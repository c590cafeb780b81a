/**
 * Beside the spine, observe. OpenTelemetry's spans, where the application has `@opentelemetry/api`: one for each
 * transaction that is published, each subscription and each batch of deliveries. Without it nothing is loaded or called.
 */
import type { Attributes, Span, Tracer, TracerProvider } from '@opentelemetry/api'
import type { BusObserver } from '../bus/bus-observer.ts'
import type { TransactionPart } from '../changes/change.ts'
import { isRowcastError } from '../errors.ts'
import type { Guard } from '../guard.ts'
import { memberOf } from '../member-of.ts'
import { formatLsn } from '../wire/lsn.ts'

/** The name under which a TracerProvider knows this library. */
const TRACER_NAME = 'rowcast'
/** `SpanStatusCode.ERROR`, which only the package itself has. */
const STATUS_ERROR = 2
/** Where version 1 of the package keeps what is registered with it; a test holds it against the installed one. */
const REGISTERED = Symbol.for('opentelemetry.js.api.1')

/** The application's tracer; null where it has none. */
export async function loadTracer(): Promise<Tracer | null> {
  try {
    const { trace } = await import('@opentelemetry/api')
    return trace.getTracer(TRACER_NAME)
  } catch {
    return null
  }
}

/** Whether somebody has registered what records spans. */
export function isProviderRegistered(): boolean {
  return memberOf(Reflect.get(globalThis, REGISTERED), 'trace') !== undefined
}

/**
 * The same, at once where somebody records spans. Else behind what a start waits for: the package is 44 files, and whoever registers a
 * provider later is given the spans from then on. Null also where it never gets ready.
 */
export async function loadTracerBehind(whenReady: () => Promise<unknown>): Promise<Tracer | null> {
  if (!isProviderRegistered()) {
    try {
      await whenReady()
    } catch {
      return null
    }
  }
  return loadTracer()
}

/** What the registered provider gives; null: there is none. As the package itself asks for it, which is not loaded for this. */
function registeredTracer(): Tracer | null {
  const provider = memberOf(Reflect.get(globalThis, REGISTERED), 'trace')
  return isTracerProvider(provider) ? provider.getTracer(TRACER_NAME) : null
}

function isTracerProvider(value: unknown): value is TracerProvider {
  return typeof memberOf(value, 'getTracer') === 'function'
}

/**
 * The application's tracer from the moment on that there is one. Some register a provider after the start: what came first, such as a
 * backlog that was read before all was ready, has its spans as well.
 */
export class LateTracer {
  #tracer: Tracer | null = null
  #isSettled = false

  /** Null: nobody records spans yet. */
  get now(): Tracer | null {
    if (this.#tracer === null && !this.#isSettled) this.#tracer = registeredTracer()
    return this.#tracer
  }

  /** Loads it as `loadTracerBehind` does. */
  async load(whenReady: () => Promise<unknown>): Promise<void> {
    const tracer = await loadTracerBehind(whenReady)
    this.#tracer ??= tracer
    this.#isSettled = true
  }
}

/** What watches with the tracer that is there by then. */
function createLateBusTracer(late: LateTracer): BusObserver {
  let made: BusObserver | null = null
  const now = (): BusObserver | null => {
    const tracer = made === null ? late.now : null
    if (tracer !== null) made = createBusTracer(tracer)
    return made
  }
  return {
    onPublishing: (part) => now()?.onPublishing?.(part),
    onPublished: (part) => made?.onPublished?.(part),
    onGap: () => made?.onGap?.(),
    onSubscribed: (model, subscription) => now()?.onSubscribed?.(model, subscription),
    onSubscriptionEnded: (model, error, subscription) =>
      made?.onSubscriptionEnded?.(model, error, subscription),
  }
}

/** Watches with the application's tracer, if it has one, from the first call on. */
export function traceOnce(
  observers: { add(observer: BusObserver): void },
  guard: Guard,
  whenReady: () => Promise<unknown>,
): () => void {
  let isTraced = false
  return guard.wrap('load a tracer', async () => {
    if (isTraced) return
    isTraced = true
    const late = new LateTracer()
    observers.add(createLateBusTracer(late))
    await late.load(whenReady)
  })
}

/** Spans of transactions and subscriptions. */
export function createBusTracer(tracer: Tracer): BusObserver {
  const subscriptions = new WeakMap<object, Span>()
  /** A transaction may come in several parts. */
  let transaction: { readonly span: Span; changes: number; bytes: number } | null = null

  return {
    onPublishing({ transaction: { xid, commitLsn, committedAt } }) {
      if (transaction !== null) return
      const span = tracer.startSpan('rowcast publish')
      transaction = { span, changes: 0, bytes: 0 }
      // Nobody records where the package is there without an SDK; there may be tens of thousands a second.
      if (!span.isRecording()) return
      span.setAttributes({
        'db.system.name': 'postgresql',
        'rowcast.transaction.id': xid,
        'rowcast.transaction.commit_lsn': formatLsn(commitLsn),
        'rowcast.transaction.delay_ms': Math.max(0, Date.now() - committedAt.getTime()),
      })
    },
    onPublished({ changes, byteLength, isFinal }: TransactionPart) {
      if (transaction === null) return
      transaction.changes += changes.length
      transaction.bytes += byteLength
      if (!isFinal) return
      const { span } = transaction
      span.setAttribute('rowcast.transaction.changes', transaction.changes)
      span.setAttribute('rowcast.transaction.bytes', transaction.bytes)
      span.end()
      transaction = null
    },
    onGap() {
      transaction?.span.setStatus({ code: STATUS_ERROR })
      transaction?.span.end()
      transaction = null
    },
    onSubscribed(model, subscription) {
      const attributes: Attributes = { 'rowcast.model': model }
      const span = tracer.startSpan('rowcast subscription', { attributes })
      if (span.isRecording()) subscriptions.set(subscription, span)
    },
    onSubscriptionEnded(_model, error, subscription) {
      const span = subscriptions.get(subscription)
      if (span === undefined) return
      if (error !== null) {
        // The code alone: a message may be long, and other errors' may hold anything.
        const code = isRowcastError(error) ? error.code : 'BUG'
        span.setAttribute('error.type', code)
        span.setStatus({ code: STATUS_ERROR, message: code })
      }
      span.end()
    },
  }
}

/** One span for all that is handed to sockets within one turn of the event loop. */
export function createDeliveryTracer(late: Pick<LateTracer, 'now'>, guard: Guard): () => void {
  let batch: { readonly span: Span; deliveries: number } | null = null

  function endBatch(): void {
    batch?.span.setAttribute('rowcast.deliveries', batch.deliveries)
    batch?.span.end()
    batch = null
  }

  return () => {
    if (batch === null) {
      const tracer = late.now
      if (tracer === null) return
      batch = { span: tracer.startSpan('rowcast deliver'), deliveries: 0 }
      setImmediate(guard.wrap('end a span', endBatch))
    }
    batch.deliveries += 1
  }
}
