/**
 * Beside the spine, embedded. Whom the embedded PostgreSQL runs as: ourselves, or, because PostgreSQL refuses to
 * run as root, the system user `postgres`. Source: PostgreSQL manual, "The PostgreSQL User Account".
 *
 * The package makes a user only where it is asked to, with a shell and a home, and fails where the group is there.
 */
import { execFileSync, spawnSync } from 'node:child_process'
import { RowcastError } from '../errors.ts'

/** A system user that the server runs as in our stead. */
export interface ServerUser {
  readonly uid: number
  readonly gid: number
}

/**
 * The user to run the server as; null when we are not root and run it as ourselves. Creates the user where it
 * is missing. @default name 'postgres' @throws EMBEDDED_NO_SERVER_USER
 */
export function provideServerUser(name = 'postgres'): ServerUser | null {
  if (process.getuid?.() !== 0) return null
  const existing = findUser(name)
  if (existing !== null) return existing
  let cause: unknown
  // The second for systems where the group is there and the user is not.
  for (const group of ['--user-group', `--gid=${name}`]) {
    try {
      execFileSync('useradd', ['--system', group, '--no-create-home', name], { stdio: 'ignore' })
      break
    } catch (error) {
      cause = error
    }
  }
  // Looked up again even after a failure: another process may have been quicker.
  const created = findUser(name)
  if (created !== null) return created
  throw new RowcastError('EMBEDDED_NO_SERVER_USER', `There is no system user "${name}" and useradd failed.`, {
    cause,
  })
}

/** Whether the server may enter the folder: the kernel's own answer, so that every kind of right counts. */
export function canServerEnter(folder: string, user: ServerUser | null): boolean {
  const answer = spawnSync('/bin/sh', ['-c', 'cd -- "$1"', 'sh', folder], {
    ...user,
    cwd: '/',
    stdio: 'ignore',
  })
  return answer.status === 0
}

function findUser(name: string): ServerUser | null {
  const [uid, gid] = ['-u', '-g'].map((flag) => {
    const answer = spawnSync('id', [flag, name], { encoding: 'utf8' })
    return answer.status === 0 ? Number.parseInt(answer.stdout, 10) : null
  })
  return typeof uid === 'number' && typeof gid === 'number' ? { uid, gid } : null
}
