#!/usr/bin/env node
/** Beside the spine, cli. The program `rowcast`: reads the command line, runs a command, sets the exit code. */
import { readFileSync } from 'node:fs'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { Command } from 'commander'
import { isRowcastError } from '../errors.ts'
import { boundGarbage } from './bound-garbage.ts'
import { bugLines, errorLines } from './error-lines.ts'
import { findPackageManager, hintFor, hintIn } from './package-manager.ts'
import { checkNode } from './peers.ts'
import { addProjectCommands } from './project-commands.ts'
import { createStopSignals } from './stop-signals.ts'
import { createTerminal, type Terminal } from './terminal.ts'

const terminal = createTerminal(process.stdout, process.env)
const errorTerminal = createTerminal(process.stderr, process.env)

/** Builds the command line. Commands are loaded when they run: each needs what the others do not. */
function createProgram(): Command {
  const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
    version: string
  }
  const program = new Command('rowcast')
    .description("PostgreSQL's own change stream as live, typed GraphQL for teams that use Prisma.")
    .version(version)
    .helpCommand(false)
    .showHelpAfterError('(add --help for the options)')
    .addHelpText('after', helpEnd)
    // Bad usage is 2, so that scripts can distinguish it from a failure.
    .exitOverride(({ exitCode }) => process.exit(exitCode === 0 ? 0 : 2))
  program.commandsGroup('Run:')
  addServiceOptions(program.command('serve'))
    .description('serve the models of rowcast.config.ts from the database of DATABASE_URL')
    .action(async (options) => {
      boundGarbage()
      await checkPeersOf(process.cwd())
      const { serve } = await import('./serve.ts')
      await serve(options, commandContext())
    })
  addServiceOptions(program.command('dev'))
    .description('the same for development; without DATABASE_URL it starts an embedded PostgreSQL')
    .option('--traffic', 'write sample changes continuously')
    .option('--data-folder <path>', 'where the embedded PostgreSQL keeps its data (default: .rowcast)')
    .option('--verbose', 'say more of what happens')
    .action(async (options) => {
      await checkPeersOf(process.cwd())
      const { dev } = await import('./dev.ts')
      await dev(options, { ...commandContext(), terminal })
    })
  addProjectCommands(program, { terminal, notes: errorTerminal, context: commandContext })
  return program
}

/** The page as it is installed. */
function docsFile(name: string): string {
  return fileURLToPath(new URL(`../../docs/${name}`, import.meta.url))
}

/** Before what imports them is loaded. Whether Pothos is needed, the config says. */
async function checkPeersOf(folder: string): Promise<void> {
  const { checkPeers } = await import('./peers.ts')
  checkPeers({ folder, mayLackPothos: true })
}

/** How the project here runs commands. */
const managerHere = () => findPackageManager(process.cwd(), process.env)

const helpEnd = () => `
Start with:
${[
  ['rowcast init', 'in your Prisma project, then'],
  ['prisma generate', 'writes client and catalog'],
  ['rowcast doctor', 'is the database of DATABASE_URL ready?'],
  ['rowcast serve', 'your models live, at http://127.0.0.1:4000/graphql'],
]
  .map(([command = '', does]) => `  ${managerHere().run(command).padEnd(30)}${does}`)
  .join('\n')}

Exit codes: 0 it did it, 1 it failed, 2 bad usage, 3 there is something to do (doctor, status, slots, disable, skip, why).
Colour only on a terminal; NO_COLOR and FORCE_COLOR are heeded. Docs: ${docsFile('cli.md')}`

function addServiceOptions(command: Command): Command {
  return command
    .option(
      '-c, --config <file>',
      'the config file (default: rowcast.config.ts, .mts, .cts, .js, .mjs or .cjs)',
    )
    .option('-p, --port <number>', 'port to listen on, 0 for any free one (default: PORT or 4000)')
    .option('--host <address>', 'address to listen on (default: HOST or 127.0.0.1)')
    .option(
      '--subgraph [entities]',
      "as a subgraph of Apollo Federation 2: 'rows' are found here by key, or 'keys' lead to another subgraph (default: rows)",
    )
    .option(
      '--role <role>',
      'all, tap or gateway; the latter two need REDIS_URL (default: ROWCAST_ROLE or all)',
    )
}

/** Before any command is loaded: what a signal ends, it ends from the beginning. */
const stop = createStopSignals({
  source: process,
  nowMs: () => performance.now(),
  onForced: (exitCode) => process.exit(exitCode),
})

function commandContext() {
  return { env: process.env, folder: process.cwd(), stop }
}

/** Errors of ours are one screen: what happened and what to do. Others are bugs and keep their stack. */
function reportFailure(to: Terminal, error: unknown): void {
  if (!isRowcastError(error)) {
    to.print(...bugLines(error))
    return
  }
  const hint = hintFor(managerHere(), hintIn(process.cwd(), error))
  if (process.argv.includes('--json')) {
    const { code, message } = error
    to.print(JSON.stringify({ error: { code, message, hint } }))
    return
  }
  to.print('', ...errorLines(to, { code: error.code, happened: error.happened, hint }), '')
}

// Whoever reads the output may leave first: `rowcast tail | head`.
process.stdout.on('error', () => process.exit(0))

try {
  checkNode(process.versions.node)
  await createProgram().parseAsync()
} catch (error) {
  reportFailure(errorTerminal, error)
  process.exitCode = 1
}
