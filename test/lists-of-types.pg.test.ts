/**
 * Live lists by fields of types that are ordered in ways of their own, with nulls at either end, of keys of several columns and of uuids, at the bounds
 * of `take`: after each transaction they are what `findMany` gives. What JavaScript orders otherwise than PostgreSQL is among the values.
 */
import { afterAll, beforeAll, expect, it } from 'vitest'
import { openDatabase, type TestDatabase } from './support/database.ts'
import { type LiveRowcast, openLiveRowcast } from './support/live-rowcast.ts'
import { type PickBelow, picker } from './support/mvcc-world.ts'

const SEED = Number(process.env['ROWCAST_TEST_SEED'] ?? 20_261_128)
const ROUNDS = process.env['ROWCAST_LONG'] === undefined ? 24 : 400
const TEAMS = [1, 2, 3].map((n) => `00000000-0000-4000-8000-00000000000${n}`)

let database: TestDatabase
let live: LiveRowcast
beforeAll(async () => {
  database = await openDatabase({ migrate: true })
  live = await openLiveRowcast(database, { models: ['User', 'Membership'] })
})
afterAll(async () => {
  await live?.[Symbol.asyncDispose]()
  await database?.[Symbol.asyncDispose]()
})

type Key = Readonly<Record<string, unknown>>
interface ListEvent {
  readonly kind: 'snapshot' | 'patch'
  readonly totalCount: number | null
  readonly rows?: readonly Key[]
  readonly operations?: readonly { readonly kind: string; readonly key: Key; readonly index: number }[]
}

const KEYS = { User: ['id'], Membership: ['userId', 'teamId'] } as const
type Model = keyof typeof KEYS
const keyText = (model: Model, row: Key) => KEYS[model].map((name) => String(row[name])).join(' ')

const LISTS: readonly { readonly model: Model; readonly orderBy: object; readonly take: number }[] = [
  { model: 'User', orderBy: [{ balance: 'desc' }], take: 4 },
  { model: 'User', orderBy: [{ reputation: 'asc' }], take: 4 },
  { model: 'User', orderBy: [{ reputation: 'desc' }, { storageBytes: 'asc' }], take: 1_000 },
  { model: 'User', orderBy: [{ storageBytes: 'desc' }], take: 3 },
  { model: 'User', orderBy: [{ avatar: { sort: 'asc', nulls: 'first' } }], take: 5 },
  { model: 'User', orderBy: [{ avatar: { sort: 'desc', nulls: 'last' } }], take: 2 },
  { model: 'User', orderBy: [{ birthDate: { sort: 'desc', nulls: 'first' } }, { role: 'desc' }], take: 5 },
  { model: 'User', orderBy: [{ birthDate: 'asc' }], take: 1 },
  { model: 'User', orderBy: [{ fullName: { sort: 'asc', nulls: 'first' } }, { isActive: 'desc' }], take: 5 },
  { model: 'User', orderBy: [], take: 1 },
  { model: 'Membership', orderBy: [{ isOwner: 'desc' }], take: 4 },
  { model: 'Membership', orderBy: [{ teamId: 'desc' }], take: 3 },
]

const oneOf = (pick: PickBelow, values: readonly string[]) => values[pick(values.length)] as string
const VALUES: Readonly<Record<string, readonly string[]>> = {
  balance: ['0', '0.10', '-5', '9999999999.99', '9999999999.98', '-0.01'],
  reputation: [`'NaN'`, `'Infinity'`, `'-Infinity'`, '0', `'-0'`, '0.1', '1e-320'],
  storage_bytes: ['9007199254740993', '9007199254740992', '-9007199254740993', '0', '9223372036854775807'],
  avatar: ['NULL', `'\\x'`, `'\\x00'`, `'\\x00ff'`, `'\\xff'`, `'\\x7f'`],
  birth_date: ['NULL', `'2000-01-01'`, `'1999-12-31'`, `'0001-01-01'`, `'9999-12-31'`],
  full_name: ['NULL', `''`, `'a'`, `'B'`, `'ä'`, `'-b'`, `'a b'`],
  role: [`'MEMBER'`, `'EDITOR'`, `'administrator'`],
  is_active: ['true', 'false'],
}
const NAMES = Object.keys(VALUES)
const USER = (pick: PickBelow) => `(SELECT id FROM users ORDER BY md5(id::text || '${pick(1_000)}') LIMIT 1)`
const anyValue = (pick: PickBelow, name: string) => oneOf(pick, VALUES[name] ?? [])
const anySet = (pick: PickBelow) => {
  const name = oneOf(pick, NAMES)
  return `${name} = ${anyValue(pick, name)}`
}

