/** Beside the spine, cli. Words for people: colour where a terminal shows it and nobody said no. */
import { randomUUID } from 'node:crypto'
import { inspect } from 'node:util'
import type { Environment } from '../config/resolve-config.ts'
import { escapeControls } from '../printable.ts'

/** A style of the few the CLI uses. */
export type Style = 'bold' | 'dim' | 'cyan' | 'yellow' | 'red' | 'green'

/** Somewhere to print. */
export interface Terminal {
  /**
   * Prints each text on a line of its own. Whatever is in it, it stays one line, and has no colours but those of `style`: control
   * characters, line breaks too, are escaped as JSON escapes them. Names and values of others forge no line, move no cursor and
   * set no title.
   */
  print(...lines: readonly string[]): void
  /** Text that `print` shows in the style; to anybody else it is no text. */
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
    print(...lines) {
      stream.write(lines.map((line) => `${renderLine(line)}\n`).join(''))
    },
    get width() {
      return stream.isTTY === true ? stream.columns : undefined
    },
    style: (style, text) => (isColored ? `${MARK}${style}${MARK}${text}${MARK}${MARK}` : text),
    backlog() {
      if (stream.writableNeedDrain !== true) return null
      return new Promise((resolve) => {
        stream.once?.('drain', () => resolve())
      })
    },
  }
}

/** Stands around the name of a style, and twice where it ends. Nobody who chooses a name or a value knows it. */
const MARK = randomUUID()

/** A line as the terminal gets it: styles as SGR sequences (ECMA-48, 8.3.117), everything else escaped. */
function renderLine(line: string): string {
  let style = ''
  const renderPart = (part: string, index: number): string => {
    if (index % 2 === 0) return escapeControls(part)
    const [open, close] = inspect.colors[part || style] ?? []
    const code = part === '' ? close : open
    style = part
    return code === undefined ? '' : `\u001b[${code}m`
  }
  return line.split(MARK).map(renderPart).join('')
}

function isColorWanted(stream: OutputStream, env: Environment): boolean {
  const forced = env['FORCE_COLOR']
  if (forced !== undefined) return forced !== '0' && forced !== 'false'
  return stream.isTTY === true && (env['NO_COLOR'] ?? '') === '' && env['TERM'] !== 'dumb'
}
