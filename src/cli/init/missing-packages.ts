/** Beside the spine, cli. What a project does not have yet of what `rowcast serve` and the config need, with the commands that install it. */
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { PackageManager } from '../package-manager.ts'
import { installedAs, PEERS } from '../peers.ts'

/** Where packages are looked for. */
export interface PackagesOptions {
  readonly folder: string
  /** Of the package that has the schema and runs `prisma generate`; the same folder, or another. */
  readonly schemaFolder: string
  /** Beside what all need. */
  readonly needed: readonly string[]
  readonly manager: PackageManager
}

/** The commands, none where nothing is missing. */
export function missingPackages({
  folder,
  schemaFolder,
  needed,
  manager,
}: PackagesOptions): readonly string[] {
  const declared = declaredPackages(folder)
  const ofSchema = declaredPackages(schemaFolder)
  const missing = (names: readonly string[]) => names.filter((name) => !declared.has(name))
  const runtime = missing([...Object.keys(PEERS), '@prisma/adapter-pg', ...needed])
  const development = ofSchema.has('prisma') ? [] : ['prisma']
  return [
    ...(runtime.length === 0
      ? []
      : [
          manager.install(
            runtime.map(
              (name) => `${installedAs(name)}${versionOf(name, new Map([...ofSchema, ...declared]))}`,
            ),
          ),
        ]),
    ...(development.length === 0 ? [] : [manager.install(development, { isDev: true })]),
  ]
}

/** Prisma's packages go together in one version. */
function versionOf(name: string, declared: ReadonlyMap<string, string>): string {
  const prisma = declared.get('prisma') ?? declared.get('@prisma/client')
  if (!name.startsWith('@prisma/') || prisma === undefined || !/^[\^~]?\d/.test(prisma)) return ''
  return `@${prisma}`
}

/** What the project's package.json names, and those of the workspaces above it. */
export function declaredPackages(folder: string): ReadonlyMap<string, string> {
  const declared = new Map<string, string>()
  for (let place = folder; ; place = dirname(place)) {
    const file = join(place, 'package.json')
    if (existsSync(file))
      for (const [name, version] of dependenciesOf(file)) if (!declared.has(name)) declared.set(name, version)
    if (dirname(place) === place) return declared
  }
}

function dependenciesOf(file: string): readonly (readonly [string, string])[] {
  try {
    const text = JSON.parse(readFileSync(file, 'utf8')) as Record<string, Record<string, string> | undefined>
    return ['dependencies', 'devDependencies'].flatMap((field) => Object.entries(text[field] ?? {}))
  } catch {
    // The package manager says what is wrong with it.
    return []
  }
}
