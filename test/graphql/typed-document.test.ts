import type { ResultOf, VariablesOf } from '@graphql-typed-document-node/core'
import { type ExecutionResult, subscribe, validate } from 'graphql'
import { describe, expect, expectTypeOf, it } from 'vitest'
import { catalog } from '../../prisma/generated/rowcast.ts'
import { buildServiceSchema } from '../../src/graphql/service-schema.ts'
import { UserChangedDocument } from '../generated/gql/graphql.ts'
import { createFakeFeed } from './fake-feed.ts'
import { createRecordingPrisma } from './recording-prisma.ts'

type Result = ResultOf<typeof UserChangedDocument>

describe('the sample document that GraphQL Code Generator typed', () => {
  it('is typed as it arrives', async () => {
    const feed = createFakeFeed(catalog, ['User'])
    const prisma = createRecordingPrisma()
    const schema = buildServiceSchema({ catalog, prisma, feed, models: { User: {} } })
    expect(validate(schema, UserChangedDocument)).toEqual([])
    const variableValues: VariablesOf<typeof UserChangedDocument> = { action: 'DELETE' }
    const results = await subscribe({
      schema,
      document: UserChangedDocument,
      contextValue: {},
      variableValues,
    })
    if (!(Symbol.asyncIterator in results)) throw new Error(JSON.stringify(results.errors))
    feed.commit({
      action: 'DELETE',
      old: { id: 'ada', email: 'ada@example.com', balance: 1.5 },
      key: { id: 'ada' },
    })
    const { data } = (await results.next()).value as ExecutionResult<Result>
    expect(data?.userChanged.action).toBe('DELETE')
    expect(data?.userChanged.old?.balance).toBe('1.5')
    expect(data?.userChanged.new).toBeNull()
  })

  it('narrows `new` by the type of the change', () => {
    type Change = Result['userChanged']
    expectTypeOf<Extract<Change, { __typename: 'UserInserted' }>['new']>().not.toBeNullable()
    expectTypeOf<Extract<Change, { __typename: 'UserUpdated' }>['new']>().not.toBeNullable()
    expectTypeOf<Extract<Change, { __typename: 'UserDeleted' }>['new']>().toBeNullable()
  })

  it('has the scalars as strings, and the row nullable', () => {
    type Row = NonNullable<Result['userChanged']['new']>
    expectTypeOf<Result['userChanged']['old']>().toBeNullable()
    expectTypeOf<Row['balance']>().toBeString()
    expectTypeOf<Row['storageBytes']>().toBeString()
    expectTypeOf<Row['settings']>().toBeUnknown()
    expectTypeOf<Row['fullName']>().toEqualTypeOf<string | null>()
    expectTypeOf<Result['userChanged']['committedAt']>().toEqualTypeOf<string | null>()
  })
})
