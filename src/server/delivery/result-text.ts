/**
 * Stage 8, server. One result of a subscription as the text that clients get, whoever it goes to and however: made
 * once, and turned into bytes once.
 */
import type { ExecutionResult, GraphQLError } from 'graphql'
import { isCursor } from '../../changes/cursor.ts'
import { memberOf } from '../../member-of.ts'
import { formatGraphqlError } from '../session/connection-state.ts'

const BRACE = 0x7d // '}'

/** The text of one result. */
export class ResultText {
  /** The GraphQL result as JSON. */
  readonly text: string
  /** The change's cursor where the client asked for it: what an event stream calls the event's id. */
  readonly cursor: string | null
  /** Whether some of it could not be made: for another client it may be. */
  readonly hasErrors: boolean
  #tail: Buffer | null = null

  constructor(text: string, cursor: string | null, hasErrors = false) {
    this.text = text
    this.cursor = cursor
    this.hasErrors = hasErrors
  }

  /** The text in UTF-8. Shared: never to be changed. */
  get bytes(): Buffer {
    return this.tail.subarray(0, -1)
  }

  /** The text in UTF-8 and the brace that ends the WebSocket message around it. Shared: never to be changed. */
  get tail(): Buffer {
    this.#tail ??= withBrace(this.text)
    return this.#tail
  }
}

/** Of the text itself, which was put together of many pieces and is one piece then: a longer one would leave those in memory. */
function withBrace(text: string): Buffer {
  const length = Buffer.byteLength(text)
  const bytes = Buffer.allocUnsafe(length + 1)
  bytes.write(text)
  bytes[length] = BRACE
  return bytes
}

/** A result that could not be made: the end of the subscription, for all who share it. */
export class FailedResult {
  /** As clients may see it, with the cursor to go on after. */
  readonly error: GraphQLError

  constructor(error: GraphQLError) {
    this.error = error
  }
}

/** What became of one delivery. */
export type DeliveryResult = ResultText | FailedResult

/** Makes the text of a result, with its errors as clients may see them. */
export function formatResult(result: ExecutionResult, mask: (error: unknown) => GraphQLError): ResultText {
  const { data, errors, extensions } = result
  const formatted = {
    ...(data === undefined ? {} : { data }),
    ...(extensions === undefined ? {} : { extensions }),
    ...(errors === undefined ? {} : { errors: errors.map((error) => formatGraphqlError(mask(error))) }),
  }
  return new ResultText(JSON.stringify(formatted), cursorOf(data), errors !== undefined)
}

function cursorOf(data: ExecutionResult['data']): string | null {
  const [change] = Object.values(data ?? {})
  const cursor = memberOf(change, 'cursor')
  return isCursor(cursor) ? cursor : null
}
