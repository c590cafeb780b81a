/**
 * Stage 7, graphql. Queries for relations of many rows as few: what is asked for in one turn of the event loop with the
 * same selection becomes one query, each key in it once. While more is sure to be asked for, the turns that follow count as the same one.
 */
import { GraphQLError } from 'graphql'
import { canonicalText } from '../../catalog/values/canonical-text.ts'
import { imageTurns } from './asking-turns.ts'
import { type HandOut, HandOuts } from './hand-outs.ts'
import type { OperationReads } from './read-pool.ts'
import type { RelationKey } from './relation-link.ts'
import { bytesOf } from './row-weights.ts'
import { isPage, type KeyedRead, readByKeys, textOfKey } from './rows-by-keys.ts'
import { SharedRows } from './shared-rows.ts'
import { isOfValue } from './statement-gate.ts'

/** What one row asks for. */
export interface RelationRead extends KeyedRead {
  /** Which rows belong to it. */
  readonly key: RelationKey
  /** What does it for this row alone. */
  readonly readAlone: () => Promise<unknown>
  /** The operation that it is for. @default nothing is counted */
  readonly reads?: OperationReads | undefined
  /** Reads of their own for what is read together, until each operation has its part. @default nothing is counted */
  readonly open?: (() => OperationReads) | undefined
}

/** Keys of one query: PostgreSQL takes 32,767 parameters, and a plan for a thousand values is still a good one. */
const KEYS_MAX = 500
/** Turns of the event loop in which more is gathered: others may never stop asking. */
const TURNS_MAX = 20
/** Keys of one query that are read alone at a time: others have their turn in between. */
const LANES = 4

interface Waiting {
  readonly read: RelationRead
  readonly keyText: string
  /** Settles with the rows, in the operation's turn. */
  handOut(rows: SharedRows, weight: Pick<HandOut, 'bytes' | 'isCharged'>): void
  reject(error: unknown): void
}

/** The reads of one builder. */
export class RelationBatches {
  #batches = new Map<string, Waiting[]>()
  /** Clients can differ from request to request; their delegates have no name. */
  readonly #delegates = new WeakMap<object, number>()
  #delegateCount = 0
  readonly #handOuts: HandOuts
  readonly #coming: { readonly isBusy: boolean }
  /** Whether one of the batches has as much as one query takes. */
  #isFull = false
  #turns = 0

  /** @param coming whether more is about to be asked for in turns that follow */
  constructor(handOuts = new HandOuts(), coming: { readonly isBusy: boolean } = imageTurns) {
    this.#handOuts = handOuts
    this.#coming = coming
  }

  /** Rows in their order, a row or null, or a number. */
  read(read: RelationRead): Promise<unknown> {
    if (read.kind === 'list' && !isPage(read.query)) return read.readAlone()
    const keyText = canonicalText(Object.values(read.key))
    const queryText = canonicalText(read.query)
    if (keyText === null || queryText === null) return read.readAlone()
    const name = JSON.stringify([
      ...[read.kind, this.#numberOf(read.delegate), read.nestedAs ?? ''],
      ...[Object.keys(read.key), queryText],
    ])
    return new Promise((resolve, reject) => {
      const handOut: Waiting['handOut'] = (rows, weight) => {
        // Where no copy can be made of them, they are read again.
        const give: HandOut['give'] = (pace) => rows.take(pace).then(resolve, () => resolve(read.readAlone()))
        this.#handOuts.add(read.reads, { ...weight, give, refuse: reject })
      }
      const batch = this.#batches.get(name)
      if (this.#batches.size === 0) setImmediate(() => this.#flushSoon())
      if (batch === undefined) this.#batches.set(name, [{ read, keyText, handOut, reject }])
      else this.#isFull = batch.push({ read, keyText, handOut, reject }) >= KEYS_MAX || this.#isFull
    })
  }

  /** At the end of this turn, or of the first after which nothing more comes, or a query is full, or others have had enough of them. */
  #flushSoon(): void {
    this.#turns += 1
    if (this.#coming.isBusy && !this.#isFull && this.#turns < TURNS_MAX) setImmediate(() => this.#flushSoon())
    else this.#flush()
  }

  #flush(): void {
    this.#isFull = false
    this.#turns = 0
    const batches = this.#batches
    this.#batches = new Map()
    for (const batch of batches.values()) {
      const byKey = new Map<string, Waiting[]>()
      for (const waiting of batch) {
        const known = byKey.get(waiting.keyText)
        if (known === undefined) byKey.set(waiting.keyText, [waiting])
        else known.push(waiting)
      }
      const groups = [...byKey.values()]
      for (let at = 0; at < groups.length; at += KEYS_MAX) void readChunk(groups.slice(at, at + KEYS_MAX))
    }
  }

  #numberOf(delegate: object): number {
    const number = this.#delegates.get(delegate) ?? this.#delegateCount++
    this.#delegates.set(delegate, number)
    return number
  }
}

