/**
 * Beside the spine, cli. `rowcast tail`: changes in the terminal, through a slot of its own that is gone with it: beside
 * the service, of which it takes nothing.
 */
import type { AnyChange } from '../changes/change.ts'
import { comparePositions, parseCursor } from '../changes/cursor.ts'
import { RowcastError } from '../errors.ts'
import { createFramePipeline, type FramePipeline } from '../source/session/frame-pipeline.ts'
import { openLookStream } from '../source/session/tail-session.ts'
import { modelsKeepingIdentity } from '../source/setup/setup-goal.ts'
import { serverOfSlot } from '../wire/driver-target.ts'
import { type ChangeChoice, createChangeChooser } from './change-filter-options.ts'
import { ExitCode } from './exit-code.ts'
import { formatChange, formatChangeJson } from './format-change.ts'
import { chooseModels, openProject, type Project, type ProjectOptions, withMoneyScale } from './project.ts'
import type { PrintContext } from './setup-commands.ts'
import type { StopSignals } from './stop-signals.ts'
import { untilAborted } from './stop-signals.ts'
import { createCatchUpProgress } from './tail-progress.ts'
import type { Terminal } from './terminal.ts'

/** Options of the command line. */
export interface TailOptions extends ProjectOptions, ChangeChoice {
  readonly json?: boolean | undefined
  /** A cursor, or `earliest`. */
  readonly from?: string | undefined
  /** Stops after so many changes. */
  readonly limit?: string | undefined
}

/** What a command that looks at changes may touch. */
export interface LookContext extends PrintContext {
  /** For what is not a change. */
  readonly notes: Terminal
  readonly stop: StopSignals
}

/** Making a slot waits for the transactions that are open; whoever looks at the terminal should know. */
const SLOT_PATIENCE_MS = 3_000

/** Prints changes until stopped. */
export async function tail(
  names: readonly string[],
  options: TailOptions,
  context: LookContext,
): Promise<ExitCode> {
  const project = await openProject(options, context)
  const { terminal, notes, stop } = context
  const stopped = new AbortController()
  const counted = withMoneyScale(project, () => pipeline?.registry.moneyScale)
  const printer = createChangePrinter(counted, names, options, {
    terminal,
    onLimit: () => stopped.abort(),
  })
  const after = options.from === undefined || options.from === 'earliest' ? null : parseCursor(options.from)
  const progress = createCatchUpProgress(notes)
  let pipeline: FramePipeline | null = null

  function show(change: AnyChange): void {
    const position = { commitLsn: change.transaction.commitLsn, index: change.index }
    if (after === null || comparePositions(position, after.position) > 0) printer.show(change)
  }

  const patience = setTimeout(
    () => notes.print(notes.style('dim', 'Waiting until the transactions that are open now have ended …')),
    SLOT_PATIENCE_MS,
  )
  const stream = await openLookStream(
    {
      // Earlier changes are in the service's slot alone.
      target: options.from === undefined ? project.target : serverOfSlot(project.target),
      publication: project.goal.publication,
      slot: options.from === undefined ? null : project.goal.slot,
      after,
      applicationName: 'rowcast tail',
    },
    {
      onStart({ origin, startLsn, serverLsn }) {
        clearTimeout(patience)
        if (options.json !== true) notes.print(notes.style('dim', greeting(project, names, options.from)))
        if (options.from !== undefined) progress.begin(startLsn, serverLsn)
        pipeline = createFramePipeline({
          ...pipelineParts(project, notes),
          origin,
          publish({ changes }) {
            progress.count(changes.length)
            for (const change of changes) show(change)
          },
        })
      },
      onMessage: (bytes, start, end) => pipeline?.accept(bytes, start, end),
      onPosition: (lsn) => progress.reach(lsn),
      backlog: () => terminal.backlog(),
    },
  ).finally(() => clearTimeout(patience))
  try {
    await Promise.race([stream.closed, untilAborted(AbortSignal.any([stop.listen(), stopped.signal]))])
  } finally {
    stream.closed.catch(() => undefined)
    await stream.close()
  }
  if (options.json !== true && printer.lastCursor !== null)
    notes.print(notes.style('dim', `To go on after the last of them: --from ${printer.lastCursor}`))
  return ExitCode.ok
}

/** Prints the changes that were asked for. */
export interface ChangePrinter {
  readonly count: number
  readonly lastCursor: string | null
  show(change: AnyChange): void
}

/** Creates one; `onLimit` is called when there are enough. @throws CLI_BAD_OPTION, BAD_FILTER, CATALOG_UNKNOWN_MODEL */
export function createChangePrinter(
  project: Project,
  names: readonly string[],
  options: ChangeChoice & Pick<TailOptions, 'json' | 'limit'>,
  { terminal, onLimit }: { readonly terminal: Terminal; readonly onLimit: () => void },
): ChangePrinter {
  const isChosen = createChangeChooser(project, names, options)
  const limit = readLimit(options.limit)
  let count = 0
  let lastCursor: string | null = null
  return {
    get count() {
      return count
    },
    get lastCursor() {
      return lastCursor
    },
    show(change) {
      if (count >= limit || !isChosen(change)) return
      count += 1
      lastCursor = change.cursor
      if (options.json === true) terminal.print(formatChangeJson(change))
      else terminal.print(...formatChange(change, terminal))
      if (count >= limit) onLimit()
    },
  }
}

function readLimit(text: string | undefined): number {
  if (text === undefined) return Number.POSITIVE_INFINITY
  if (/^[1-9]\d*$/.test(text)) return Number(text)
  throw new RowcastError('CLI_BAD_OPTION', `--limit is no number of changes: ${text}.`)
}

/** What every pipeline of this project is made of. */
export function pipelineParts({ config, goal, models, schema, softDelete }: Project, notes: Terminal) {
  return {
    ...{ catalog: config.catalog, models, schema, softDelete, keepsIdentity: modelsKeepingIdentity(goal) },
    onDrift: (model: string, drift: Error) =>
      notes.print(notes.style('yellow', `${model}: ${drift.message}`)),
  }
}

function greeting(project: Project, names: readonly string[], from: string | undefined): string {
  const models = chooseModels(project, names).map((model) => model.name)
  const where =
    from === undefined ? 'from now on' : `from ${from === 'earliest' ? 'the earliest kept' : 'the cursor'} on`
  return `Changes of ${models.join(', ')}, ${where}. Ctrl-C ends it.`
}
