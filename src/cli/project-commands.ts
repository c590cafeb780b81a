/** Beside the spine, cli. The commands beside `serve` and `dev`: their names, options and help. */
import process from 'node:process'
import type { Command } from 'commander'
import type { CommandContext } from './serve.ts'
import type { Terminal } from './terminal.ts'

/** What the commands are given when they run. */
export interface ProjectCommandOptions {
  readonly terminal: Terminal
  /** For what is not the answer: progress, warnings. */
  readonly notes: Terminal
  readonly context: () => CommandContext
}

/** What each command is given besides its options. */
type Context = () => CommandContext & Pick<ProjectCommandOptions, 'terminal' | 'notes'>

/** Adds the commands. */
export function addProjectCommands(program: Command, options: ProjectCommandOptions): void {
  const { terminal, notes } = options
  const context: Context = () => ({ ...options.context(), terminal, notes })
  program.commandsGroup('Set up:')
  addFirstSteps(program, context)
  addSetupCommands(program, context)
  program.commandsGroup('Look:')
  addTail(program, context)
  addQuestions(program, context)
  addRecordings(program, context)
}

function addFirstSteps(program: Command, context: Context): void {
  program
    .command('init')
    .description('add the generator to your Prisma schema and write rowcast.config.ts')
    .option('--schema <path>', 'the Prisma schema, a file or a folder (default: where Prisma looks)')
    .option('--json', 'say what was done as JSON')
    .action(async (given) => {
      const { init } = await import('./init/init.ts')
      process.exitCode = await init(given, context())
    })
  program
    .command('generate')
    .description(
      'write the catalog of a Prisma 8 project from its contract (Prisma 6 and 7: `prisma generate`)',
    )
    .option('--contract <file>', 'what `prisma contract emit` wrote (default: src/prisma/contract.json)')
    .option('--output <file>', 'the file to write (default: rowcast.ts beside the contract)')
    .option(
      '--schema <path>',
      'the .prisma file or folder that the contract is emitted from, for its comments (default: those beside the contract)',
    )
    .option('--json', 'say what was done as JSON')
    .action(async (given) => {
      const { generate } = await import('./generate.ts')
      process.exitCode = await generate(given, context())
    })
  withProject(program.command('doctor'))
    .description('look at config and database, and say what is or may become amiss')
    .addHelpText(
      'after',
      '\nExit code 3 when something keeps changes from flowing. Every code: docs/doctor.md in the package',
    )
    .action(async (given) => {
      const { doctor } = await import('./doctor/doctor.ts')
      process.exitCode = await doctor(given, context())
    })
  withProject(program.command('plan'))
    .description('write the set-up as a Prisma migration, for a service whose role may not ALTER')
    .option('--name <name>', 'last part of the migration’s name', 'rowcast')
    .option(
      '--schema <path>',
      'the Prisma schema that the migrations belong to, where it is in another package',
    )
    .option('--stdout', 'print it instead')
    .action(async (given) => {
      const { plan } = await import('./plan.ts')
      process.exitCode = await plan(given, context())
    })
}

function addSetupCommands(program: Command, context: Context): void {
  withProject(program.command('enable'))
    .description('create publication, replica identities and slot; idempotent (serve does it, too)')
    .option('--dry-run', 'only print')
    .action(async (given) => {
      const { enable } = await import('./setup-commands.ts')
      process.exitCode = await enable(given, context())
    })
  withProject(program.command('disable'))
    .description('drop slot and publication, and put the replica identities back')
    .option('--yes', 'do it; without, it only prints')
    .action(async (given) => {
      const { disable } = await import('./setup-commands.ts')
      process.exitCode = await disable(given, context())
    })
  withProject(program.command('skip'))
    .description('give up a transaction that PostgreSQL cannot send (SOURCE_ROW_UNREADABLE)')
    .requiredOption('--to <lsn>', 'the position behind it, as the error names it')
    .option('--yes', 'do it; without, it only prints')
    .action(async (given) => {
      const { skip } = await import('./skip.ts')
      process.exitCode = await skip(given, context())
    })
}

