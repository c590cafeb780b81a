/**
 * Stage 7, graphql. A Json document with a member `then`. Executors (graphql-tools', under Yoga) take whatever has one for a
 * promise, and fail on a document's, which is no function; so it is handed through them in a case, which JSON.stringify opens.
 */

/** A document in its case. */
export class JsonDocument {
  readonly #value: unknown

  constructor(value: unknown) {
    this.#value = value
  }

  toJSON(): unknown {
    return this.#value
  }
}

/** The value as executors let it pass, alone or in a list of them. */
export function passJson(value: unknown): unknown {
  if (Array.isArray(value)) return value.some(isThenable) ? value.map(passOne) : value
  return passOne(value)
}

/** The document itself. */
export function openJson(value: unknown): unknown {
  return value instanceof JsonDocument ? value.toJSON() : value
}

function passOne(value: unknown): unknown {
  return isThenable(value) ? new JsonDocument(value) : value
}

function isThenable(value: unknown): boolean {
  return typeof value === 'object' && value !== null && 'then' in value
}
