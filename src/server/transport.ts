/** Stage 8, server. What every transport with open connections is to its server, whatever it speaks. */
import type { ContextSource } from './session/context.ts'

/** Who an operation comes by; plain HTTP keeps nothing open. */
export type TransportKind = Exclude<ContextSource['kind'], 'http'>

export interface Transport {
  readonly kind: TransportKind
  readonly connectionCount: number
  /** Operations that run on them. */
  readonly operationCount: number
  /** Ends what is open, and what still comes, so that clients come back; resolves when it has ended, or after so long. */
  close(timeoutMs: number): Promise<void>
}