function addTail(program: Command, context: Context): void {
  withChoice(withProject(program.command('tail')).argument('[models...]', 'models to show (default: all)'))
    .description('watch changes in the terminal, beside a running service')
    .option(
      '--from <cursor>',
      "what the service's slot still has after a cursor, or all of it (`earliest`); consumes nothing",
    )
    .option('--limit <count>', 'stop after so many changes')
    .addHelpText(
      'after',
      `
Examples:
  rowcast tail                                   everything that commits from now on
  rowcast tail User --where '{"role": "ADMIN"}'  rows that are, become or cease to be admins
  rowcast tail --json | jq .new                  one JSON object a line
  rowcast tail --from earliest                   what the slot still has, 10 minutes by default
It reads through a temporary slot, which is gone when it ends.`,
    )
    .action(async (models, given) => {
      const { tail } = await import('./tail.ts')
      process.exitCode = await tail(models, given, context())
    })
}

function addQuestions(program: Command, context: Context): void {
  withProject(program.command('status'))
    .description('lag, slot health, and who reads the slot')
    .option('--url <url>', 'where the service is (default: where the config lets it listen)')
    .action(async (given) => {
      const { status } = await import('./status.ts')
      process.exitCode = await status(given, context())
    })
  withProject(program.command('slots'))
    .description('which slots of rowcast the server has, what they hold, and who reads them')
    .option('--drop <name>', 'drop this one, which nobody reads')
    .option('--foreign', "with --drop: although nothing says that it is rowcast's")
    .addHelpText('after', '\nExit code 3 when nobody reads one that is not this project’s.')
    .action(async (given) => {
      const { slots } = await import('./slots.ts')
      process.exitCode = await slots(given, context())
    })
  withProject(program.command('why'))
    .description('why a subscription did not get a change: ask a running service that has `debug`')
    .requiredOption('--cursor <cursor>', 'of the change')
    .requiredOption('--subscription <text or file>', 'the subscription, as the client sends it')
    .option('--variables <json>', 'its variables')
    .option('--url <url>', 'where the service is (default: where the config lets it listen)')
    .option('--header <header...>', 'as the client sends it: "authorization: Bearer …"')
    .addHelpText(
      'after',
      `
Example:
  rowcast why --cursor 01… --subscription 'subscription { userChanged(action: UPDATE) { cursor } }'
Exit code 3 when the change went no further. It shows names, never values, and no more than the client may see.`,
    )
    .action(async (given) => {
      const { why } = await import('./why.ts')
      process.exitCode = await why(given, context())
    })
}

function addRecordings(program: Command, context: Context): void {
  withProject(program.command('record').argument('<file>', 'a file that does not exist yet'))
    .description('write what PostgreSQL sends from now on to a file')
    .action(async (file, given) => {
      const { record } = await import('./record.ts')
      process.exitCode = await record(file, given, context())
    })
  withChoice(
    withProject(program.command('replay').argument('<file>').argument('[models...]', 'models to show')),
  )
    .description('print or serve the changes of a recording; needs no PostgreSQL')
    .option('--limit <count>', 'stop after so many changes')
    .option('--serve', 'serve them over GraphQL instead, as if they happened again')
    .option(
      '--without-sessions',
      'with --serve: let in whom `context` lets in, though the config has `sessions`',
    )
    .option('--interval <ms>', 'with --serve: time between two transactions', '500')
    .option('-p, --port <number>', 'with --serve: port to listen on (default: PORT or 4000)')
    .option('--host <address>', 'with --serve: address to listen on, whatever HOST says (default: 127.0.0.1)')
    .action(async (file, models, given) => {
      if (given.serve === true) {
        const { checkPeers } = await import('./peers.ts')
        checkPeers({ folder: context().folder, mayLackPothos: true })
      }
      const { replay } = await import('./replay.ts')
      process.exitCode = await replay(file, models, given, context())
    })
}

function withProject<C extends Command>(command: C): C {
  return command
    .option(
      '-c, --config <file>',
      'the config file (default: rowcast.config.ts, .mts, .cts, .js, .mjs or .cjs)',
    )
    .option('--source <name>', 'which of the `sources` of the config (default: each, where that can be)')
    .option('--json', 'answer as JSON') as C
}

function withChoice<C extends Command>(command: C): C {
  return command
    .option('--where <json>', 'only rows that are or were these, as in Prisma, of one model')
    .option('--action <actions...>', 'only these of INSERT, UPDATE, DELETE, TRUNCATE') as C
}
