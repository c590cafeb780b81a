/** Beside the spine, cli. `rowcast skip`: gives up a transaction that PostgreSQL cannot send. */
import { RowcastError } from '../errors.ts'
import { skipSlot } from '../source/skip-slot.ts'
import { type Lsn, parseLsn } from '../wire/lsn.ts'
import { formatBytes } from './doctor/examination.ts'
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

/** Longer than a failing stream waits between two attempts, and takes for one. */
const PATIENCE_MS = 30_000

/** Moves the slot; answers with `findings` when nothing was done. @throws CLI_BAD_OPTION, SOURCE_SLOT_… */
export async function skip(options: SkipOptions, { terminal, ...place }: PrintContext): Promise<ExitCode> {
  const { target, goal } = await openProject(options, place)
  const done = options.yes === true
  const { slot } = goal
  const skipped = await skipSlot(target, {
    slot,
    to: positionOf(options.to),
    isDry: !done,
    patienceMs: PATIENCE_MS,
  })
  if (options.json === true) {
    terminal.print(JSON.stringify({ done, slot, ...skipped }))
    return done ? ExitCode.ok : ExitCode.findings
  }
  const { from, to, bytes } = skipped
  terminal.print(
    `${done ? 'Skipped' : 'To skip'}: ${formatBytes(bytes)} of WAL, ${from} to ${to}, on slot "${slot}".`,
  )
  terminal.print(
    'Every subscription ends with RESYNC_REQUIRED, and so does every cursor from before: clients query again.',
  )
  if (!done)
    terminal.print(`\nNothing was changed. Run it with ${terminal.style('bold', '--yes')} to do this.`)
  return done ? ExitCode.ok : ExitCode.findings
}

function positionOf(text: string): Lsn {
  if (/^[0-9A-Fa-f]{1,8}\/[0-9A-Fa-f]{1,8}$/.test(text)) return parseLsn(text)
  throw new RowcastError('CLI_BAD_OPTION', '`--to` takes an LSN.', {
    mend: 'Give it as PostgreSQL prints it, such as 0/1A2B3C4D: the error SOURCE_ROW_UNREADABLE names it.',
  })
}
