/** Beside the spine, cli. Words for people: colour where a terminal shows it and nobody said no. */
import { styleText } from 'node:util'
import type { Environment } from '../config/resolve-config.ts'
import { escapeControlsInLines } from '../printable.ts'

/** A style of the few the CLI uses. */
export type Style = 'bold' | 'dim' | 'cyan' | 'yellow' | 'red' | 'green'

/** Somewhere to print. */
export interface Terminal {
  /**
   * Prints text and a line break. Control characters that are not a style of ours are escaped, as JSON escapes them:
   * names and values of others move no cursor and set no title.
   */
  print(text: string): void
  style(style: Style, text: string): string
  /** Characters that fit on a line; absent where it is no terminal. */
  readonly width?: number | undefined
  /** Resolves when the reader of what was printed has caught up; null when there is nothing to wait for. */
  backlog(): Promise<void> | null
}

/** What a terminal needs of a stream. */
export interface OutputStream {
  readonly isTTY?: boolean | undefined
  readonly columns?: number | undefined
  readonly writableNeedDrain?: boolean | undefined
  write(text: string): unknown
  once?(event: 'drain', listener: () => void): unknown
}

/**
 * Creates one. Colour only on a terminal, never with NO_COLOR set (https://no-color.org) or TERM=dumb; FORCE_COLOR, as
 * Node.js has it, decides before both.
 */
export function createTerminal(stream: OutputStream, env: Environment): Terminal {
  const isColored = isColorWanted(stream, env)
  return {
    print(text) {
      stream.write(`${escapeForeign(text, isColored)}\n`)
    },
    get width() {
      return stream.isTTY === true ? stream.columns : undefined
    },
    // The decision is made above, for this stream; styleText would judge standard output.
    style: (style, text) => (isColored ? styleText(style, text, { validateStream: false }) : text),
    backlog() {
      if (stream.writableNeedDrain !== true) return null
      return new Promise((resolve) => {
        stream.once?.('drain', () => resolve())
      })
    },
  }
}

/** What `style` writes around a text: SGR sequences, ESC [ 1 m and the like. */
const STYLE_SEQUENCE = /(\p{Cc}\[\d{1,2}m)/u

function escapeForeign(text: string, isColored: boolean): string {
  if (!isColored) return escapeControlsInLines(text)
  return text
    .split(STYLE_SEQUENCE)
    .map((part, index) => (index % 2 === 1 && part.startsWith(ESCAPE) ? part : escapeControlsInLines(part)))
    .join('')
}

const ESCAPE = String.fromCharCode(27)

function isColorWanted(stream: OutputStream, env: Environment): boolean {
  const forced = env['FORCE_COLOR']
  if (forced !== undefined) return forced !== '0' && forced !== 'false'
  return stream.isTTY === true && (env['NO_COLOR'] ?? '') === '' && env['TERM'] !== 'dumb'
}
