/** A worker, as docs/types.md says, that meets values which Prisma Client cannot show. */
import { explainUnrepresentable, type UnrepresentableReason, UnrepresentableValue } from 'rowcast'
import { expect, it } from 'vitest'
import { openDatabase } from './support/database.ts'
import { openLiveRowcast, takeChanges } from './support/live-rowcast.ts'

/** What a program of somebody's own asks of a row: which fields it cannot use, and why. */
function listUnusable(row: object) {
  const unusable: Record<string, [UnrepresentableReason, unknown]> = {}
  for (const [field, value] of Object.entries(row)) {
    const why = explainUnrepresentable(value)
    if (why !== null) unusable[field] = [why.reason, why.value]
  }
  return unusable
}

it('explainUnrepresentable says why a field cannot be used, and what it holds in the database', async () => {
  await using database = await openDatabase({ migrate: true })
  await using live = await openLiveRowcast(database, { models: ['User'] })
  const changes = live.rowcast.subscribe('User')
  await database.query(`ALTER TYPE user_role ADD VALUE 'robot'`)
  await database.query(`INSERT INTO users (email) VALUES ('ada@example.com')`)
  await database.query(`INSERT INTO users (email, role, tags, created_at)
    VALUES ('r2@example.com', 'robot', '{a,NULL}', 'infinity')`)
  const [usual, odd] = await takeChanges(changes, 2)
  if (usual?.action !== 'INSERT' || odd?.action !== 'INSERT') throw new Error('Two INSERTs were expected.')
  expect(listUnusable(usual.new)).toEqual({})
  expect(listUnusable(odd.new)).toEqual({
    role: ['unknown-label', 'robot'],
    tags: ['null-element', ['a', null]],
    createdAt: ['infinite-date', Number.POSITIVE_INFINITY],
  })
  expect(odd.new.role).toBeInstanceOf(UnrepresentableValue)
  expect(odd.new.createdAt).toBeInstanceOf(Date)
})
