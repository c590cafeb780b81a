/**
 * Beside the spine, cli. Reads and writes files of a project, and says in plain words why one cannot be read or written. A file that is there is
 * replaced as a whole: a full disk or a kill in between leaves it as it was.
 */
import { randomUUID } from 'node:crypto'
import { chmod, chown, mkdir, open, readFile, realpath, rename, rm, stat, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { RowcastError } from '../errors.ts'

/** The bytes of a file. @throws CLI_FILE_UNREADABLE */
export async function readProjectFile(file: string): Promise<Buffer> {
  return readFile(file).catch((error: unknown) => {
    throw unreadable(file, error)
  })
}

/** Replaces a file that is there; its mode, its owner and the links that lead to it stay. @throws CLI_FILE_UNWRITABLE */
export async function overwriteFile(file: string, text: string): Promise<void> {
  try {
    await replaceFile(await realpath(file), text)
  } catch (error) {
    throw unwritable(file, error)
  }
}

async function replaceFile(file: string, text: string): Promise<void> {
  const found = await stat(file)
  // A device or a pipe is not replaced.
  if (!found.isFile()) return writeFile(file, text)
  // Who may replace the file by the rights of its folder may still not write it.
  await (await open(file, 'r+')).close()
  const draft = join(dirname(file), `.${randomUUID()}.draft`)
  try {
    await writeFile(draft, text, { flag: 'wx', flush: true })
    await chmod(draft, found.mode)
    // Root keeps the owner; others own what they write.
    if (process.getuid?.() === 0) await chown(draft, found.uid, found.gid)
    await rename(draft, file)
  } finally {
    await rm(draft, { force: true })
  }
}

/** Writes a file that is not there yet, with its folders. @throws CLI_FILE_UNWRITABLE */
export async function createFile(file: string, text: string): Promise<void> {
  try {
    await mkdir(dirname(file), { recursive: true })
    await writeFile(file, text, { flag: 'wx' })
  } catch (error) {
    throw unwritable(file, error)
  }
}

/** What the file system said, by its code: `EACCES`, `EROFS`, `ENOSPC`, `ENOTDIR` … */
export function unwritable(file: string, error: unknown): RowcastError {
  return new RowcastError('CLI_FILE_UNWRITABLE', `${file} cannot be written (${codeOf(error)}).`, {
    cause: error,
  })
}

/** The same of reading: `EACCES`, `EISDIR`, `ELOOP` … */
export function unreadable(file: string, error: unknown): RowcastError {
  return new RowcastError('CLI_FILE_UNREADABLE', `${file} cannot be read (${codeOf(error)}).`, {
    cause: error,
  })
}

/** Whether the file system said that there is nothing of the name. */
export function isMissing(error: unknown): boolean {
  return ['ENOENT', 'ENOTDIR'].includes(codeOf(error))
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : String(error)
}
