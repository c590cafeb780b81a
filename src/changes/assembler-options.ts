/** Stage 4, changes. What an assembler is made with. Types only. */
import type { SoftDeleteFields } from './soft-delete.ts'
import type { MetadataReader } from './transaction-metadata.ts'

/** Bounds of the open transaction, and how changes are reported. */
export interface AssemblerOptions {
  /** @default 1_024 changes */
  readonly partChangesMax?: number | undefined
  /** @default 1_048_576 // 1 MiB of undecoded rows */
  readonly partBytesMax?: number | undefined
  /** Models whose rows are marked instead of deleted. @default none */
  readonly softDelete?: SoftDeleteFields | undefined
  /** Reads what transactions say of themselves. @default any object of JSON; what cannot be read is null */
  readonly readMetadata?: MetadataReader | undefined
}
