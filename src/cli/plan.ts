/**
 * Beside the spine, cli. `rowcast plan`: the set-up as a migration of Prisma's, for those whose service may not ALTER.
 * The slot is not in it: PostgreSQL makes none in a transaction that has written, and Prisma runs a migration in one.
 */
import { dirname, join, relative, resolve } from 'node:path'
import { RowcastError } from '../errors.ts'
import { withDatabaseSession } from '../source/db/sql.ts'
import type { DatabaseFacts } from '../source/facts/database-facts.ts'
import { readDatabaseFactsAt } from '../source/facts/database-facts.ts'
import { readLockHolders } from '../source/setup/lock-holders.ts'
import { VERSION_18 } from '../source/setup/replica-identity.ts'
import { describeHolder } from '../source/setup/run-steps.ts'
import { planSetup, type SetupGoal, type SetupStep } from '../source/setup/setup-plan.ts'
import { quoteQualified, sqlComment } from '../wire/quote.ts'
import { ExitCode } from './exit-code.ts'
import { findPackageManager } from './package-manager.ts'
import { findMigrations } from './prisma-paths.ts'
import { type Project, type ProjectOptions, reportOf, withProjects } from './project.ts'
import { createFile } from './project-file.ts'
import { type PrintContext, printSkipped, skippedFacts } from './setup-commands.ts'
import type { Terminal } from './terminal.ts'

/** Options of the command line. */
export interface PlanOptions extends ProjectOptions {
  readonly json?: boolean | undefined
  /** Prints the migration instead of writing it. */
  readonly stdout?: boolean | undefined
  /** The Prisma schema, a file or a folder: migrations are beside it. @default where Prisma looks, from the config's folder */
  readonly schema?: string | undefined
  /** @default 'rowcast' */
  readonly name?: string | undefined
}

/** What it may touch. */
export interface PlanContext extends PrintContext {
  /** For what is not the migration. */
  readonly notes: Terminal
}

/** Writes the migration. */
export function plan(options: PlanOptions, context: PlanContext, now = new Date()): Promise<ExitCode> {
  // What is printed is the migration, and nothing else.
  const heading = options.stdout === true ? { ...context, terminal: context.notes } : context
  return withProjects(options, heading, (project) => planOne(project, options, context, now))
}

async function planOne(
  project: Project,
  options: PlanOptions,
  context: PlanContext,
  now: Date,
): Promise<ExitCode> {
  const { config, configFile, target, goal } = project
  const { lasting, holders, skipped, serverVersion } = await withDatabaseSession(target, async (sql) => {
    const facts = await readDatabaseFactsAt(target, sql, goal)
    const { steps, problems, skipped } = planSetup(asOwner(facts), goal)
    const [problem] = problems
    if (problem !== undefined) throw problem
    const identities = steps.filter((step) => step.kind === 'replica-identity')
    return {
      skipped,
      serverVersion: facts.serverVersion,
      lasting: steps.filter((step) => step.kind !== 'slot'),
      holders: await readLockHolders(
        sql,
        identities.flatMap(({ locks }) => locks ?? []),
      ),
    }
  })
  const { terminal } = context
  const left = skippedFacts(skipped)
  if (lasting.length === 0) {
    if (options.json === true) terminal.print(reportOf(project, { file: null, steps: [], skipped: left }))
    else {
      terminal.print('The database has what the models need; there is nothing to migrate.')
      printSkipped(terminal, skipped)
    }
    return ExitCode.ok
  }
  const sql = migrationSql(lasting, goal, serverVersion)
  if (options.stdout === true) {
    terminal.print(...sql.trimEnd().split('\n'))
    printSkipped(context.notes, skipped)
    return ExitCode.ok
  }
  const folder = await migrationsFolder(
    configFile,
    config.dev.migrationsFolder,
    options.schema && resolve(context.folder, options.schema),
  )
  const file = join(folder, `${timestamp(now)}_${readName(options.name)}`, 'migration.sql')
  await createFile(file, sql)
  const shown = relative(context.folder, file)
  if (options.json === true) {
    terminal.print(reportOf(project, { file: shown, steps: lasting, holders, skipped: left }))
    return ExitCode.ok
  }
  const deploy = findPackageManager(context.folder, context.env).run('prisma migrate deploy')
  terminal.print(`Wrote ${shown}. Review it, commit it, and run \`${deploy}\`.`)
  printSkipped(terminal, skipped)
  for (const holder of holders) {
    const name = quoteQualified(holder.schema, holder.table)
    terminal.print(terminal.style('yellow', `${name} is locked now by ${describeHolder(holder)}.`))
  }
  return ExitCode.ok
}

/** What the config says, else where Prisma has its migrations; never a folder that nobody reads. */
async function migrationsFolder(
  configFile: string,
  said: string | undefined,
  schema: string | undefined,
): Promise<string> {
  const folder = dirname(configFile)
  if (said !== undefined && schema === undefined) return resolve(folder, said)
  const migrations = await findMigrations(folder, schema)
  if (migrations !== null) return migrations
  const where = schema === undefined ? `beside ${configFile}` : `at ${schema}`
  const happened = `There is no Prisma schema ${where}, or its prisma.config cannot be run: where its migrations are is not known.`
  throw new RowcastError('CLI_NO_SCHEMA', happened, {
    hint: 'Name the schema (`rowcast plan --schema ../database/prisma`), or say `dev: { migrationsFolder: … }` in the config; `--stdout` prints the migration.',
  })
}

/** As the owner of everything would see it: what is planned does not depend on who plans. */
function asOwner(facts: DatabaseFacts): DatabaseFacts {
  const owned = <T>(table: T): T & { isOwned: true } => ({ ...table, isOwned: true })
  const { publication } = facts
  return {
    ...facts,
    mayReplicate: true,
    mayCreateInDatabase: true,
    tables: facts.tables.map(owned),
    publication:
      publication === null
        ? null
        : { ...owned(publication), unidentified: publication.unidentified.map(owned) },
  }
}

/** For whoever writes a later migration. */
const VIRTUAL_COLUMN_NOTE = [
  'A later migration that adds a column GENERATED … VIRTUAL to one of these tables must set the identity in the same statement,',
  'or PostgreSQL refuses UPDATE and DELETE for a moment: ALTER TABLE … ADD COLUMN … VIRTUAL, REPLICA IDENTITY DEFAULT;',
]
  .map(sqlComment)
  .join('\n')

function migrationSql(steps: readonly SetupStep[], goal: SetupGoal, serverVersion: number): string {
  const models = goal.tables.map((table) => table.model).join(', ')
  return [
    sqlComment(`Written by \`rowcast plan\`: what live changes of ${models} need.`),
    ...steps.map((step) => `${sqlComment(step.why)}\n${step.sql};`),
    ...(serverVersion >= VERSION_18 ? [VIRTUAL_COLUMN_NOTE] : []),
    `${sqlComment(`Replication slot "${goal.slot}" is not made here, because that takes a transaction that has written nothing:`)}\n${sqlComment('the service makes it when it starts. Its role needs REPLICATION (ALTER ROLE … WITH REPLICATION), and to SELECT.')}\n`,
  ].join('\n\n')
}

/** It becomes the name of a folder. */
function readName(name = 'rowcast'): string {
  if (/^\w{1,100}$/.test(name)) return name
  throw new RowcastError('CLI_BAD_OPTION', `--name cannot be a migration’s name: ${name}.`, {
    hint: 'Use letters, digits and _.',
  })
}

/** As Prisma names its migrations: 20261123041500. */
function timestamp(now: Date): string {
  return now.toISOString().replace(/\D/g, '').slice(0, 14)
}
