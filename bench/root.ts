/** Where the package is. */
import { join } from 'node:path'

/** Of the package, from `bench/build/bench`. */
export const ROOT = join(import.meta.dirname, '../../..')
