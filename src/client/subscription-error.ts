/** Beside the spine, client. GraphQL errors as a client gets them. */

/** Why a subscription ended, or what of a change failed: a GraphQL error, with its code. */
export class SubscriptionError extends Error {
  override readonly name = 'SubscriptionError'
  /** `RESYNC_REQUIRED`, `SUBSCRIBER_TOO_SLOW`, …; null for errors without one. */
  readonly code: string | null
  readonly extensions: Readonly<Record<string, unknown>>

  constructor(message: string, extensions: Readonly<Record<string, unknown>> = {}) {
    super(message)
    this.extensions = extensions
    this.code = typeof extensions['code'] === 'string' ? extensions['code'] : null
  }

  /** The cursor to go on after, where the error has one. */
  get cursor(): string | null {
    const { cursor } = this.extensions
    return typeof cursor === 'string' ? cursor : null
  }
}

/** A GraphQL error as it comes over the wire. */
export interface WireError {
  readonly message: string
  readonly extensions?: Readonly<Record<string, unknown>>
}

/** The `errors` of a result; none where it has none. */
export function toSubscriptionErrors(errors: unknown): readonly SubscriptionError[] {
  const list = Array.isArray(errors) ? (errors as readonly WireError[]) : []
  return list.map(({ message, extensions }) => new SubscriptionError(message, extensions))
}

/** What a client ends an operation with: a list of GraphQL errors, a close event, or an Error. */
export function toEndError(error: unknown): unknown {
  const [first] = toSubscriptionErrors(error)
  return first ?? error
}
