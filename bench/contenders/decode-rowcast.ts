/** Ours: decoder, assembler and row readers, from captured bytes to rows. */
import { createRelationRegistry } from '../../src/catalog/relation-registry.ts'
import { createTransactionAssembler } from '../../src/changes/assembler.ts'
import type { AssemblyEvent } from '../../src/changes/assembly-event.ts'
import { decodeMessage } from '../../src/pgoutput/decode.ts'
import { ORDER, ORDERS_CATALOG, readAllFields } from '../orders.ts'
import { type DecodeRequest, measureCpu, readMessages } from './decode.ts'

function decode({ file, passes }: DecodeRequest) {
  const messages = readMessages(file)
  const registry = createRelationRegistry({ catalog: ORDERS_CATALOG, models: [ORDER] })
  let changes = 0
  let values = 0
  const readAll = (event: AssemblyEvent): void => {
    if (event.kind === 'drift') throw event.drift
    if (event.kind !== 'part') return
    for (const change of event.part.changes) {
      values += readAllFields(change.new) + readAllFields(change.old)
      changes += 1
    }
  }
  return measureCpu(() => {
    for (let pass = 0; pass < passes; pass++) {
      // One that has seen these transactions would drop them as repetitions.
      const assembler = createTransactionAssembler(registry)
      for (const message of messages) {
        for (const event of assembler.accept(decodeMessage(message, 0, message.length), message.length)) {
          readAll(event)
          assembler.handedOn(event)
        }
      }
    }
    if (changes % passes !== 0 || values < changes) throw new Error(`${values} values in ${changes} changes`)
    return changes
  })
}

export const commands = { decode }
