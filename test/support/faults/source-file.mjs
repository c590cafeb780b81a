/** A file of src/ that a rule names: one that has moved must not leave the rule without it. */
import { existsSync } from 'node:fs'

const SRC = new URL('../../../src/', import.meta.url)

/**
 * The path itself.
 * @param {string} path below src/
 */
export function sourceFile(path) {
  if (!existsSync(new URL(path, SRC))) throw new Error(`There is no src/${path}: a rule names it.`)
  return path
}
