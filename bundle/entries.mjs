// What package.json lets others load: the files of dist/ without their extension.
import { readFileSync } from 'node:fs'

const { bin, exports } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'))

/** What `import` and `require` find. */
export const ENTRIES = namesOf(Object.values(exports).flatMap((entry) => entry.default ?? []))
/** The programs. */
export const PROGRAMS = namesOf(Object.values(bin))
/** Of the entries those that run in browsers. */
export const FOR_BROWSERS = ENTRIES.filter((name) => /^(?:client|adapters)\//.test(name))

function namesOf(files) {
  return files.map((file) => file.replace(/^(?:\.\/)?dist\/|\.js$/g, ''))
}
