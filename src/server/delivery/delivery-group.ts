/**
 * Stage 8, server. Subscriptions that get the same results: each change is executed and made text once for all of
 * them. Who cannot be shared with anybody is a group alone.
 */
import { type ExecutionArgs, type ExecutionResult, execute, GraphQLError } from 'graphql'
import type { Delivery } from '../../bus/bus.ts'
import { beginResult } from '../../graphql/reading/result-budgets.ts'
import type { Guard } from '../../guard.ts'
import { cursorOf, payloadTooLarge, undeliverable } from '../errors/delivery-failure.ts'
import { type CompiledOperation, compileOperation } from '../execution/compile-operation.ts'
import { operationKey } from '../execution/operation-shape.ts'
import { hasLongerTexts } from './bounded-json.ts'
import { type Kept, KeptResults } from './kept-results.ts'
import { type DeliveryResult, FailedResult, formatResult, ResultText } from './result-text.ts'
import type { ResultsOnTheirWay } from './results-on-their-way.ts'
import { changesOf, identityOf, isWhole, rowBytesOfEvent } from './shared-event.ts'

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
   * @param isOwn whether its source is rowcast's own: what it gives is known by its identity, and is looked at only
   */
  join(args: ExecutionArgs, audience: string | null, isOwn: boolean): DeliveryGroup
  /** Groups of at least one member, those alone not counted. */
  readonly size: number
}

/** What groups need. */
export interface DeliveryGroupsOptions {
  /** Hides of errors what clients must not see. */
  readonly mask: (error: unknown) => GraphQLError
  /** Whether members are about to take what is there. */
  readonly isBusy: () => boolean
  readonly guard: Guard
  /** Those of all groups that wait for something. */
  readonly onTheirWay: Pick<ResultsOnTheirWay, 'make'>
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
    join(args, audience, isOwn) {
      const executor = () => new Executor(options, isOwn && args.fieldResolver == null)
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
  return { resultOf: (value, args) => executor.execute(value, args), leave: () => executor.end() }
}

/** Of what nobody waits for any more. */
const FOR_NOBODY = new ResultText('{}', null)

/** Executes one operation: compiled where that is possible. */
class Executor {
  readonly #mask: (error: unknown) => GraphQLError
  /** Resolvers of the application's own sources may do more than look, and what is given up is done twice. */
  readonly #mayCompile: boolean
  readonly #within: NonNullable<DeliveryGroupsOptions['within']>
  readonly #bytesMax: number
  readonly #onTheirWay: Pick<ResultsOnTheirWay, 'make'>
  /** Whether the last had nothing to wait for: then those of others do not matter to the next. */
  #isAtOnce = false
  #isOver = false
  /** Undefined until the first delivery: many subscriptions never get one. */
  #compiled: CompiledOperation | null | undefined

  constructor(options: DeliveryGroupsOptions, mayCompile: boolean) {
    const { mask, onTheirWay, within = (work) => work, payloadBytesMax = Number.POSITIVE_INFINITY } = options
    this.#mask = mask
    this.#onTheirWay = onTheirWay
    this.#mayCompile = mayCompile
    this.#within = within
    this.#bytesMax = payloadBytesMax
  }

  /** Nobody takes results any more: those that wait for room are not made, now nor once the server has stopped. */
  end(): void {
    this.#isOver = true
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
    const result = { changes: changesOf(value), isUrgent: this.#isAtOnce }
    return this.#onTheirWay.make(result, () => (this.#isOver ? FOR_NOBODY : this.#begin(value, args)))
  }

  #begin(value: unknown, args: ExecutionArgs): ResultText | Promise<ResultText> {
    const result = executeResult(value, args)
    this.#isAtOnce = !isPromise(result)
    const format = (settled: ExecutionResult) => {
      if (hasLongerTexts(settled.data, this.#bytesMax)) throw payloadTooLarge(this.#bytesMax, value)
      return formatResult(settled, (error) => this.#maskOf(error, settled, value))
    }
    return isPromise(result) ? this.#within(result).then(format) : format(result)
  }
}

/** What is read for its images counts together. */
function executeResult(value: unknown, args: ExecutionArgs): ExecutionResult | Promise<ExecutionResult> {
  const end = beginResult(args.contextValue, value)
  let result: ExecutionResult | Promise<ExecutionResult>
  try {
    result = execute({ ...args, rootValue: value })
  } catch (error) {
    end()
    throw error
  }
  if (isPromise(result)) return result.finally(end)
  end()
  return result
}

function isPromise(result: ExecutionResult | Promise<ExecutionResult>): result is Promise<ExecutionResult> {
  return 'then' in result && typeof result.then === 'function'
}

/** The members of one key. */
class SharedGroup implements DeliveryGroup {
  readonly #executor: Executor
  readonly #kept: KeptResults
  readonly #onEmpty: () => void
  readonly #results = new Map<object, Map<number | string, Kept>>()
  /** Has the result of what is shown whole, which whoever comes later begins with, be like any other. */
  #letGo: (() => void) | null = null
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
    if (this.#members > 0) return
    this.#executor.end()
    this.#letGoOfWhole()
    this.#onEmpty()
  }

  resultOf(value: unknown, args: ExecutionArgs): DeliveryResult | Promise<DeliveryResult> {
    const identity = identityOf(value)
    if (identity === null) return this.#executor.execute(value, args)
    const { of, variant } = identity
    const known = this.#results.get(of)?.get(variant)
    if (known !== undefined) return known.result
    const result = this.#executor.execute(value, args)
    // What was whole is whole no more.
    this.#letGoOfWhole()
    // Whoever comes next begins with the whole; for everything else nobody else would come.
    if (this.#members > 1 || isWhole(value)) this.#keep(value, identity, result)
    return result
  }

  #keep(
    value: unknown,
    { of, variant }: { readonly of: object; readonly variant: number | string },
    result: DeliveryResult | Promise<DeliveryResult>,
  ): void {
    const variants = this.#results.get(of) ?? new Map<number | string, Kept>()
    this.#results.set(of, variants)
    const forget = (): void => {
      variants.delete(variant)
      if (variants.size === 0 && this.#results.get(of) === variants) this.#results.delete(of)
    }
    const kept: Kept = { result, rowBytes: rowBytesOfEvent(value), forget }
    variants.set(variant, kept)
    // Where nothing was waited for, nothing was read for it that may be different once somebody else comes, and what failed may not fail then.
    const mayBeHeld = result instanceof ResultText && !result.hasErrors
    if (isWhole(value) && mayBeHeld) this.#letGo = this.#kept.hold(kept)
    else this.#kept.add(kept)
  }

  #letGoOfWhole(): void {
    this.#letGo?.()
    this.#letGo = null
  }
}
