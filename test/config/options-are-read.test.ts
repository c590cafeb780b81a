/** An option that is checked and then forgotten would be accepted and do nothing. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { OPTIONS } from '../../src/config/options.ts'
import { DURABILITY, WIRE } from '../../src/source/durability-options.ts'

const FOLDER = join(import.meta.dirname, '../../src/config')

it('something is made of each option of the config', () => {
  const files = readdirSync(FOLDER).filter((name) => name.startsWith('resolve-'))
  const text = files.map((name) => readFileSync(join(FOLDER, name), 'utf8')).join('\n')
  const code = text.replace(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, '')
  // These are handed on as they are, all of them.
  const own = Object.keys(OPTIONS).filter((name) => !(name in DURABILITY) && !(name in WIRE))
  const unread = own.filter((name) => !new RegExp(`\\b${name}\\b`).test(code))
  // The program's logger is made before there is a config.
  expect(unread).toEqual(['logLevel'])
})
