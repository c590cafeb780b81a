/** Beside the spine, cli. Writes files of a project, and says in plain words why one cannot be written. */
import { mkdir, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { RowcastError } from '../errors.ts'

/** Writes over a file that is there. @throws CLI_FILE_UNWRITABLE */
export async function overwriteFile(file: string, text: string): Promise<void> {
  await writeFile(file, text).catch((error: unknown) => {
    throw unwritable(file, error)
  })
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
  const code = error instanceof Error && 'code' in error ? String(error.code) : String(error)
  return new RowcastError('CLI_FILE_UNWRITABLE', `${file} cannot be written (${code}).`, { cause: error })
}
