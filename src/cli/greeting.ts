/** Beside the spine, cli. The calm lines that `rowcast dev` shows once it listens. Pure but for printing. */
import { GRAPHQL_PATH } from '../server/graphql-path.ts'
import type { Terminal } from './terminal.ts'

/** What there is to report. */
export interface Greeting {
  /** The server's address, `http://127.0.0.1:4000`. */
  readonly url: string
  readonly isGraphiqlEnabled: boolean
  readonly isLivePageEnabled: boolean
  /** Without a password that is not ours. */
  readonly databaseUrl: string
  /** Beside the address: `18.4, data in .rowcast/postgres-18`. */
  readonly databaseNote: string
  readonly models: readonly string[]
  readonly subscription: string
  readonly exampleSql: string | undefined
  /** What keeps changes from flowing, if anything does. */
  readonly obstacle: string | null
}

/** Prints it. */
export function printGreeting(terminal: Terminal, greeting: Greeting): void {
  const { url, models, subscription, exampleSql, obstacle } = greeting
  const endpoint = `${url}${GRAPHQL_PATH}`
  const rows: readonly (readonly [string, string, string])[] = [
    ...(greeting.isLivePageEnabled ? [['Live page', url, 'in a browser'] as const] : []),
    ...(greeting.isGraphiqlEnabled ? [['GraphiQL', endpoint, 'in a browser'] as const] : []),
    ['WebSocket', endpoint.replace(/^http/, 'ws'), 'graphql-transport-ws'],
    ['SSE', endpoint, 'Accept: text/event-stream'],
    ['PostgreSQL', greeting.databaseUrl, greeting.databaseNote],
  ]
  const addressWidth = Math.max(...rows.map(([, address]) => address.length))
  const line = (label: string, text: string): void =>
    terminal.print(`  ${terminal.style('bold', label.padEnd(12))}${text}`)
  terminal.print('')
  for (const [label, address, note] of rows) {
    const gap = ' '.repeat(addressWidth - address.length + 2)
    line(
      label,
      note === '' ? address : `${terminal.style('cyan', address)}${gap}${terminal.style('dim', note)}`,
    )
  }
  line('Live models', models.join(', '))
  printBlock(terminal, 'Subscribe:', subscription)
  if (exampleSql !== undefined) printBlock(terminal, 'Then change a row:', exampleSql)
  terminal.print('')
  if (obstacle !== null) terminal.print(`  ${terminal.style('yellow', 'Not live yet:')} ${obstacle}`, '')
}

function printBlock(terminal: Terminal, title: string, text: string): void {
  const indented = text.split('\n').map((each) => `    ${each}`)
  terminal.print('', `  ${terminal.style('dim', title)}`, '', ...indented)
}
