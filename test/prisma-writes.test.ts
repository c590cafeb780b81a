import { describe, expect, it } from 'vitest'
import { isPrelude, isWrite, isWritingSql, mayWrite } from '../src/prisma-writes.ts'

describe('SQL that writes and may stand in a transaction', () => {
  it.each([
    'INSERT INTO t VALUES (1)',
    ' \n( update t SET a = 1)',
    '-- whose\n/* it * is */ DELETE FROM t',
    'WITH gone AS (DELETE FROM t RETURNING *) SELECT * FROM gone',
    'MERGE INTO t USING s ON true WHEN MATCHED THEN DO NOTHING',
    'TRUNCATE t',
  ])('%j', (sql) => expect(isWritingSql(sql)).toBe(true))

  it.each([
    'SELECT * FROM t',
    "SELECT 'INSERT INTO t'",
    'WITH some AS (SELECT 1) SELECT * FROM some',
    'SET TRANSACTION ISOLATION LEVEL SERIALIZABLE',
    'VACUUM t',
    'CREATE INDEX CONCURRENTLY i ON t (a)',
    'CALL p()',
    'DO $$ BEGIN UPDATE t SET a = 1; COMMIT; END $$',
    'inserts',
    '',
    '/* never ends INSERT',
    '-- INSERT',
  ])('not %j', (sql) => expect(isWritingSql(sql)).toBe(false))

  it('is found in time proportional to its length', () => {
    for (const sql of [
      '/*'.repeat(50_000),
      '(-- '.repeat(50_000),
      `/*${'*'.repeat(100_000)}`,
      ' '.repeat(100_000),
    ])
      expect(isWritingSql(sql)).toBe(false)
  })
})

describe('calls of a Prisma Client', () => {
  it('write unless they are known to read: of a new one nobody knows', () => {
    const ofModel = (operation: string) => isWrite({ model: 'Tag', operation, args: {} })
    expect(['create', 'updateManyAndReturn', 'somethingNew'].map(ofModel)).toEqual([true, true, true])
    expect(['findMany', 'count', 'groupBy'].map(ofModel)).toEqual([false, false, false])
  })

  it('have their SQL in each of the forms that Prisma has', () => {
    const raw = (args: unknown) => isWrite({ operation: '$executeRaw', args })
    expect([raw({ sql: 'DELETE FROM t' }), raw([{ strings: ['DELETE FROM t WHERE a = ', ''] }])]).toEqual([
      true,
      true,
    ])
    expect([raw(['DELETE FROM t WHERE a = $1', 1]), raw('DELETE FROM t')]).toEqual([true, true])
    expect([raw([]), raw(null), raw({}), raw(7), raw([['SELECT ', ''], 1])]).toEqual([
      false,
      false,
      false,
      false,
      false,
    ])
  })

  it('have to come first in a transaction where PostgreSQL says so, or where a snapshot would be taken too early', () => {
    const sql = ['/* a */ SET TRANSACTION READ ONLY', 'lock table t', 'SELECT 1', 'settle', '']
    expect(sql.map((text) => isPrelude([text]))).toEqual([true, true, false, false, false])
    expect([isPrelude([['SET LOCAL a = ', ''], 1]), isPrelude([{ sql: 'LOCK t' }]), isPrelude([])]).toEqual([
      true,
      true,
      false,
    ])
  })

  it('may write in a list of them where they do not say what they are', () => {
    expect(
      [{ spec: { action: 'findMany' } }, { spec: { action: 'create' } }, {}, null].map(mayWrite),
    ).toEqual([false, true, true, true])
  })
})
