/**
 * Stage 8, server. Subscriptions that get the same results: each change is executed and made text once for all of
 * them. Who cannot be shared with anybody is a group alone.
 */
import { type ExecutionArgs, type ExecutionResult, execute, GraphQLError } from 'graphql'
import type { Delivery } from '../../bus/bus.ts'
import type { Transition } from '../../bus/filter/judge-change.ts'
import { rowBytesOf } from '../../bus/match.ts'
import type { AnyChange } from '../../changes/change.ts'
import type { Guard } from '../../guard.ts'
import { type ChangeEvent, isRead } from '../../sets/row-subscription.ts'
import { cursorOf, payloadTooLarge, undeliverable } from '../errors/delivery-failure.ts'
import { type CompiledOperation, compileOperation } from '../execution/compile-operation.ts'
import { operationKey } from '../execution/operation-shape.ts'
import { hasLongerTexts } from './bounded-json.ts'
import { type DeliveryResult, FailedResult, formatResult, ResultText } from './result-text.ts'

/** A group, as its members use it. */
export interface DeliveryGroup {
  /**
   * The result of what the member's source gave; a promise where it has to be waited for, which all members share.
   * `args` are the member's own: whoever comes first executes for the others. Never throws, never rejects.
   */
  resultOf(value: unknown, args: ExecutionArgs): DeliveryResult | Promise<DeliveryResult>
  /** A member goes; each does so once. */
  leave(): void
}

/** All groups of a server. */
export interface DeliveryGroups {
  /**
   * Joins the group of those with the same operation, variables and audience; null as audience is one alone.
   * @param isChanges whether its source gives deliveries of changes, of which each is one object for all
   */
  join(args: ExecutionArgs, audience: string | null, isChanges: boolean): DeliveryGroup
  /** Groups of at least one member, those alone not counted. */
  readonly size: number
}

/** What a result that is kept takes beside its text and the images of its change: objects, and what finds it. */
const RESULT_BYTES = 1024
/** Its text is there as characters and as bytes. */
const TEXT_FACTOR = 2

/** What groups need. */
export interface DeliveryGroupsOptions {
  /** Hides of errors what clients must not see. */
  readonly mask: (error: unknown) => GraphQLError
  /** Whether members are about to take what is there. */
  readonly isBusy: () => boolean
  readonly guard: Guard
  /** What results may take that wait for members that have not come yet; beyond it they are recreated. */
  readonly keptBytesMax: number
  /** What resolvers give, unless they take too long. @default without an end */
  readonly within?: (<Result>(work: Promise<Result>) => Promise<Result>) | undefined
  /** What is sure to be longer has no text made of it. @default no bound */
  readonly payloadBytesMax?: number | undefined
}

/** Creates the groups of a server. */
export function createDeliveryGroups(options: DeliveryGroupsOptions): DeliveryGroups {
  const groups = new Map<string, SharedGroup>()
  const kept = new KeptResults(options)
  return {
    get size() {
      return groups.size
    },
    join(args, audience, isChanges) {
      const executor = () => new Executor(options, isChanges && args.fieldResolver == null)
      const { document, operationName, variableValues } = args
      const key = audience === null ? null : operationKey(document, operationName, variableValues)
      if (key === null) return createLoneGroup(executor())
      const name = JSON.stringify([key, audience])
      const group = groups.get(name) ?? new SharedGroup(executor(), kept, () => groups.delete(name))
      groups.set(name, group)
      group.join()
      return group
    },
  }
}

function createLoneGroup(executor: Executor): DeliveryGroup {
  return { resultOf: (value, args) => executor.execute(value, args), leave: () => undefined }
}

/** Executes one operation: compiled where that is possible. */
class Executor {
  readonly #mask: (error: unknown) => GraphQLError
  /** Resolvers of other sources than changes may do more than look, and what is given up is done twice. */
  readonly #mayCompile: boolean
  readonly #within: NonNullable<DeliveryGroupsOptions['within']>
  readonly #bytesMax: number
  /** Undefined until the first delivery: many subscriptions never get one. */
  #compiled: CompiledOperation | null | undefined

  constructor(options: DeliveryGroupsOptions, mayCompile: boolean) {
    const { mask, within = (work) => work, payloadBytesMax = Number.POSITIVE_INFINITY } = options
    this.#mask = mask
    this.#mayCompile = mayCompile
    this.#within = within
    this.#bytesMax = payloadBytesMax
  }

  execute(value: unknown, args: ExecutionArgs): DeliveryResult | Promise<DeliveryResult> {
    try {
      const result = this.#execute(value, args)
      return result instanceof Promise ? result.catch((error: unknown) => this.#fail(error, value)) : result
    } catch (error) {
      return this.#fail(error, value)
    }
  }

  /** Where a value has failed the whole change, the error says where to go on: nothing else of the result does. */
  #maskOf(error: unknown, { data }: ExecutionResult, value: unknown): GraphQLError {
    const masked = this.#mask(error)
    const isWhole = data === null || data === undefined
    const cursor = isWhole ? cursorOf(value) : null
    if (cursor === null) return masked
    const { message, nodes, path, extensions } = masked
    return new GraphQLError(message, {
      ...{ nodes: nodes ?? null, path: path ?? null },
      extensions: { ...extensions, cursor },
    })
  }

