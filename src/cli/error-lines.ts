/** Beside the spine, cli. Errors as lines of a terminal. Pure. */
import type { RowcastError } from '../errors.ts'
import type { Terminal } from './terminal.ts'

/** An error of ours: what happened, a line for each thing in its list, and what to do. */
export function errorLines(
  { style }: Pick<Terminal, 'style'>,
  { code, happened, hint }: Pick<RowcastError, 'code' | 'happened' | 'hint'>,
): readonly string[] {
  // Its own line breaks only: those in names are escaped in it.
  const lines = `[${code}] ${happened}`.split('\n')
  return [...lines.map((line) => style('red', line)), `${style('bold', 'Hint:')} ${hint}`]
}

/** An error that is a bug, with its stack. What it says is one line, whoever's words are in it; the frames follow. */
export function bugLines(error: unknown): readonly string[] {
  const head = String(error)
  const stack = error instanceof Error ? (error.stack ?? '') : ''
  if (stack.startsWith(head)) return [head, ...stack.slice(head.length + 1).split('\n')]
  // Of an error that was renamed, or given other words, after its stack was made: which lines are frames is not known, so it is one line.
  return stack === '' ? [head] : [head, stack]
}
