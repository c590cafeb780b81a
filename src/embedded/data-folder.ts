/**
 * Beside the spine, embedded. Where the data of `npm run dev` lives: in the project when the server may go
 * there, else in a folder of the system that belongs to this project alone.
 *
 * The package takes a path as it is given, and fails where the server may not go.
 */
import { createHash } from 'node:crypto'
import { realpathSync } from 'node:fs'
import { homedir, tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { claimFirstFolder } from './claim-folder.ts'
import { provideServerUser } from './server-user.ts'

/** Where the data went. */
export interface DataFolder {
  /** The data folder itself; PostgreSQL's log lies beside it. */
  readonly folder: string
  /** False when the project's own folder could not be used, which is worth a line. */
  readonly isInProject: boolean
}

/** What the choice depends on. */
export interface DataFolderFacts {
  /** Absolute path of the project, without symbolic links. */
  readonly projectFolder: string
  readonly isRoot: boolean
  readonly uid: number
  readonly homeFolder: string
  /** Folder for temporary files. */
  readonly temporaryFolder: string
  readonly env: Readonly<Record<string, string | undefined>>
}

/**
 * Folders that may hold the data folder, best first: `.rowcast` in the project (kept between runs, git-ignored);
 * the system's place for data; and the temporary folder as the last resort. Pure.
 */
export function listDataFolderParents(facts: DataFolderFacts): readonly string[] {
  const { projectFolder, isRoot, uid, homeFolder, temporaryFolder, env } = facts
  const hash = createHash('sha256').update(projectFolder).digest('hex').slice(0, 12)
  const name = `${basename(projectFolder).replaceAll(/[^\w.-]/g, '_')}-${hash}`
  const userData = env['XDG_DATA_HOME'] || join(homeFolder, '.local', 'share')
  return [
    join(projectFolder, '.rowcast'),
    isRoot ? join('/var/lib/rowcast', name) : join(userData, 'rowcast', name),
    join(temporaryFolder, `rowcast-${uid}`, name),
  ]
}

/**
 * Chooses and makes the folder for a project's data; the same one at each call.
 * @throws EMBEDDED_NO_FOLDER, EMBEDDED_NO_SERVER_USER
 */
export function chooseDataFolder(projectFolder: string, major: number): DataFolder {
  const uid = process.getuid?.() ?? 0
  const candidates = listDataFolderParents({
    projectFolder: realpathSync(projectFolder),
    isRoot: uid === 0,
    uid,
    homeFolder: homedir(),
    temporaryFolder: tmpdir(),
    env: process.env,
  })
  const parent = claimFirstFolder(candidates, provideServerUser())
  return { folder: join(parent, `postgres-${major}`), isInProject: parent === candidates[0] }
}
