/** Rows at a fence are whole, whatever the Prisma Client leaves out of others, and as changes bring them. */
import { readdirSync, readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { withWholeRows } from '../../src/catalog/prisma-omit.ts'
import { UnrepresentableValue } from '../../src/catalog/values/unrepresentable-value.ts'
import { atFence } from '../../src/sets/fence.ts'
import { buildField, buildModel } from '../support/catalog-builder.ts'

/** As a Prisma Client with `omit: { user: { secret: true } }` has it: within a transaction as without. */
function omittingClient() {
  const session = {
    _globalOmit: { user: { secret: true } },
    _runtimeDataModel: { models: { User: { fields: [] } } },
    $queryRawUnsafe: async () => [{ snapshot: '1:1:', lsn: '0/1' }],
    user: {
      async findMany({ omit }: { readonly omit?: { readonly secret?: boolean } } = {}) {
        return [{ id: 1, ...(omit?.secret === false ? { secret: 'x' } : {}) }]
      },
    },
  }
  return {
    ...session,
    $transaction: <Result>(run: (client: typeof session) => Promise<Result>) => run(session),
  }
}

it('has the fields that the client omits', async () => {
  const client = withWholeRows(omittingClient())
  const { rows } = await atFence(
    client,
    buildModel([buildField('id', 'Int')], { name: 'User' }),
    1_000,
    (findMany) => findMany({}),
  )
  expect(rows).toEqual([{ id: 1, secret: 'x' }])
})

it('leaves a list of queries to the client', async () => {
  const given: unknown[] = []
  const client = withWholeRows({
    ...omittingClient(),
    $transaction: async (queries: unknown, options: unknown) => void given.push(queries, options),
  })
  await client.$transaction(['a query'], { isolationLevel: 'Serializable' })
  expect(given).toEqual([['a query'], { isolationLevel: 'Serializable' }])
})

it('has Json that is nested too deeply as changes have it, in rows of each model', async () => {
  let deep: unknown = {}
  for (let level = 0; level < 20_000; level += 1) deep = { deep }
  const findMany = async () => [{ id: 1, json: deep }]
  const session = {
    $queryRawUnsafe: async () => [{ snapshot: '1:1:', lsn: '0/1' }],
    ...{ user: { findMany }, post: { findMany } },
  }
  const client = { $transaction: <Result>(run: (given: typeof session) => Promise<Result>) => run(session) }
  const [user, post] = ['User', 'Post'].map((name) =>
    buildModel([buildField('id', 'Int'), buildField('json', 'Json')], { name }),
  )
  if (user === undefined || post === undefined) throw new Error('There are two models.')
  const { rows } = await atFence(client, user, 1_000, async (ownRows, { of }) => [
    ...(await ownRows({})),
    ...(await of(post)({})),
  ])
  expect(rows.map(({ json }) => json instanceof UnrepresentableValue && json.reason)).toEqual([
    'too-deep',
    'too-deep',
  ])
})

it('is where all rows that many share are read', () => {
  const source = new URL('../../src/', import.meta.url)
  const names = [
    ...readdirSync(new URL('sets/', source)).map((name) => `sets/${name}`),
    ...readdirSync(source).filter((name) => /^rowcast.*\.ts$/.test(name)),
  ]
  const reading = names.filter((name) =>
    /'findMany'|\.findMany\b/.test(readFileSync(new URL(name, source), 'utf8')),
  )
  // The row of a session goes to its own viewer's context, as Prisma Client has it.
  expect(reading.sort()).toEqual(['rowcast-sessions.ts', 'sets/fence.ts'])
})