/** Reads what is waited for with each key; never rejects. */
async function readChunk(groups: readonly (readonly Waiting[])[]): Promise<void> {
  const reads = groups.flatMap(([waiting]) => waiting?.read ?? [])
  const [first] = reads
  if (first === undefined) return
  const together = first.open?.()
  try {
    const keys = reads.map(({ key }) => key)
    const found = await readByKeys(first, keys, together)
    const isFound = ([waiting]: readonly Waiting[]) => waiting !== undefined && found.has(keyTextOf(waiting))
    for (const group of groups.filter(isFound)) {
      const value = group[0] && found.get(keyTextOf(group[0]))
      giveEach(group, value, false)
    }
    together?.end()
    await inLanes(groups.filter((group) => !isFound(group)))
  } catch (error) {
    together?.end()
    if (isOfValue(error) && groups.length > 1) {
      // A key that its column does not take, which a client gave: the others are not to be without their rows.
      const middle = Math.ceil(groups.length / 2)
      await readChunk(groups.slice(0, middle))
      return readChunk(groups.slice(middle))
    }
    const apart = byOperation(groups)
    // One of them asks for too much: that is no reason to refuse the others.
    if (isOverLimit(error) && apart.length > 1) await Promise.all(apart.map(readChunk))
    else for (const { reject } of groups.flat()) reject(error)
  } finally {
    together?.end()
  }
}

function isOverLimit(error: unknown): boolean {
  return error instanceof GraphQLError && error.extensions['code'] === 'QUERY_OVER_LIMIT'
}

/** Whether the operation is at fault that has read, and not what it has read. */
function isOfOperation(error: unknown): boolean {
  return (
    isOverLimit(error) || (error instanceof GraphQLError && error.extensions['code'] === 'QUERY_TOO_SLOW')
  )
}

/** The same groups, for each operation apart. */
function byOperation(groups: readonly (readonly Waiting[])[]): readonly (readonly (readonly Waiting[])[])[] {
  const operations = new Map<OperationReads | undefined, Waiting[][]>()
  for (const group of groups) {
    const own = new Map<OperationReads | undefined, Waiting[]>()
    for (const waiting of group) {
      const { reads } = waiting.read
      own.set(reads, [...(own.get(reads) ?? []), waiting])
    }
    for (const [reads, part] of own) operations.set(reads, [...(operations.get(reads) ?? []), part])
  }
  return [...operations.values()]
}

/**
 * Gives rows to each who has asked for them. They count for the first from now on, for whom there is no copy more than there was before;
 * for each of the others once there is room for a copy.
 */
function giveEach(group: readonly Waiting[], value: unknown, isFirstCharged: boolean): void {
  const bytes = bytesOf(value)
  const rows = new SharedRows(value, group.length)
  for (const [index, waiting] of group.entries()) {
    try {
      if (index === 0 && !isFirstCharged) waiting.read.reads?.settle(bytes)
      waiting.handOut(rows, { bytes, isCharged: index === 0 })
    } catch (error) {
      waiting.reject(error)
    }
  }
}

function keyTextOf({ read }: Waiting): string {
  return textOfKey(Object.values(read.key))
}

/** Reads each alone. */
async function inLanes(groups: readonly (readonly Waiting[])[]): Promise<void> {
  const rest = groups.values()
  const lane = async () => {
    for (const group of rest) await readOnce(group)
  }
  await Promise.all(Array.from({ length: LANES }, lane))
}

/** Reads what several have asked for, for one of them. Who reads counts while it reads. Never rejects. */
async function readOnce(group: readonly Waiting[]): Promise<void> {
  const [first, ...others] = group.filter(isGoing)
  if (first === undefined) return
  let rows: unknown
  try {
    rows = await first.read.readAlone()
  } catch (error) {
    // Its time is over, its client has left, or it asks for too much: that is no reason to refuse other operations.
    const isApart = (each: Waiting) => isOfOperation(error) && each.read.reads !== first.read.reads
    for (const { reject } of [first, ...others.filter((each) => !isApart(each))]) reject(error)
    return readOnce(others.filter(isApart))
  }
  giveEach([first, ...others], rows, true)
}

/** Whether its operation still wants the rows; otherwise it is refused. */
function isGoing({ read: { reads }, reject }: Waiting): boolean {
  try {
    reads?.check()
    return true
  } catch (error) {
    reject(error)
    return false
  }
}
