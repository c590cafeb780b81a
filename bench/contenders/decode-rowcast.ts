/** Ours: decoder, assembler and row readers, from captured bytes to rows. */
import { createRelationRegistry } from '../../src/catalog/relation-registry.ts'
import { createTransactionAssembler } from '../../src/changes/assembler.ts'
import type { AssemblerOutput } from '../../src/changes/assembler-output.ts'
import { decodeMessage } from '../../src/pgoutput/decode.ts'
import { ORDER, ORDERS_CATALOG, readAllFields } from '../orders.ts'
import { type DecodeRequest, measureCpu, readMessages } from './decode.ts'

function decode({ file, passes }: DecodeRequest) {
  const messages = readMessages(file)
  const registry = createRelationRegistry({ catalog: ORDERS_CATALOG, models: [ORDER] })
  let changes = 0
  let values = 0
  const output: AssemblerOutput = {
    publish(part) {
      for (const change of part.changes) {
        values += readAllFields(change.new) + readAllFields(change.old)
        changes += 1
      }
    },
    onCommit() {},
    onBegin() {},
    onDrift(_model, drift) {
      throw drift
    },
  }
  return measureCpu(() => {
    for (let pass = 0; pass < passes; pass++) {
      // One that has seen these transactions would drop them as repetitions.
      const assembler = createTransactionAssembler(registry, output)
      for (const message of messages) {
        assembler.take(decodeMessage(message, 0, message.length), message.length)
      }
    }
    if (changes % passes !== 0 || values < changes) throw new Error(`${values} values in ${changes} changes`)
    return changes
  })
}

export const commands = { decode }