const WRITES: readonly ((pick: PickBelow) => string)[] = [
  (pick) =>
    `INSERT INTO users (email, ${NAMES.join(', ')}) VALUES (gen_random_uuid()::text, ${NAMES.map((name) => anyValue(pick, name)).join(', ')})`,
  (pick) => `UPDATE users SET ${anySet(pick)} WHERE id = ${USER(pick)}`,
  (pick) => `UPDATE users SET ${anySet(pick)} WHERE is_active = ${pick(2) === 0}`,
  // Out of the list and back in one transaction, with another value in between.
  (pick) => {
    const name = oneOf(pick, NAMES)
    const id = pick(1_000)
    const user = `(SELECT id FROM users ORDER BY md5(email || '${id}') LIMIT 1)`
    return [0, 1, 2]
      .map(() => `UPDATE users SET ${name} = ${anyValue(pick, name)} WHERE id = ${user}`)
      .join('; ')
  },
  (pick) => `UPDATE users SET id = gen_random_uuid() WHERE id = ${USER(pick)}`,
  (pick) => `DELETE FROM users WHERE id = ${USER(pick)}`,
  (pick) =>
    `INSERT INTO team_memberships (user_id, team_id, is_owner) SELECT id, '${oneOf(pick, TEAMS)}', ${pick(2) === 0} FROM users WHERE is_active ON CONFLICT DO NOTHING`,
  (pick) => `UPDATE team_memberships SET is_owner = NOT is_owner WHERE team_id = '${oneOf(pick, TEAMS)}'`,
  (pick) =>
    `UPDATE team_memberships m SET team_id = '${oneOf(pick, TEAMS)}' WHERE user_id = ${USER(pick)} AND (SELECT count(*) FROM team_memberships o WHERE o.user_id = m.user_id) = 1`,
  (pick) => (pick(8) === 0 ? 'TRUNCATE users CASCADE' : `DELETE FROM team_memberships WHERE is_owner`),
]

/** Puts a list together by its keys. */
async function follow(list: (typeof LISTS)[number], signal: AbortSignal, state: { keys: string[] }) {
  const { model, ...asked } = list
  const events = live.rowcast.list(model as 'User', { ...asked, signal } as never)
  for await (const event of events as AsyncIterable<ListEvent>) {
    const { kind, rows = [], operations = [] } = event
    const keys = kind === 'snapshot' ? rows.map((row) => keyText(model, row)) : [...state.keys]
    for (const { kind: what, key, index } of operations) {
      const at = keys.indexOf(keyText(model, key))
      expect(at >= 0).toBe(what !== 'INSERT')
      if (at >= 0) keys.splice(at, 1)
      if (what !== 'REMOVE') keys.splice(index, 0, keyText(model, key))
    }
    state.keys = keys
  }
}

async function search({ model, orderBy, take }: (typeof LISTS)[number]): Promise<string[]> {
  const byKey = KEYS[model].map((name) => ({ [name]: 'asc' }))
  const named = new Set((orderBy as object[]).flatMap(Object.keys))
  const all = [...(orderBy as object[]), ...byKey.filter((part) => !named.has(Object.keys(part)[0] ?? ''))]
  const select = Object.fromEntries(KEYS[model].map((name) => [name, true]))
  const query = { orderBy: all, take, select } as never
  const rows = await (model === 'User'
    ? live.prisma.user.findMany(query)
    : live.prisma.membership.findMany(query))
  return (rows as readonly Key[]).map((row) => keyText(model, row))
}

it('are what findMany gives after each transaction', async () => {
  for (const id of TEAMS)
    await database.query(`INSERT INTO "Team" (id, name, slug) VALUES ('${id}', 't', '${id}')`)
  const pick = picker(SEED)
  const ending = new AbortController()
  const states = LISTS.map(() => ({ keys: ['not there yet'] }))
  const following = LISTS.map((list, index) => follow(list, ending.signal, states[index] as never))
  try {
    for (let round = 0; round < ROUNDS; round += 1) {
      const writes = Array.from({ length: 1 + pick(3) }, () =>
        (WRITES[round < 8 ? 0 : pick(WRITES.length)] ?? (() => ''))(pick),
      )
      await database.query(['BEGIN', ...writes, 'COMMIT'].join('; '))
      const wanted = await Promise.all(LISTS.map(search))
      await Promise.race([
        expect.poll(() => states.map(({ keys }) => keys), { timeout: 30_000, interval: 5 }).toEqual(wanted),
        Promise.all(following).then(() => Promise.reject(new Error('They ended.'))),
      ])
    }
  } finally {
    ending.abort()
  }
  await Promise.all(following)
})
