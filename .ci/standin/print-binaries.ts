/** Prints the folder of the embedded PostgreSQL's programs, for the stand-in image. */
import { dirname } from 'node:path'
import { provideBinaries } from '../../src/embedded/binaries.ts'

const binaries = await provideBinaries(null)
process.stdout.write(`${dirname(dirname(binaries.postgres))}\n`)
