/** How much of a row's former self a tuple holds, by the tables that may have written it; on a real server: partitions.pg.test.ts. */
import { describe, expect, it } from 'vitest'
import { judgeOldKind, WritingTables } from '../../src/catalog/writing-tables.ts'
import { decodeMessage } from '../../src/pgoutput/decode.ts'
import type { DeleteMessage, RelationMessage, ReplicaIdentity } from '../../src/pgoutput/messages.ts'
import { encodeMessage, text } from '../support/message-builder.ts'

const ROOT = 1

function relation(oid: number, replicaIdentity: ReplicaIdentity, keys: readonly string[]): RelationMessage {
  const columns = ['id', 'name', 'note'].map((name) => ({
    ...{ name, typeOid: 25, typeModifier: -1 },
    isKey: replicaIdentity === 'full' || keys.includes(name),
  }))
  return {
    kind: 'relation',
    streamXid: null,
    oid,
    schema: 'public',
    table: `t${oid}`,
    replicaIdentity,
    columns,
  }
}

const root = relation(ROOT, 'full', [])
const byKey = relation(2, 'default', ['id'])
const byName = relation(3, 'index', ['name'])
const byAll = relation(4, 'index', ['id', 'name', 'note'])
const full = relation(5, 'full', [])

const kindOf = (old: readonly (string | null)[], writers: readonly RelationMessage[]) =>
  judgeOldKind(deletion(old), root, writers)

function deletion(old: readonly (string | null)[]): DeleteMessage {
  const bytes = encodeMessage({
    ...{ kind: 'delete', streamXid: null, relationOid: ROOT, oldKind: 'full', new: null },
    old: old.map((value) => (value === null ? null : text(value))),
  })
  return decodeMessage(bytes, 0, bytes.length) as DeleteMessage
}

describe('a tuple that is marked as a whole row', () => {
  it('is one where every writer logs whole rows', () => {
    expect(kindOf(['1', null, null], [])).toBe('full')
  })

  it('is a key where a writer logs the key alone, and nothing else is filled', () => {
    expect(kindOf(['1', null, null], [byKey])).toBe('key')
    expect(kindOf([null, 'ada', null], [byName])).toBe('key')
  })

  it('is whole where a column is filled that none of those writers logs', () => {
    expect(kindOf(['1', 'ada', null], [byKey])).toBe('full')
    expect(kindOf(['1', 'ada', null], [byKey, byName])).toBe('full')
  })

  it('is not known to be whole where one of several may have written it', () => {
    expect(kindOf([null, 'ada', null], [byKey, byName])).toBe('key')
    expect(kindOf([null, null, null], [byKey])).toBe('key')
  })

  it('is whole where the key is the whole row', () => {
    expect(kindOf(['1', null, null], [byAll])).toBe('full')
  })
})

describe('writers of a table', () => {
  const writersOf = (tables: WritingTables, oid = ROOT) =>
    tables.partialWritersOf(oid).map((writer) => writer.oid)

  /** Relation messages, then a row of the table. */
  function see(tables: WritingTables, described: readonly RelationMessage[], row = ROOT): boolean {
    for (const message of described) tables.describe(message)
    return tables.noteRow(row)
  }

  it('are those that are described directly before its rows', () => {
    const tables = new WritingTables()
    expect(see(tables, [root, full])).toBe(false)
    expect(writersOf(tables)).toEqual([])
    expect(see(tables, [root, byKey])).toBe(true)
    expect(see(tables, [])).toBe(false)
    expect(see(tables, [root, byName])).toBe(true)
    expect(writersOf(tables)).toEqual([2, 3])
  })

  it('log whole rows once they are described so, wherever they belong by then', () => {
    const tables = new WritingTables()
    see(tables, [root, byKey])
    expect(see(tables, [root, { ...byKey, replicaIdentity: 'full' }])).toBe(true)
    expect(writersOf(tables)).toEqual([])
    see(tables, [root, byKey])
    see(tables, [relation(9, 'full', []), byKey], 9)
    expect([writersOf(tables), writersOf(tables, 9)]).toEqual([[], [2]])
    see(tables, [byKey], byKey.oid)
    expect(writersOf(tables, 9)).toEqual([])
  })

  it('are not the tables of a TRUNCATE, nor those of the connection before', () => {
    const tables = new WritingTables()
    tables.describe(byKey)
    tables.noteTruncate()
    expect(see(tables, [root])).toBe(false)
    see(tables, [root, byKey])
    tables.clear()
    expect(writersOf(tables)).toEqual([])
  })

  it('may be known from elsewhere', () => {
    const tables = new WritingTables()
    tables.describe(root)
    tables.replace(ROOT, [byName])
    expect([see(tables, []), writersOf(tables)]).toEqual([false, [3]])
    tables.replace(ROOT, [])
    expect(writersOf(tables)).toEqual([])
  })
})

it('a model whose table writes rows under another name is named, until they come under its own', () => {
  const writing = new WritingTables()
  const models = new Map([
    [ROOT, 'All'],
    [2, 'Part'],
  ])
  const behind = (oid: number) => writing.modelsBehind(oid, (each) => models.get(each))
  writing.describe(relation(9, 'full', []))
  writing.describe(byKey)
  expect(behind(9)).toEqual(['Part'])
  writing.noteRow(9)
  expect(behind(9)).toEqual([])
  writing.describe(byKey)
  expect(behind(2)).toEqual([])
  // A partition that is no model's own table writes the rows of its root.
  writing.noteRow(2)
  writing.describe(root)
  writing.describe(byName)
  expect(behind(ROOT)).toEqual([])
  writing.noteTruncate()
  expect(behind(9)).toEqual([])
})
