/** Rows that Prisma Client cannot read, as the client itself says it: over an adapter that returns what a database would. */
import { expect, it, onTestFinished } from 'vitest'
import { PrismaClient } from '../../prisma/generated/client/client.ts'
import { isRowRefused } from '../../src/graphql/prisma-refusal.ts'

type Adapter = Extract<ConstructorParameters<typeof PrismaClient>[0], { adapter: object }>['adapter']
/** ColumnTypeEnum.Json of @prisma/driver-adapter-utils. */
const JSON_COLUMN = 11

/** Each query returns one row of this column. */
function adapterOf(name: string, value: unknown): Adapter {
  const unused = () => Promise.reject(new Error('Not here.'))
  return {
    ...{ provider: 'postgres', adapterName: 'one-row' },
    connect: () =>
      Promise.resolve({
        ...{ provider: 'postgres', adapterName: 'one-row' },
        ...{ executeScript: unused, startTransaction: unused, executeRaw: unused },
        dispose: () => Promise.resolve(),
        queryRaw: () => Promise.resolve({ columnNames: [name], columnTypes: [JSON_COLUMN], rows: [[value]] }),
      }),
  }
}

async function errorOf(settings: unknown): Promise<unknown> {
  const prisma = new PrismaClient({ adapter: adapterOf('settings', settings) })
  onTestFinished(() => prisma.$disconnect())
  return prisma.user.findMany({ select: { settings: true } }).then(
    (rows) => rows,
    (error: unknown) => error,
  )
}

it.each([
  ['two documents, as in a list of lists', ['{"a":1}', '{"b":2}']],
  ['none, as in a list of an empty list', []],
  ['text that is none', '{'],
])('%s where one is to be: a refused row', async (_, settings) => {
  const error = await errorOf(settings)
  expect(error).toBeInstanceOf(Error)
  expect(isRowRefused(error)).toBe(true)
})

it('a document is read, and an error of the application is none of a row', async () => {
  expect(await errorOf('{"a":1}')).toEqual([{ settings: { a: 1 } }])
  expect(isRowRefused(new SyntaxError('Unexpected token'))).toBe(false)
})
