/** Beside the spine, cli. Words for people: colour where a terminal shows it and nobody said no. */
import { styleText } from 'node:util'
import type { Environment } from '../resolve-config.ts'

/** A style of the few the CLI uses. */
export type Style = 'bold' | 'dim' | 'cyan' | 'yellow' | 'red'

/** Somewhere to print. */
export interface Terminal {
  print(text: string): void
  style(style: Style, text: string): string
}

/** What a terminal needs of a stream. */
export interface OutputStream {
  readonly isTTY?: boolean | undefined
  write(text: string): unknown
}

/** Creates one. Colour only on a terminal, never with NO_COLOR set (https://no-color.org) or TERM=dumb. */
export function createTerminal(stream: OutputStream, env: Environment): Terminal {
  const isColored = stream.isTTY === true && (env['NO_COLOR'] ?? '') === '' && env['TERM'] !== 'dumb'
  return {
    print(text) {
      stream.write(`${text}\n`)
    },
    // The decision is made above, for this stream; styleText would judge standard output.
    style: (style, text) => (isColored ? styleText(style, text, { validateStream: false }) : text),
  }
}
