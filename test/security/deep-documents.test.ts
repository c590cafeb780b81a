/**
 * What other programs may write and rowcast reads as JSON (barriers of the database's messages, metadata, documents in Redis), with lists nested
 * so deeply that whoever walks over them would overflow the stack, in place of each member: it is none of rowcast's, and nothing throws.
 */
import { Buffer } from 'node:buffer'
import { crc32 } from 'node:zlib'
import { expect, it } from 'vitest'
import { parseEpoch } from '../../src/broker/epoch.ts'
import { parseMark } from '../../src/broker/mark.ts'
import { openDocument, sealDocument } from '../../src/broker/sealed-document.ts'
import { parseTableStates } from '../../src/broker/table-states.ts'
import { readMetadata } from '../../src/changes/transaction-metadata.ts'
import { parseBarrier } from '../../src/source/published/barrier-message.ts'
import { toLsn } from '../../src/wire/lsn.ts'

const LEVELS = 20_000
const DEEP = '['.repeat(LEVELS) + ']'.repeat(LEVELS)
const HOLE = '"a hole"'

/** The document with nested lists in place of each of its members, and of each member of those. */
function deepened(document: object): string[] {
  const texts: string[] = []
  const visit = (value: unknown, put: (hole: unknown) => object): void => {
    texts.push(JSON.stringify(put('a hole')).replace(HOLE, DEEP))
    if (typeof value !== 'object' || value === null) return
    for (const [name, member] of Object.entries(value))
      visit(member, (hole) =>
        put(Array.isArray(value) ? value.with(Number(name), hole) : { ...value, [name]: hole }),
      )
  }
  for (const [name, member] of Object.entries(document))
    visit(member, (hole) => ({ ...document, [name]: hole }))
  return texts
}

const TABLE = {
  ...{ oid: 1, evidence: 'a', fileNode: 2, toastOid: 3, parts: [[5, 6, 7, true]], rewriteMeans: 'nothing' },
}
const TRANSACTION = {
  ...{ xid: 1, commitLsn: toLsn(9n), committedAt: new Date(0) },
  ...{ origin: { systemId: '1', timeline: 1 }, metadata: null },
}

it('in barriers', () => {
  const barrier = { barrier: 1, slot: 's', published: { A: [TABLE] }, cut: ['A'], cleanFrom: '9' }
  const texts = deepened({ ...barrier, lasts: { A: ['9', 1] }, seen: '9', skip: true })
  expect(texts.length).toBeGreaterThan(15)
  for (const text of texts) {
    const message = { prefix: 'rowcast', content: Buffer.from(text), transaction: TRANSACTION }
    const read = parseBarrier(message, 's')
    expect(JSON.stringify([...(read?.published ?? [])]).length).toBeLessThan(LEVELS)
  }
})

it('in metadata of transactions', () => {
  for (const text of [DEEP, ...deepened({ actor: 'ada', tags: ['a', { b: 1 }] })])
    expect(readMetadata(Buffer.from(text)).fault).toBeDefined()
})

it('in documents of Redis', () => {
  const [version] = sealDocument({}, 'k').split(' ')
  const epoch = { id: 'a', systemId: '1', timeline: 1, kind: 'gap', floor: '9-9', serverLsn: '9' }
  const state = { model: 'A', schema: 'public', table: 'A', doesExist: true, isPublished: true }
  const documents = [
    { ...epoch, previous: { id: 'b', end: '1-1' }, reason: null, isOpen: true },
    { lsn: '9', last: '9-1', writer: 'w', tables: 't', seen: '9' },
    { tables: [{ ...state, unpublishedColumns: ['a'], standing: 'verified', published: TABLE }] },
  ]
  for (const text of documents.flatMap(deepened)) {
    for (const key of ['tables', 'k']) {
      // By hand: JSON.stringify would overflow.
      const sealed = `${version} ${crc32(text, crc32(key)).toString(16).padStart(8, '0')} ${text}`
      expect(openDocument(sealed, key)).not.toBe(null)
      for (const parse of [parseEpoch, parseMark, (content: string) => parseTableStates(content)])
        expect(() => parse(sealed, key)).not.toThrow()
    }
  }
})
