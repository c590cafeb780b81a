/** Beside the spine, cli. Which package manager a project uses, and what its commands are called. */
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Environment } from '../config/resolve-config.ts'
import type { RowcastError } from '../errors.ts'

/** A package manager's commands, to show to people. */
export interface PackageManager {
  readonly name: ManagerName
  /** `npm install --save-dev tsx`. */
  install(packages: readonly string[], options?: { readonly isDev?: boolean }): string
  /** `npx prisma generate`. */
  run(command: string): string
}

type ManagerName = 'npm' | 'pnpm' | 'yarn' | 'bun' | 'deno'

/** A hint, with its commands (`prisma generate`, `rowcast enable`) as the package manager runs them: `npx prisma generate`. Pure. */
export function hintFor({ run }: PackageManager, hint: string): string {
  return hint.replace(/`((?:prisma|rowcast) [^`]+)`/g, (_, command: string) => `\`${run(command)}\``)
}

/** By the lock file it writes. */
const LOCK_FILES: readonly (readonly [string, ManagerName])[] = [
  ['pnpm-lock.yaml', 'pnpm'],
  ['yarn.lock', 'yarn'],
  ['bun.lock', 'bun'],
  ['bun.lockb', 'bun'],
  ['package-lock.json', 'npm'],
  ['npm-shrinkwrap.json', 'npm'],
  ['deno.lock', 'deno'],
]

const COMMANDS: Readonly<Record<ManagerName, { add: string; dev: string; run: string }>> = {
  npm: { add: 'npm install', dev: '--save-dev', run: 'npx' },
  pnpm: { add: 'pnpm add', dev: '--save-dev', run: 'pnpm exec' },
  yarn: { add: 'yarn add', dev: '--dev', run: 'yarn' },
  bun: { add: 'bun add', dev: '--dev', run: 'bunx' },
  deno: { add: 'deno add', dev: '--dev', run: 'deno run -A npm:' },
}

/**
 * The one whose lock file, or whose name in `packageManager` of package.json, is nearest above the folder; else the one that runs this
 * program; else npm.
 */
export function findPackageManager(folder: string, env: Environment): PackageManager {
  const [, agent] = /^(npm|pnpm|yarn|bun|deno)\//.exec(env['npm_config_user_agent'] ?? '') ?? []
  return packageManager(nearestManager(folder) ?? (isManagerName(agent) ? agent : 'npm'))
}

function nearestManager(folder: string): ManagerName | undefined {
  const named = namedIn(readText(join(folder, 'package.json')))
  if (named !== undefined) return named
  const found = LOCK_FILES.find(([file]) => existsSync(join(folder, file)))
  if (found !== undefined) return found[1]
  const parent = dirname(folder)
  return parent === folder ? undefined : nearestManager(parent)
}

/** `packageManager` of package.json, or `devEngines.packageManager.name`. */
function namedIn(packageJson: string): ManagerName | undefined {
  const { packageManager: plain, devEngines } = fieldsOf(packageJson)
  const name = typeof plain === 'string' ? plain.split('@')[0] : devEngines?.packageManager?.name
  return isManagerName(name) ? name : undefined
}

interface PackageFields {
  readonly packageManager?: unknown
  readonly devEngines?: { readonly packageManager?: { readonly name?: string } }
}

/** Nothing of a file that is none, or no JSON. */
function fieldsOf(packageJson: string): PackageFields {
  try {
    return Object(JSON.parse(packageJson)) as PackageFields
  } catch {
    return {}
  }
}

function isManagerName(name: string | undefined): name is ManagerName {
  return name !== undefined && Object.hasOwn(COMMANDS, name)
}

function packageManager(name: ManagerName): PackageManager {
  const { add, dev, run } = COMMANDS[name]
  return {
    name,
    install(packages, { isDev = false } = {}) {
      const names = name === 'deno' ? packages.map((each) => `npm:${each}`) : packages
      return [add, ...(isDev ? [dev] : []), ...names].join(' ')
    },
    run: (command) => (run.endsWith(':') ? `${run}${command}` : `${run} ${command}`),
  }
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return ''
  }
}

/**
 * The hint of an error; of one that misses DATABASE_URL where the folder's `.env` has it, what has it read:
 * who sees the file there takes it for set.
 */
export function hintIn(folder: string, { code, hint, details }: RowcastError): string {
  const codes = [code, ...String(details['codes'] ?? '').split(' ')]
  if (!codes.includes('CONFIG_NO_DATABASE') || !isAddressIn(join(folder, '.env'))) return hint
  return '.env has DATABASE_URL, and is read by who imports it: begin the config file with `import "dotenv/config"` (a package of its own), or set the variable yourself.'
}

function isAddressIn(file: string): boolean {
  try {
    const lines = readFileSync(file, 'utf8').split('\n')
    const isAddress = (line: string) => {
      const [name = '', value] = line.split('=')
      return value !== undefined && name.trim().split(' ').at(-1) === 'DATABASE_URL'
    }
    return lines.some(isAddress)
  } catch {
    return false
  }
}
