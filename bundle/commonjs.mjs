// The end of `npm run build`: what `require` finds, and its types, for CommonJS files under `module: node16`, which may not import the types of an ES
// module. Node.js gives `require` the ES module itself (20.19 and later): there is one copy, and each declaration only says what is in it.
import { writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { ENTRIES } from './entries.mjs'

const DIST = join(dirname(dirname(fileURLToPath(import.meta.url))), 'dist')

for (const entry of ENTRIES) {
  const names = Object.entries(await import(pathToFileURL(join(DIST, `${entry}.js`)).href))
  const source = `'./${basename(entry)}.js' with { 'resolution-mode': 'import' }`
  const values = names.map(([name, value]) => {
    const isClass = typeof value === 'function' && /^class\b/.test(Function.prototype.toString.call(value))
    const type = isClass ? `export type ${name} = esm.${name}\n` : ''
    return `${type}export declare const ${name}: typeof esm.${name}\n`
  })
  writeFileSync(
    join(DIST, `${entry}.cjs`),
    `'use strict'\nmodule.exports = require('./${basename(entry)}.js')\n`,
  )
  writeFileSync(
    join(DIST, `${entry}.d.cts`),
    `import type * as esm from ${source}\nexport type * from ${source}\n${values.join('')}`,
  )
}
