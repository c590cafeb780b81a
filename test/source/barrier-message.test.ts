import { Buffer } from 'node:buffer'
import { expect, it } from 'vitest'
import { type Barrier, barrierSql, parseBarrier } from '../../src/source/published/barrier-message.ts'
import { toLsn } from '../../src/wire/lsn.ts'

const barrier: Barrier = {
  published: new Map([
    [
      "O'Item",
      [
        {
          oid: 1,
          evidence: 'a',
          fileNode: 2,
          toastOid: 3,
          parts: [[5, 6, 7, true]],
          rewriteMeans: 'nothing',
        },
      ],
    ],
  ]),
  cut: ["O'Item"],
  cleanFrom: toLsn(2n ** 63n + 1n),
}
const TRANSACTION = {
  ...{ xid: 1, commitLsn: toLsn(9n), committedAt: new Date(0) },
  origin: { systemId: '1', timeline: 1 },
  metadata: null,
}

/** What PostgreSQL sends of the statement's message. */
function contentOf(sql: string): string {
  const literal = /'rowcast', '(.*)'\)$/s.exec(sql)?.[1] ?? ''
  return literal.replaceAll("''", "'")
}

const messageOf = (content: string) => ({
  prefix: 'rowcast',
  content: Buffer.from(content),
  transaction: TRANSACTION,
})

it('a barrier comes back as it was written', () => {
  expect(parseBarrier(messageOf(contentOf(barrierSql(barrier, 'mine'))), 'mine')).toEqual(barrier)
})

it('what is no barrier of ours is none, whatever somebody wrote', () => {
  const good = contentOf(barrierSql(barrier, 'mine'))
  expect(parseBarrier({ ...messageOf(good), prefix: 'app' }, 'mine')).toBe(null)
  // One that stands outside its transaction stands in no order with the changes.
  expect(parseBarrier({ ...messageOf(good), transaction: null }, 'mine')).toBe(null)
  for (const text of ['', '{', 'null', '[]', '7', good.replace('"barrier":1', '"barrier":2')]) {
    expect(parseBarrier(messageOf(text), 'mine')).toBe(null)
  }
  for (const cleanFrom of ['"-1"', '1', '"0/1"']) {
    expect(
      parseBarrier(messageOf(good.replace(/"cleanFrom":"\d+"/, `"cleanFrom":${cleanFrom}`)), 'mine'),
    ).toBe(null)
  }
  expect(
    parseBarrier(messageOf(good.replace('"fileNode":2', '"fileNode":"2"')), 'mine')?.published.size,
  ).toBe(0)
})

it('what the readers of another slot know says nothing of what was missed in this one', () => {
  expect(parseBarrier(messageOf(contentOf(barrierSql(barrier, 'theirs'))), 'mine')).toBe(null)
})

it('a message that is larger than any of ours is not decoded: any role can write one, and ours would carry it on', () => {
  const named = (length: number) => {
    const published = new Map([...barrier.published, ['N'.repeat(length), []] as const])
    return parseBarrier(messageOf(contentOf(barrierSql({ ...barrier, published }, 'mine'))), 'mine')
  }
  expect(named(1_000_000)?.published.size).toBe(2)
  // Not the barrier itself: what a test prints of it has no end.
  expect(named(5_000_000) === null).toBe(true)
})
