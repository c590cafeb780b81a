/** What `tail` and `replay` print. */
import { describe, expect, it } from 'vitest'
import { Decimal } from '../../src/catalog/prisma-runtime.ts'
import type { AnyChange } from '../../src/changes/change.ts'
import { formatChange, formatChangeJson } from '../../src/cli/format-change.ts'
import { createCatchUpProgress } from '../../src/cli/tail-progress.ts'
import { createTerminal } from '../../src/cli/terminal.ts'
import { toLsn } from '../../src/wire/lsn.ts'

const plain = { style: (_style: string, text: string) => text }

function change(more: object): AnyChange {
  const base = {
    ...{ model: 'User', action: 'UPDATE', index: 2, cursor: '01ab', changed: [], unavailable: [] },
    key: { id: 7 },
    transaction: { xid: 900, committedAt: new Date('2026-11-23T04:05:06.789Z'), commitLsn: toLsn(5n) },
  }
  return { ...base, ...more } as unknown as AnyChange
}

describe('a change', () => {
  it('shows what was before and what is now', () => {
    const old = { id: 7, name: 'a', size: 1n, at: new Date(0) }
    expect(
      formatChange(change({ old, new: { ...old, name: 'b', size: 2n }, changed: ['name', 'size'] }), plain),
    ).toEqual(['04:05:06.789 UPDATE   User id=7  tx 900 #2', '    ~ name: "a" → "b"', '    ~ size: 1 → 2'])
  })

  it.each([
    ['INSERT', { action: 'INSERT', old: null, new: { id: 7, bio: null } }, '    + id: 7'],
    ['DELETE', { action: 'DELETE', old: { id: 7 }, new: null }, '    - id: 7'],
    ['no difference', { old: { id: 7 }, new: { id: 7 } }, '    (nothing differs)'],
    ['no old row', { old: null, new: { id: 7 } }, '    = id: 7'],
    ['a value not sent', { old: { id: 7 }, new: { id: 7 }, unavailable: ['bio'] }, '    ? bio: not sent'],
  ])('has its own lines for %s', (_name, more, line) => {
    expect(formatChange(change(more), plain).slice(1)).toEqual([line])
  })

  it('does not let a value move the cursor, and keeps to a line', () => {
    const row = {
      text: `\u001b[2J\n${'x'.repeat(500)}`,
      bytes: Buffer.alloc(40, 0xab),
      price: new Decimal('1.50'),
      share: Number.NaN,
    }
    const lines = formatChange(change({ action: 'INSERT', old: null, new: row }), plain)
    expect(lines).toHaveLength(5)
    expect(lines[1]).toMatch(/^ {4}\+ text: "\\u001b\[2J\\nx+…$/)
    expect(lines[2]).toBe(`    + bytes: \\x${'ab'.repeat(16)}… (40 bytes)`)
    expect(lines[3]).toBe('    + price: 1.5')
    expect(lines[4]).toBe('    + share: NaN')
  })

  it('is one line of JSON that loses nothing', () => {
    const row = {
      big: 2n ** 60n,
      price: new Decimal('1.10'),
      bytes: Buffer.from([0, 255]),
      at: new Date(0),
      far: [-Infinity, NaN],
    }
    const line = formatChangeJson(change({ action: 'INSERT', old: null, new: row }))
    expect(line).not.toContain('\n')
    expect(JSON.parse(line)).toMatchObject({
      ...{ model: 'User', action: 'INSERT', key: { id: 7 }, old: null, cursor: '01ab' },
      new: {
        big: '1152921504606846976',
        price: '1.1',
        bytes: 'AP8=',
        at: '1970-01-01T00:00:00.000Z',
        far: ['-Infinity', 'NaN'],
      },
      transaction: { xid: '900', index: 2 },
    })
  })
})

describe('a catch-up', () => {
  it('shows share, rate and time left, now and then, and its end once', () => {
    const said: string[] = []
    let nowMs = 0
    const notes = { ...plain, print: (text: string) => said.push(text), backlog: () => null }
    const progress = createCatchUpProgress(notes, () => nowMs)
    progress.begin(toLsn(1_000n), toLsn(2_000n))
    progress.count(300)
    progress.reach(toLsn(1_100n))
    nowMs = 2_000
    progress.reach(toLsn(1_250n))
    progress.count(3_000)
    progress.reach(toLsn(1_260n))
    nowMs = 8_000
    progress.reach(toLsn(2_000n))
    progress.reach(toLsn(3_000n))
    progress.count(1)
    expect(said).toEqual([
      'Catching up: 25 %, 300 changes, 150/s, 6.0 s left',
      'Caught up: 3,300 changes in 8.0 s.',
    ])
  })
})

describe('colour', () => {
  const style = (isTTY: boolean, env: Record<string, string>) =>
    createTerminal({ isTTY, write: () => true }, env).style('red', 'x')
  it.each([
    [true, {}, true],
    [false, {}, false],
    [true, { NO_COLOR: '1' }, false],
    [true, { TERM: 'dumb' }, false],
    [false, { FORCE_COLOR: '1' }, true],
    [true, { FORCE_COLOR: '0' }, false],
    [false, { FORCE_COLOR: '1', NO_COLOR: '1' }, true],
  ])('on a terminal %s with %j: %s', (isTTY, env, isColored) => {
    expect(style(isTTY, env) !== 'x').toBe(isColored)
  })

  it('waits for a reader that is slow', async () => {
    let drained = () => {}
    const stream = {
      writableNeedDrain: true,
      write: () => false,
      once: (_event: 'drain', listener: () => void) => (drained = listener),
    }
    const backlog = createTerminal(stream, {}).backlog()
    expect(backlog).not.toBe(null)
    drained()
    await backlog
    expect(createTerminal({ write: () => true }, {}).backlog()).toBe(null)
  })
})
