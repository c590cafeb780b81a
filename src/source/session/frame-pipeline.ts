/**
 * Stage 5, source. Stages 2 to 4 in one piece for whoever has frames and no source: messages in, parts of transactions
 * out. What `tail` reads from a connection and `replay` from a file goes through the same code as the service's.
 */
import type { Buffer } from 'node:buffer'
import type { ModelCatalog, ModelSpec } from '../../catalog/model-catalog.ts'
import { createRelationRegistry, type RelationRegistry } from '../../catalog/relation-registry.ts'
import { createTransactionAssembler } from '../../changes/assembler.ts'
import type { TransactionPart } from '../../changes/change.ts'
import type { StreamOrigin } from '../../changes/cursor.ts'
import type { SoftDeleteFields } from '../../changes/soft-delete.ts'
import type { RowcastError } from '../../errors.ts'
import { decodeMessage } from '../../pgoutput/decode.ts'

export interface FramePipelineOptions {
  readonly catalog: ModelCatalog
  readonly models: readonly ModelSpec[]
  /** The schema of models that name none. */
  readonly schema: string
  readonly softDelete: SoftDeleteFields
  /** See `RelationRegistryOptions`. */
  readonly keepsIdentity: ReadonlySet<string>
  readonly origin: StreamOrigin
  readonly publish: (part: TransactionPart) => void
  readonly onDrift: (model: string, drift: RowcastError) => void
}

/** Messages in. */
export interface FramePipeline {
  readonly registry: RelationRegistry
  /** Takes one output-plugin message, which lies in `bytes[start, end)`. @throws PGOUTPUT_… */
  accept(bytes: Buffer, start: number, end: number): void
}

export function createFramePipeline(options: FramePipelineOptions): FramePipeline {
  const registry = createRelationRegistry({
    catalog: options.catalog,
    models: options.models,
    defaultSchema: options.schema,
    keepsIdentity: options.keepsIdentity,
  })
  const { softDelete, publish, onDrift } = options
  const assembler = createTransactionAssembler(registry, { softDelete })
  assembler.reset(options.origin)
  return {
    registry,
    accept(bytes, start, end) {
      for (const event of assembler.accept(decodeMessage(bytes, start, end), end - start)) {
        if (event.kind === 'part') publish(event.part)
        else if (event.kind === 'drift') onDrift(event.model, event.drift)
        assembler.handedOn(event)
      }
    },
  }
}
