/** A table that is locked for long: what waits for it ends in time, is not kept, and costs nothing once it goes on. */
import type { GraphQLError } from 'graphql'
import { expect, it } from 'vitest'
import { StatementGates } from '../../../src/graphql/reading/statement-gate.ts'

const codeOf = (error: GraphQLError) => error.extensions['code']

it('any number of statements that were given up do not keep those that follow from being run', async () => {
  const gates = new StatementGates(200)
  const locked: (() => void)[] = []
  const first = Array.from({ length: 4 }, () =>
    gates.run('User', () => new Promise<void>((resolve) => locked.push(resolve))),
  )
  let begun = 0
  const late = Array.from({ length: 20_000 }, () =>
    gates.run('User', async () => {
      begun += 1
    }),
  )
  const settled = await Promise.allSettled([...first, ...late])
  expect(settled.filter(({ status }) => status === 'rejected')).toHaveLength(20_004)
  const next = gates.run('User', () => Promise.resolve('rows'))
  for (const unlock of locked) unlock()
  expect(await next).toBe('rows')
  expect(begun).toBe(0)
})

it('four run at a time of one model, those that take too long fail with a code, and other models go on', async () => {
  const gates = new StatementGates(50)
  let running = 0
  const never = () =>
    new Promise(() => {
      running += 1
    })
  const failures = Array.from({ length: 9 }, () => gates.run('Post', never).catch(codeOf))
  expect(await gates.run('User', () => Promise.resolve('rows'))).toBe('rows')
  expect(new Set(await Promise.all(failures))).toEqual(new Set(['QUERY_TOO_SLOW']))
  expect(running).toBe(4)
})

it('what waits beyond the bound is refused at once', async () => {
  const gates = new StatementGates(60_000)
  for (let n = 0; n < 4 + 50_000; n += 1) void gates.run('Post', () => new Promise(() => undefined))
  expect(await gates.run('Post', () => Promise.resolve()).catch(codeOf)).toBe('QUERY_TOO_SLOW')
})

it("PostgreSQL's own statement timeout has the same code, and other errors are as they were", async () => {
  const gates = new StatementGates()
  const canceled = { meta: { driverAdapterError: { cause: { originalCode: '57014' } } } }
  expect(await gates.run('Post', () => Promise.reject(canceled)).catch(codeOf)).toBe('QUERY_TOO_SLOW')
  const other = new Error('connection lost')
  expect(await gates.run('Post', () => Promise.reject(other)).catch((error: unknown) => error)).toBe(other)
})
