/**
 * Stage 8, server. How the results of subscriptions are made, whatever the transport: a plugin of the pipeline that
 * stands in for graphql-js's `subscribe`, so that subscriptions which get the same results share the work.
 */
import type { ExecutionArgs, ExecutionResult, GraphQLError } from 'graphql'
import type { DeliveryPull } from '../../bus/bus.ts'
import { heapBytesLeft, resultBytesMaxOf } from '../../bus/heap-bounds.ts'
import { guardTimers, NODE_TIMERS } from '../../bus/time-slices.ts'
import { TurnShare } from '../../bus/turn-share.ts'
import { audienceOf } from '../../graphql/audience.ts'
import { openSourceEvents } from '../../graphql/graphql-version.ts'
import type { Guard } from '../../guard.ts'
import type { PipelinePlugin } from '../session/connection-state.ts'
import { createDeliveryGroups, type DeliveryGroups } from './delivery-group.ts'
import { createDeliveryTurn, type DeliveryTurn } from './delivery-turn.ts'
import { createFrameBatch, type FrameBatch } from './frame-batch.ts'
import { ResultsOnTheirWay } from './results-on-their-way.ts'
import { ResultStream } from './subscription-results.ts'

/** What deliveries need. */
export interface DeliveriesOptions {
  /** Hides of errors what clients must not see. */
  readonly mask: (error: unknown) => GraphQLError
  readonly guard: Guard
  /** What slices of time are measured by. @default performance.now */
  readonly nowMs?: (() => number) | undefined
  /** Notified of each delivery that is handed to a transport: what the subscription's source gave. */
  readonly onDelivered?: ((delivery: unknown) => void) | undefined
  /** The answer to an operation that asks for too much; null for any other. @default no bound */
  readonly refuse?: ((args: ExecutionArgs) => ExecutionResult | null) | undefined
  /** How many changes one result may have, where a source gives several in one. @default as many as the source gives */
  readonly changesMaxOf?: ((args: ExecutionArgs) => number) | undefined
  /** See `DeliveryGroupsOptions`. */
  readonly payloadBytesMax?: number | undefined
  /** What resolvers give, unless they take too long. @default without an end */
  readonly within?: (<Result>(work: Promise<Result>) => Promise<Result>) | undefined
}

/** The deliveries of a server. */
export interface Deliveries {
  readonly plugin: PipelinePlugin
  readonly groups: DeliveryGroups
  readonly turn: DeliveryTurn
  readonly frames: FrameBatch
  /** graphql-js's `subscribe`, but that those who get the same results share them. */
  subscribe(args: ExecutionArgs): Promise<ResultStream | ExecutionResult>
}

/** What gives a subscription's events. */
interface EventSource extends AsyncIterator<unknown> {
  /** Of what is rowcast's own. */
  readonly pull?: DeliveryPull<unknown> | undefined
  /** Of one whose events have several changes each. */
  boundParts?(changesMax: number): void
}

/** Nobody reads it. */
async function endSource(events: AsyncIterable<unknown> | ExecutionResult): Promise<void> {
  if (Symbol.asyncIterator in events) await events[Symbol.asyncIterator]().return?.()
}

export function createDeliveries(options: DeliveriesOptions): Deliveries {
  const { mask, guard, nowMs, payloadBytesMax, within = (work) => work } = options
  const turn = createDeliveryTurn(guard, nowMs)
  const turns = new TurnShare({ guard, isOneByOne: true, nowMs })
  const timers = guardTimers({ ...NODE_TIMERS, nowMs: nowMs ?? NODE_TIMERS.nowMs }, guard)
  const onTheirWay = new ResultsOnTheirWay({ turns, timers })
  const keptBytesMax = resultBytesMaxOf(heapBytesLeft())
  const isBusy = () => turn.isBusy || turns.isBusy
  const bounds = { keptBytesMax, payloadBytesMax }
  const groups = createDeliveryGroups({ mask, guard, onTheirWay, isBusy, within, ...bounds })
  const onDelivered = options.onDelivered && guard.wrap('count a delivery', options.onDelivered)

  async function subscribe(args: ExecutionArgs): Promise<ResultStream | ExecutionResult> {
    const refusal = options.refuse?.(args) ?? null
    if (refusal !== null) return refusal
    const opening = openSourceEvents(args)
    const events = await within(opening).catch((error: unknown): ExecutionResult => {
      // One that was refused has no source, and has been answered.
      const endLate = () => opening.then(endSource, () => undefined)
      guard.run('end a subscription that began too late', endLate)
      return { errors: [mask(error)] }
    })
    if (!(Symbol.asyncIterator in events)) return events
    const source: EventSource = events[Symbol.asyncIterator]()
    // What is rowcast's own.
    const isOwn = source.pull !== undefined
    try {
      if (isOwn && options.changesMaxOf !== undefined) source.boundParts?.(options.changesMaxOf(args))
      const group = groups.join(args, isOwn ? audienceOf(events) : null, isOwn)
      return new ResultStream({ source, group, args, turns, onTheirWay, onDelivered })
    } catch (error) {
      // Variables may be nested more deeply than a text can be made of: nobody else would end the source.
      await source.return?.()
      throw error
    }
  }

  return {
    plugin: {
      onSubscribe({ setSubscribeFn }) {
        setSubscribeFn(subscribe)
      },
    },
    subscribe,
    groups,
    turn,
    frames: createFrameBatch(),
  }
}
