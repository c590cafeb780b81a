#!/usr/bin/env node
/**
 * Beside the spine, generator. Entry of `generator rowcast` in schema.prisma: Prisma starts this program at
 * `prisma generate` and talks JSON-RPC with it over stdin and stderr.
 */
import { mkdir, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
// CommonJS without named exports that Node could see.
import generatorHelper from '@prisma/generator-helper'
import { RowcastError } from '../errors.ts'
import { generateFile } from './generate-file.ts'

generatorHelper.generatorHandler({
  onManifest: () => ({ prettyName: 'rowcast catalog' }),
  onGenerate: async (options) => {
    const { path, text } = generateFile(options)
    try {
      await mkdir(dirname(path), { recursive: true })
      await writeFile(path, text)
    } catch (error) {
      throw new RowcastError('GENERATOR_BAD_OUTPUT', `${path} cannot be written (${codeOf(error)}).`, {
        hint: 'Give the user that runs it the right to write there, or set another output.',
        cause: error,
      })
    }
  },
})

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : String(error)
}
