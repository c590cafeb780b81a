#!/usr/bin/env node
/** Beside the spine, cli. The program `rowcast`: reads the command line, runs a command, sets the exit code. */
import { readFileSync } from 'node:fs'
import process from 'node:process'
import { Command } from 'commander'
import { isRowcastError } from '../errors.ts'
import { listenForStop } from './stop-signals.ts'
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
    .showHelpAfterError('(add --help for the options)')
  addServiceOptions(program.command('serve'))
    .description('serve the models of rowcast.config.ts from the database of DATABASE_URL')
    .action(async (options) => {
      const { serve } = await import('./serve.ts')
      await serve(options, commandContext())
    })
  addServiceOptions(program.command('dev'))
    .description('the same for development; without DATABASE_URL it starts an embedded PostgreSQL')
    .option('--traffic', 'write sample changes continuously')
    .option('--data-folder <path>', 'where the embedded PostgreSQL keeps its data (default: .rowcast)')
    .option('--verbose', 'say more of what happens')
    .action(async (options) => {
      const { dev } = await import('./dev.ts')
      await dev(options, { ...commandContext(), terminal })
    })
  return program
}

function addServiceOptions(command: Command): Command {
  return command
    .option('-c, --config <file>', 'the config file (default: rowcast.config.ts, .mts, .js or .mjs)')
    .option('-p, --port <number>', 'port to listen on, 0 for any free one (default: PORT or 4000)')
    .option('--host <address>', 'address to listen on (default: HOST or 127.0.0.1)')
}

function commandContext() {
  const stop = listenForStop({
    source: process,
    nowMs: () => performance.now(),
    onForced: () => process.exit(130),
  })
  return { env: process.env, folder: process.cwd(), stop }
}

/** Errors of ours are one screen: what happened and what to do. Others are bugs and keep their stack. */
function reportFailure(to: Terminal, error: unknown): void {
  if (!isRowcastError(error)) {
    to.print(error instanceof Error ? (error.stack ?? error.message) : String(error))
    return
  }
  const [happened = ''] = error.message.split(` Mend: ${error.mend}`)
  to.print(`\n${to.style('red', happened)}\n${to.style('bold', 'Mend:')} ${error.mend}\n`)
}

try {
  await createProgram().parseAsync()
} catch (error) {
  reportFailure(errorTerminal, error)
  process.exitCode = 1
}
