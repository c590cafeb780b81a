/** What Node.js and V8 say, in the running version: each sentence is provoked. */
import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import {
  isCommonJsName,
  isStringTooLong,
  missingModuleOf,
  withoutRequireStack,
} from '../src/runtime-sentences.ts'

const runProgram = promisify(execFile)

function thrownBy(run: () => unknown): unknown {
  try {
    return run()
  } catch (error) {
    return error
  }
}

test('of a text that is too long', () => {
  expect(isStringTooLong(thrownBy(() => 'x'.repeat(2 ** 28).padEnd(2 ** 30)))).toBe(true)
  expect(isStringTooLong(thrownBy(() => Buffer.alloc(2 ** 30).toString('latin1')))).toBe(true)
  expect(isStringTooLong(new RangeError('Maximum call stack size exceeded'))).toBe(false)
})

test('of a module that is not there, and of CommonJS in an ES module', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'rowcast-sentences-'))
  try {
    const required = thrownBy(() => createRequire(join(folder, 'x.js'))('./missing'))
    const { message } = required as Error
    expect(missingModuleOf(message)).toBe('./missing')
    expect(withoutRequireStack(message)).toBe("Cannot find module './missing'")
    await writeFile(join(folder, 'scope.mjs'), 'require("x")')
    const sayOf = async (name: string) => {
      const text = `import(${JSON.stringify(name)}).catch((error) => console.log(error.message))`
      await writeFile(join(folder, 'import.mjs'), text)
      return (await runProgram(process.execPath, [join(folder, 'import.mjs')])).stdout
    }
    expect(isCommonJsName(new ReferenceError(await sayOf('./scope.mjs')))).toBe(true)
    expect(isCommonJsName(new ReferenceError('x is not defined'))).toBe(false)
    expect(missingModuleOf(await sayOf('nothing-here'))).toBe('nothing-here')
    expect(missingModuleOf('x is not defined')).toBeNull()
  } finally {
    await rm(folder, { recursive: true })
  }
})
