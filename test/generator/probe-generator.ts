/** A Prisma generator that writes down what Prisma hands it: how the tests get a schema's DMMF. */
import { writeFile } from 'node:fs/promises'
import generatorHelper from '@prisma/generator-helper'
import { invariant } from '../../src/errors.ts'

generatorHelper.generatorHandler({
  onManifest: () => ({ prettyName: 'probe' }),
  onGenerate: async (options) => {
    const path = options.generator.output?.value
    invariant(typeof path === 'string', 'The probe needs an output.')
    await writeFile(path, JSON.stringify(options))
  },
})
