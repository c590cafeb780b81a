/**
 * Beside the spine, cli. Where `prisma generate` runs: in the package that has the schema, where Prisma is that one's and not the project's, for its
 * Prisma config and the programs of its generators are found there.
 */
import { dirname, relative, sep } from 'node:path'
import type { PackageManager } from '../package-manager.ts'
import { packageFolder, readPrismaPaths } from '../prisma-paths.ts'
import { declaredPackages } from './missing-packages.ts'
import type { PrismaProject } from './prisma-project.ts'

/** Where, and the commands: of rowcast's installation as well, where the generator would not be found. */
export interface GenerateStep {
  readonly folder: string
  readonly commands: readonly string[]
}

/** Finds it. */
export async function generateStep(
  project: PrismaProject,
  folder: string,
  manager: PackageManager,
): Promise<GenerateStep> {
  const home = packageFolder(dirname(project.file.path))
  const declared = declaredPackages(home)
  if (declaredPackages(folder).has('prisma') || !declared.has('prisma')) {
    const flag = project.isUsual ? '' : schemaFlag(project.path, folder)
    return { folder, commands: [manager.run(`prisma generate${flag}`)] }
  }
  const path = project.files.length === 1 ? project.file.path : project.path
  const isUsual = await readPrismaPaths(home, { mayNotRun: true }).then(
    (paths) => paths.isUsual(path),
    () => false,
  )
  const there = [
    ...(declared.has('rowcast') ? [] : [manager.install(['rowcast'])]),
    manager.run(`prisma generate${isUsual ? '' : schemaFlag(path, home)}`),
  ]
  return { folder: home, commands: runThere(there, shellPath(folder, home), shellPath(home, folder)) }
}

/** In a shell of its own where shells have that: what comes next runs here. Pure. */
export function runThere(
  commands: readonly string[],
  to: string,
  back: string,
  platform: NodeJS.Platform = process.platform,
): readonly string[] {
  if (platform === 'win32') return [`cd ${to}`, ...commands, `cd ${back}`]
  return commands.map((command) => `(cd ${to} && ${command})`)
}

/** Where Prisma does not look by itself. */
function schemaFlag(path: string, folder: string): string {
  return ` --schema ${shellPath(folder, path)}`
}

/** The path between them, as every shell takes it. */
function shellPath(from: string, to: string): string {
  const path = relative(from, to).split(sep).join('/')
  return /^[\w./@+-]+$/.test(path) ? path : `"${path}"`
}
