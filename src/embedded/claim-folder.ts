/**
 * Beside the spine, embedded. Folders that we make for the server: ours, closed to other writers, and open to
 * the user that the server runs as.
 *
 * The package gives the folder to the server's user whatever it is, a link or somebody else's.
 */
import { accessSync, chmodSync, constants, lstatSync, mkdirSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { RowcastError } from '../errors.ts'
import { canServerEnter, type ServerUser } from './server-user.ts'

/** Owner writes, everybody may enter and read. */
const FOLDER_MODE = 0o755

/**
 * Makes the folder where missing and says whether it can be used: a real folder, owned by us (another user's
 * could hold programs of theirs), writable, and the server may enter it.
 */
export function claimFolder(folder: string, user: ServerUser | null): boolean {
  try {
    const firstCreated = mkdirSync(folder, { recursive: true, mode: FOLDER_MODE })
    if (firstCreated !== undefined && user !== null)
      openCreatedFolders(resolve(folder), resolve(firstCreated))
    const stats = lstatSync(folder)
    if (!stats.isDirectory() || stats.uid !== process.getuid?.()) return false
    if ((stats.mode & 0o022) !== 0) chmodSync(folder, FOLDER_MODE)
    accessSync(folder, constants.W_OK)
    return canServerEnter(folder, user)
  } catch {
    // Read-only file systems, missing rights, a file in the way: the next candidate may do.
    return false
  }
}

/** The first of the candidates that can be claimed. @throws EMBEDDED_NO_FOLDER naming all of them. */
export function claimFirstFolder(candidates: readonly string[], user: ServerUser | null): string {
  const folder = candidates.find((candidate) => claimFolder(candidate, user))
  if (folder !== undefined) return folder
  throw new RowcastError('EMBEDDED_NO_FOLDER', `None of these folders can be used: ${candidates.join(', ')}.`)
}

/** Undoes a strict umask on the folders just made, from the deepest up to the first: the server is another user. */
function openCreatedFolders(deepest: string, first: string): void {
  for (let folder = deepest; folder.startsWith(first); folder = dirname(folder))
    chmodSync(folder, FOLDER_MODE)
}
