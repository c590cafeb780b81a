// The end of `npm run build`: what `require` finds, and its types, for CommonJS files under `module: node16`, which may not import the types of an ES
// module. Node.js gives `require` the ES module itself (20.19 and later): there is one copy, and each declaration only says what is in it. Where it
// does not (Jest's own `require`, an older Node.js), required.cjs says what to do.
import { copyFileSync, writeFileSync } from 'node:fs'
import { basename, dirname, join, relative, sep } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { ENTRIES } from './entries.mjs'

const HERE = dirname(fileURLToPath(import.meta.url))
const DIST = join(dirname(HERE), 'dist')

copyFileSync(join(HERE, 'required.cjs'), join(DIST, 'required.cjs'))
for (const entry of ENTRIES) {
  const names = Object.entries(await import(pathToFileURL(join(DIST, `${entry}.js`)).href))
  const source = `'./${basename(entry)}.js' with { 'resolution-mode': 'import' }`
  const values = names.map(([name, value]) => {
    const isClass = typeof value === 'function' && /^class\b/.test(Function.prototype.toString.call(value))
    const type = isClass ? `export type ${name} = esm.${name}\n` : ''
    return `${type}export declare const ${name}: typeof esm.${name}\n`
  })
  const folder = join(DIST, dirname(entry))
  const explain = relative(folder, join(DIST, 'required.cjs')).split(sep).join('/')
  writeFileSync(
    join(DIST, `${entry}.cjs`),
    `'use strict'
try {
  module.exports = require('./${basename(entry)}.js')
} catch (error) {
  throw require('${explain.startsWith('.') ? explain : `./${explain}`}')(error)
}
`,
  )
  writeFileSync(
    join(DIST, `${entry}.d.cts`),
    `import type * as esm from ${source}\nexport type * from ${source}\n${values.join('')}`,
  )
}
