/**
 * Stage 5, source. What throws while changes are read or handed on: a fault of rowcast's own, and neither PostgreSQL's nor
 * the network's. The stream ends with it, and begins again where nothing is lost.
 */
import { isRowcastError, RowcastError } from '../../errors.ts'
import { createGuard, type Guard } from '../../guard.ts'
import type { Logger } from '../../logger.ts'
import { isProgramFault } from '../../program-fault.ts'

/** Gives such faults their name. */
export interface OwnFaults {
  readonly guard: Guard
  /**
   * What ended a stream: the error of a server or of the network as it is; of any other a fault with a name, whose text,
   * which may hold values of rows, is neither kept nor logged.
   */
  name(error: Error): Error
  /** Calls what hands on; after a failure it is not known who has got what. */
  handOn(run: () => void): void
}

/** `onTorn` is called before a failure of handing on is thrown. */
export function createOwnFaults(logger: Pick<Logger, 'error'>, onTorn: () => void): OwnFaults {
  const guard = createGuard(logger)
  function name(error: Error): Error {
    if (isRowcastError(error) || isOfOthers(error)) return error
    const { id } = guard.report('read a change or hand it on', error)
    return new RowcastError('SOURCE_DELIVERY_FAILED', 'A change could not be read or handed on.', {
      details: { id },
    })
  }
  return {
    guard,
    name,
    handOn(run) {
      try {
        run()
      } catch (error) {
        onTorn()
        throw error
      }
    },
  }
}

/** Servers, sockets and TLS give their errors a code. So does Node.js to mistakes of programs. */
function isOfOthers(error: Error): boolean {
  return !isProgramFault(error) && typeof Reflect.get(error, 'code') === 'string'
}