  #fail(error: unknown, value: unknown): FailedResult {
    return new FailedResult(undeliverable(error, value, this.#mask))
  }

  #execute(value: unknown, args: ExecutionArgs): ResultText | Promise<ResultText> {
    if (this.#compiled === undefined) this.#compiled = this.#mayCompile ? compileOperation(args) : null
    const compiled = this.#compiled?.run(value, args.contextValue) ?? null
    if (compiled !== null) {
      return new ResultText(compiled.text, compiled.hasCursor ? (value as Delivery).change.cursor : null)
    }
    const result = execute({ ...args, rootValue: value })
    const format = (settled: ExecutionResult) => {
      if (hasLongerTexts(settled.data, this.#bytesMax)) throw payloadTooLarge(this.#bytesMax, value)
      return formatResult(settled, (error) => this.#maskOf(error, settled, value))
    }
    return isPromise(result) ? this.#within(result).then(format) : format(result)
  }
}

function isPromise(result: ExecutionResult | Promise<ExecutionResult>): result is Promise<ExecutionResult> {
  return 'then' in result && typeof result.then === 'function'
}

/** The members of one key. */
class SharedGroup implements DeliveryGroup {
  readonly #executor: Executor
  readonly #kept: KeptResults
  readonly #onEmpty: () => void
  readonly #results = new Map<AnyChange, Map<number, Kept>>()
  #members = 0

  constructor(executor: Executor, kept: KeptResults, onEmpty: () => void) {
    this.#executor = executor
    this.#kept = kept
    this.#onEmpty = onEmpty
  }

  join(): void {
    this.#members += 1
  }

  leave(): void {
    this.#members -= 1
    if (this.#members === 0) this.#onEmpty()
  }

  resultOf(value: unknown, args: ExecutionArgs): DeliveryResult | Promise<DeliveryResult> {
    // Only sources of changes are shared.
    const event = value as ChangeEvent
    // Rows come to each at its own time, and so does what they hear of related ones: what was made of them is of no use to the others.
    if (isRead(event) || event.heard !== undefined) return this.#executor.execute(event, args)
    const delivery = event
    const { change } = delivery
    const variants = this.#results.get(change)
    const variant = variantOf(delivery)
    const known = variants?.get(variant)
    if (known !== undefined) return known.result
    const result = this.#executor.execute(delivery, args)
    // Nobody else would come for it.
    if (this.#members > 1) this.#keep(delivery, variant, result)
    return result
  }

  #keep(delivery: Delivery, variant: number, result: DeliveryResult | Promise<DeliveryResult>): void {
    const { change } = delivery
    const variants = this.#results.get(change) ?? new Map<number, Kept>()
    this.#results.set(change, variants)
    const forget = (): void => {
      variants.delete(variant)
      if (variants.size === 0) this.#results.delete(change)
    }
    const kept: Kept = { result, rowBytes: rowBytesOf(delivery), forget }
    variants.set(variant, kept)
    this.#kept.add(kept)
  }
}

const TRANSITIONS: Readonly<Record<Transition, number>> = { ENTERED: 1, STAYED: 2, LEFT: 3 }

/** What distinguishes two deliveries of one change, each as a number below 4. Complete, or it does not compile. */
const VARIANT: Readonly<Record<Exclude<keyof Delivery, 'change'>, (delivery: Delivery) => number>> = {
  transition: ({ transition }) => (transition === null ? 0 : TRANSITIONS[transition]),
  hidesOld: ({ hidesOld }) => Number(hidesOld),
  hidesNew: ({ hidesNew }) => Number(hidesNew),
  isLastOfTransaction: ({ isLastOfTransaction }) => Number(isLastOfTransaction),
}
const VARIANT_PARTS = Object.values(VARIANT)

function variantOf(delivery: Delivery): number {
  let variant = 0
  for (const part of VARIANT_PARTS) variant = variant * 4 + part(delivery)
  return variant
}

/** A result that is there for members to come. */
interface Kept {
  readonly result: DeliveryResult | Promise<DeliveryResult>
  /** Of the change, which is there as long. */
  readonly rowBytes: number
  readonly forget: () => void
}

/**
 * The results of all groups, for as long as members may still come for them: until all that were notified of a change
 * have had their turn. A member that comes later has been too slow for the others, and makes its own.
 */
class KeptResults {
  #settled: Kept[] = []
  #bytes = 0
  #turn: NodeJS.Immediate | null = null
  readonly #bytesMax: number
  readonly #isBusy: () => boolean
  readonly #onTurn: () => void
  readonly #settleLater: (kept: Kept, result: Promise<DeliveryResult>) => void

  constructor({ isBusy, guard, keptBytesMax }: DeliveryGroupsOptions) {
    this.#bytesMax = keptBytesMax
    this.#isBusy = isBusy
    this.#onTurn = guard.wrap('end a turn', () => this.#endTurn())
    // One that could not be kept is recreated by whoever comes.
    this.#settleLater = guard.wrap(
      'keep a result',
      async (kept: Kept, result: Promise<DeliveryResult>) => this.#settle(kept, await result),
      (_, { forget }) => forget(),
    )
  }

  add(kept: Kept): void {
    const { result } = kept
    if (result instanceof Promise) this.#settleLater(kept, result)
    else this.#settle(kept, result)
  }

  #settle(kept: Kept, result: DeliveryResult): void {
    const textBytes = result instanceof ResultText ? result.text.length * TEXT_FACTOR : 0
    this.#bytes += RESULT_BYTES + kept.rowBytes + textBytes
    this.#settled.push(kept)
    if (this.#bytes > this.#bytesMax) this.#forgetSettled()
    else this.#turn ??= setImmediate(this.#onTurn)
  }

  #endTurn(): void {
    this.#turn = null
    if (this.#isBusy()) this.#turn = setImmediate(this.#onTurn)
    else this.#forgetSettled()
  }

  #forgetSettled(): void {
    for (const kept of this.#settled) kept.forget()
    this.#settled = []
    this.#bytes = 0
  }
}
