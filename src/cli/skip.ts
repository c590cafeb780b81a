/** Beside the spine, cli. `rowcast skip`: gives up a transaction that PostgreSQL cannot send. */
import { RowcastError } from '../errors.ts'
import { skipTransaction } from '../source/skip/skip-transaction.ts'
import { type Lsn, parseLsn } from '../wire/lsn.ts'
import { ExitCode } from './exit-code.ts'
import { openProject, type ProjectOptions } from './project.ts'
import type { PrintContext } from './setup-commands.ts'

/** Options of the command line. */
export interface SkipOptions extends ProjectOptions {
  readonly json?: boolean | undefined
  /** The position behind the transaction, as the error SOURCE_ROW_UNREADABLE names it. */
  readonly to: string
  /** Without it, it only looks. */
  readonly yes?: boolean | undefined
}

/** Longer than a failing stream takes for one attempt. */
const PATIENCE_MS = 10_000

/** Marks the transaction; answers with `findings` when nothing was done. @throws CLI_BAD_OPTION, SOURCE_SLOT_… */
export async function skip(options: SkipOptions, { terminal, ...place }: PrintContext): Promise<ExitCode> {
  const { target, goal } = await openProject(options, place)
  const done = options.yes === true
  const { slot } = goal
  const request = { goal, to: positionOf(options.to), isDry: !done, patienceMs: PATIENCE_MS }
  const skipped = await skipTransaction(target, request)
  if (options.json === true) {
    terminal.print(JSON.stringify({ done, slot, ...skipped }))
    return done ? ExitCode.ok : ExitCode.findings
  }
  const { to, models, tables } = skipped
  const wrote = tables === null ? 'any table, which the WAL does not say' : tables.join(', ') || 'no table'
  terminal.print(
    `${done ? 'Skipped' : 'To skip'}: the transaction right before ${to}, on slot "${slot}". It wrote to ${wrote}.`,
  )
  terminal.print(
    models.length === 0
      ? 'No live model has changes in it.'
      : `Subscriptions of ${models.join(', ')} end with RESYNC_REQUIRED, and so do their cursors from before: clients query again. All others go on.`,
  )
  if (!done)
    terminal.print('', `Nothing was changed. Run it with ${terminal.style('bold', '--yes')} to do this.`)
  return done ? ExitCode.ok : ExitCode.findings
}

function positionOf(text: string): Lsn {
  if (/^[0-9A-Fa-f]{1,8}\/[0-9A-Fa-f]{1,8}$/.test(text)) return parseLsn(text)
  throw new RowcastError('CLI_BAD_OPTION', '`--to` takes an LSN.', {
    hint: 'Give it as PostgreSQL prints it, such as 0/1A2B3C4D: the error SOURCE_ROW_UNREADABLE names it.',
  })
}
