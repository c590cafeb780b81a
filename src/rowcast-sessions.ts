/** Beside the spine. Sessions that are rows: how a server asks for them, and how it learns that one is gone. */
import { setTimeout as delay } from 'node:timers/promises'
import { compileCondition } from './bus/filter/compile-condition.ts'
import { constantOf } from './bus/filter/condition.ts'
import { parseWhere } from './bus/filter/parse-where.ts'
import type { ModelSpec } from './catalog/model-catalog.ts'
import { delegateName, prismaNameOf, withWholeRows } from './catalog/prisma-omit.ts'
import type { AnyRow } from './changes/change.ts'
import { invariant, isRowcastError, RowcastError } from './errors.ts'
import { ownCopy } from './graphql/policy/own-copy.ts'
import { memberOf } from './member-of.ts'
import type { RowcastParts } from './rowcast-parts.ts'
import { atFence, canFence } from './sets/fence.ts'
import { type FoundRow, type Gone, RowWatch, type WantedRow } from './sets/row-watch.ts'
import type { SessionRow, SessionRows } from './sets/session-rows.ts'
import { unmarkedWhere } from './sets/unmarked-where.ts'
import { withinAnswerTime } from './wire/answer-deadline.ts'
import { waitBoundsOf } from './wire/driver-target.ts'

/** Which model, and how a context of the application names its row. */
interface RowOf {
  readonly model: ModelSpec
  of(context: object): unknown
}

/** What it works with. */
type SessionParts = Pick<RowcastParts, 'bus' | 'guard' | 'visibility' | 'models' | 'catalog' | 'target'> & {
  readonly options: Pick<RowcastParts['options'], 'prisma'>
}

type Read = (query: object) => Promise<readonly AnyRow[]>

/** Follows the sessions of a model. @throws CATALOG_BAD_POLICY, CONFIG_BAD_FIELD */
export function followSessions(
  parts: SessionParts,
  isBlindTo: (model: string) => boolean,
  { model, of }: RowOf,
): SessionRows {
  if (model.primaryKey.length === 0)
    throw new RowcastError(
      'CATALOG_BAD_POLICY',
      `Sessions are rows of ${model.name}, which has no primary key.`,
      {
        hint: 'Give the model an `@id` or `@@id`.',
      },
    )
  const { bus, guard, visibility } = parts
  const watch = new RowWatch({
    ...{ model, guard, read: readerOf(parts, model) },
    look: () => visibility.look(),
    isBlind: () => bus.watchers.isHeld(model.name) || isBlindTo(model.name),
    wait: delay,
    every(ms, call) {
      const timer = setInterval(guard.wrap('look whether changes come', call), ms).unref()
      return () => clearInterval(timer)
    },
  })
  bus.watchers.add({
    onPart: (part) => watch.onPart(part),
    onLost: (lost) => {
      if (lost === null || lost === model.name) watch.onLost()
    },
    onRewound: (lsn) => watch.onRewound(lsn),
  })
  const rows = new WeakMap<SessionRow, FoundRow>()
  return {
    async find(context) {
      const wanted = await wantedOf(parts, model, () => of(context))
      if (wanted === null) return null
      const found = await watch.find(wanted).catch(unchecked)
      if (found === 'several') throw failed('names more than one row')
      if (found === 'restless') throw unchecked('It changes faster than it can be read.')
      if (found === null) throw gone('gone')
      const row: SessionRow = { isSessionRow: true }
      rows.set(row, found)
      return row
    },
    watch(row, onGone) {
      const found = rows.get(row)
      invariant(found !== undefined, 'A session row is watched where it was found.')
      return watch.watch(found, (why) => onGone(gone(why)))
    },
  }
}

function readerOf({ options: { prisma }, models, target }: SessionParts, model: ModelSpec): Read {
  const delegate: unknown = memberOf(withWholeRows(Object(prisma)), delegateName(prismaNameOf(model)))
  const findMany = memberOf(delegate, 'findMany')
  if (typeof findMany !== 'function')
    throw new RowcastError(
      'CONFIG_BAD_FIELD',
      'Sessions are rows, and there is no Prisma Client to read them with.',
      {
        hint: 'Give createRowcast a `prisma`.',
      },
    )
  const { answerTimeoutMs } = waitBoundsOf(target)
  const checkSeen = seenCheck(Object(prisma), model, answerTimeoutMs)
  return async ({ where, ...query }: { readonly where?: object }) => {
    const there = unmarkedWhere(model, models.options.get(model.name)?.softDelete)
    const asked = { ...query, where: there === null ? where : { AND: [where, there] } }
    const found: Promise<readonly AnyRow[]> = findMany.call(delegate, asked)
    // One connection of the pool that fell silent is not to keep all sessions from being looked for again.
    const rows = await withinAnswerTime(found, answerTimeoutMs)
    if (rows.length === 0) await checkSeen(asked)
    return rows
  }
}

/** How long it is known that no rows are hidden. */
const SEEN_MS = 10_000

/** A session that row level security hides is not over. @returns what throws SOURCE_ROW_SECURITY where it hides rows of the table */
function seenCheck(client: object, model: ModelSpec, timeoutMs: number): (query: object) => Promise<void> {
  let seenUntilMs = 0
  return async (query) => {
    if (!canFence(client) || performance.now() < seenUntilMs) return
    await atFence(client, model, timeoutMs, (findMany) => findMany({ ...query, take: 1 }))
    seenUntilMs = performance.now() + SEEN_MS
  }
}

/** Null where the client has no session, and needs none. What cannot be read lets nobody in. */
async function wantedOf(
  { catalog }: Pick<SessionParts, 'catalog'>,
  model: ModelSpec,
  ask: () => unknown,
): Promise<WantedRow | null> {
  let answer: unknown
  try {
    answer = ownCopy(await ask())
  } catch (cause) {
    throw failed('threw, or answered with what cannot be read', cause)
  }
  if (answer === null) return null
  if (typeof answer !== 'object') throw failed('answered with neither a filter nor null')
  try {
    const condition = parseWhere(model, catalog, answer, {
      path: 'of',
      emptyGroups: 'refuse',
      emptyObjects: 'refuse',
    })
    if (constantOf(condition) === true) throw failed('answered with a filter that every row matches')
    return { where: answer, test: compileCondition(condition) }
  } catch (error) {
    if (!isRowcastError(error) || error.code === 'POLICY_FAILED') throw error
    throw failed(`answered with a filter that cannot be used: ${error.message}`)
  }
}

function failed(what: string, cause?: unknown): RowcastError {
  return new RowcastError('POLICY_FAILED', `\`sessions.of\` ${what}.`, { cause })
}

/** The database is in trouble: later there may be an answer. */
function unchecked(cause: unknown): never {
  throw new RowcastError('CONTEXT_TIMEOUT', 'The server could not look for the session.', { cause })
}

const SENTENCES: Readonly<Record<Gone, string>> = {
  gone: 'The session is over.',
  unchecked: 'The session could not be checked.',
}

function gone(why: Gone): RowcastError {
  return new RowcastError('SESSION_REVOKED', SENTENCES[why])
}
