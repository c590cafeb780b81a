/** PostgreSQL's own client, in C, writing to /dev/null: as fast as the server can send. */
import { spawn } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { PUBLICATION } from './database.ts'

const DEBIAN_FOLDER = '/usr/lib/postgresql'

/** Path of the program, on PATH or where Debian's postgresql-client keeps it; null when there is none. */
export function findPgRecvlogical(): string | null {
  const debian = existsSync(DEBIAN_FOLDER)
    ? readdirSync(DEBIAN_FOLDER).map((major) => join(DEBIAN_FOLDER, major, 'bin'))
    : []
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), ...debian]
  return folders.map((folder) => join(folder, 'pg_recvlogical')).find((file) => existsSync(file)) ?? null
}

/** Drains a slot up to `endLsn` with the options that rowcast asks for; returns the milliseconds it took. */
export async function runPgRecvlogical(
  program: string,
  request: { readonly url: string; readonly slot: string; readonly endLsn: string },
): Promise<number> {
  const args = [
    ...[`--dbname=${request.url}`, `--slot=${request.slot}`, `--endpos=${request.endLsn}`],
    ...['--start', '--no-loop', '--file=/dev/null', '--option=proto_version=1', '--option=binary=true'],
    ...['--option=messages=true', `--option=publication_names=${PUBLICATION}`],
  ]
  const startedMs = performance.now()
  const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'pipe'] })
  let errors = ''
  child.stderr.on('data', (chunk: Buffer) => {
    errors += chunk.toString()
  })
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', resolve)
  })
  if (code !== 0) throw new Error(`pg_recvlogical ended with ${code}: ${errors.trim()}`)
  return performance.now() - startedMs
}
