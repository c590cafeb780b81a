/**
 * Beside the spine, embedded. The superuser's password: random, and kept among the data, which only the server's user
 * may read. The server listens on loopback, and everybody on the machine reaches that.
 *
 * The package has one that everybody knows, or is given one at each start.
 */
import { randomBytes } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

/** In the data folder; PostgreSQL leaves files it does not know alone. */
const PASSWORD_FILE = 'rowcast.password'
const PASSWORD_BYTES = 18

/** A password that nobody guesses. */
export function createPassword(): string {
  return randomBytes(PASSWORD_BYTES).toString('base64url')
}

/** Keeps the password in a data folder that is being made; resolves to the file. */
export async function keepPassword(dataFolder: string, password: string): Promise<string> {
  const file = join(dataFolder, PASSWORD_FILE)
  await writeFile(file, `${password}\n`, { mode: 0o600, flag: 'wx' })
  return file
}

/** The password that the data folder was made with; null where it was not kept. */
export async function readPassword(dataFolder: string): Promise<string | null> {
  const text = await readFile(join(dataFolder, PASSWORD_FILE), 'utf8').catch(() => null)
  return text === null ? null : text.trim()
}
