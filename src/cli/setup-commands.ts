/** Beside the spine, cli. `rowcast enable` and `rowcast disable`: what the models need in the database, and its end. */
import type { RowcastError } from '../errors.ts'
import { withDatabaseSession } from '../source/db/sql.ts'
import { readDatabaseFactsAt } from '../source/facts/database-facts.ts'
import { describeHolder, type LockWait } from '../source/setup/run-steps.ts'
import { runSetup } from '../source/setup/setup.ts'
import { planSetup, type SetupStep } from '../source/setup/setup-plan.ts'
import { runTeardown } from '../source/setup/teardown.ts'
import { ExitCode } from './exit-code.ts'
import { type Project, type ProjectOptions, type ProjectPlace, reportOf, withProjects } from './project.ts'
import type { Terminal } from './terminal.ts'

/** Options of both. */
export interface SetupCommandOptions extends ProjectOptions {
  readonly json?: boolean | undefined
  /** Only prints. */
  readonly dryRun?: boolean | undefined
  /** Without it `disable` only prints. */
  readonly yes?: boolean | undefined
}

/** What a command that prints may touch. */
export interface PrintContext extends ProjectPlace {
  readonly terminal: Terminal
}

/** Brings publication, replica identities and slot to where the live models need them. */
export function enable(options: SetupCommandOptions, context: PrintContext): Promise<ExitCode> {
  return withProjects(options, context, (project) => enableOne(project, options, context))
}

async function enableOne(
  project: Project,
  options: SetupCommandOptions,
  context: PrintContext,
): Promise<ExitCode> {
  const { target, goal } = project
  const onWait = printWaits(options, context)
  const skipped: RowcastError[] = []
  const onSkip = (why: RowcastError) => skipped.push(why)
  const steps =
    options.dryRun === true ? await plannedSteps() : await runSetup(target, goal, { onWait, onSkip })
  const done = options.dryRun !== true
  const { terminal } = context
  if (options.json === true)
    terminal.print(reportOf(project, { done, steps, skipped: skippedFacts(skipped) }))
  else {
    if (steps.length === 0) terminal.print('Everything is in place; nothing to do.')
    else printSteps(terminal, steps, done ? 'Done' : 'To do')
    printSkipped(terminal, skipped)
  }
  return ExitCode.ok

  async function plannedSteps(): Promise<readonly SetupStep[]> {
    const facts = await withDatabaseSession(target, (sql) => readDatabaseFactsAt(target, sql, goal))
    const plan = planSetup(facts, goal)
    const [problem] = plan.problems
    if (problem !== undefined) throw problem
    skipped.push(...plan.skipped)
    return plan.steps
  }
}

/** Models that `'*'` would have live, and whose tables cannot be: a line for each. */
export function printSkipped(terminal: Terminal, skipped: readonly RowcastError[]): void {
  for (const { happened } of skipped) terminal.print(terminal.style('dim', `Left out: ${happened}`))
}

/** The same for `--json`. */
export function skippedFacts(skipped: readonly RowcastError[]) {
  return skipped.map(({ code, happened, details }) => ({ code, message: happened, ...details }))
}

/** Takes away what `enable` made; cursors of clients are no good afterwards, hence `--yes`. */
export function disable(options: SetupCommandOptions, context: PrintContext): Promise<ExitCode> {
  return withProjects(options, context, (project) => disableOne(project, options, context))
}

async function disableOne(
  project: Project,
  options: SetupCommandOptions,
  context: PrintContext,
): Promise<ExitCode> {
  const { target, goal } = project
  const done = options.yes === true && options.dryRun !== true
  const left: string[] = []
  const onLeft = (sentence: string) => left.push(sentence)
  const onWait = printWaits(options, context)
  const steps = await runTeardown(target, goal, { isDry: !done, onWait, onLeft })
  const { terminal } = context
  if (options.json === true) terminal.print(reportOf(project, { done, steps, left }))
  else if (steps.length === 0 && left.length === 0)
    terminal.print('There is nothing of rowcast in this database.')
  else if (steps.length === 0) terminal.print('There is no slot of rowcast in this database.')
  else {
    printSteps(terminal, steps, done ? 'Done' : 'To do')
    if (!done)
      terminal.print('', `Nothing was changed. Run it with ${terminal.style('bold', '--yes')} to do this.`)
  }
  if (options.json !== true) for (const sentence of left) terminal.print(terminal.style('dim', sentence))
  return done || steps.length === 0 ? ExitCode.ok : ExitCode.findings
}

/** Whoever waits at the terminal sees for whom. */
function printWaits({ json }: SetupCommandOptions, { terminal }: PrintContext) {
  return ({ step, holders, pauseMs }: LockWait): void => {
    if (json === true) return
    const held = holders.length === 0 ? '' : `, held by ${holders.map(describeHolder).join('; ')}`
    terminal.print(terminal.style('dim', `No lock yet${held}; again in ${pauseMs} ms: ${step.sql}`))
  }
}

function printSteps(terminal: Terminal, steps: readonly SetupStep[], title: string): void {
  terminal.print(`${terminal.style('bold', title)}:`)
  for (const { sql, why } of steps) terminal.print('', `  ${sql};`, `  ${terminal.style('dim', `-- ${why}`)}`)
}
