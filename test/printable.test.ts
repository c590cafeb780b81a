/** Text of others where people read it: nothing in it starts a line, moves a cursor or ends a comment. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { bugLines, errorLines } from '../src/cli/error-lines.ts'
import { createTerminalLogger } from '../src/cli/loggers.ts'
import { createTerminal } from '../src/cli/terminal.ts'
import { RowcastError } from '../src/errors.ts'
import { escapeControls } from '../src/printable.ts'
import { quoteIdentifier, quoteLiteral, sqlComment } from '../src/wire/quote.ts'

const HOSTILE = 'a\u001b]0;title\u0007\r\n\\! touch gone\u009b2J\u202e\u2028b\u007f'
const CONTROL = /[\p{Cc}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/u
const anyText = fc.string({ unit: fc.oneof(fc.constantFrom(...HOSTILE), fc.string({ unit: 'grapheme' })) })

function openTerminal(isTTY: boolean) {
  let text = ''
  const stream = { isTTY, write: (added: string) => (text += added) }
  return { terminal: createTerminal(stream, {}), text: () => text }
}

describe('text of others', () => {
  it('is written with escapes that JSON knows, so that it still reads as the same string', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        expect(escapeControls(text)).not.toMatch(CONTROL)
        // What JSON leaves as it is in a string is what the escapes stand for.
        expect(JSON.parse(escapeControls(JSON.stringify(text)))).toBe(text)
      }),
    )
    expect(escapeControls('a\n\u001b[2J')).toBe('a\\n\\u001b[2J')
  })

  it('stays on its line in SQL, and leaves no comment', () => {
    fc.assert(
      fc.property(
        anyText.filter((text) => !text.includes('\0')),
        (text) => {
          for (const sql of [sqlComment(text), quoteIdentifier(text), quoteLiteral(text)])
            expect(sql).not.toMatch(CONTROL)
        },
      ),
    )
  })

  it('moves no cursor of a terminal, whoever put it there; the styles of our own stay', () => {
    const { terminal, text } = openTerminal(true)
    terminal.print(terminal.style('red', HOSTILE))
    expect(text().startsWith('\u001b[31ma\\u001b]0;title')).toBe(true)
    expect(text().endsWith('\u001b[39m\n')).toBe(true)
    expect(text().slice(5, -6)).not.toMatch(CONTROL)
    const pipe = openTerminal(false)
    pipe.terminal.print('\u001b[31mred\nline', 'another')
    expect(pipe.text()).toBe('\\u001b[31mred\\nline\nanother\n')
  })

  it('has no style but those that were asked for, and forges no line', () => {
    fc.assert(
      fc.property(anyText, anyText, (a, b) => {
        const { terminal, text } = openTerminal(true)
        const foreign = `${a}\u001b[1m\u001b[31m`
        terminal.print(`${foreign}${terminal.style('dim', foreign)}${b}`, foreign)
        const shown = escapeControls(foreign)
        expect(text()).toBe(`${shown}\u001b[2m${shown}\u001b[22m${escapeControls(b)}\n${shown}\n`)
      }),
    )
  })

  it('is one line of an error and of a bug, however many lines it has', () => {
    const { terminal, text } = openTerminal(false)
    const problem = new RowcastError('BUG', 'Two:', { list: ['a\n  - forged', HOSTILE], hint: HOSTILE })
    terminal.print(...errorLines(terminal, problem))
    expect(text().trimEnd().split('\n')).toHaveLength(5)
    const [head, ...frames] = bugLines(new TypeError('x\n    at forged (file.ts:1:1)'))
    expect(head).toBe('TypeError: x\n    at forged (file.ts:1:1)')
    expect(frames[0]).toMatch(/^ {4}at .*printable\.test/)
    expect(bugLines('a\nb')).toEqual(['a\nb'])
    const renamed = new Error('x\n    at forged (file.ts:1:1)')
    // Made when it is first asked for.
    const { stack } = renamed
    renamed.message = `Of the pool: ${renamed.message}`
    expect(bugLines(renamed)).toEqual([String(renamed), stack])
  })

  it('is one line of a log and of an error', () => {
    const { terminal, text } = openTerminal(false)
    createTerminalLogger(terminal, true).warn(HOSTILE, { table: HOSTILE })
    expect(text().trimEnd()).not.toMatch(CONTROL)
    const error = new RowcastError('BUG', HOSTILE, { hint: HOSTILE })
    expect(error.message).not.toMatch(CONTROL)
    expect(error.happened).toBe(escapeControls(HOSTILE))
    expect(new RowcastError('BUG', 'Two:', { list: ['a\nb', 'c'] }).happened).toBe('Two:\n  - a\\nb\n  - c\n')
  })
})
