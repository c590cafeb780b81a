/** Rows at a fence are whole, whatever the Prisma Client leaves out of others. */
import { expect, it } from 'vitest'
import { withWholeRows } from '../../src/catalog/prisma-omit.ts'
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
