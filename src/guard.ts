/**
 * The last guard. Listeners, timers, microtasks and replies are called by nobody who could catch: what one of them
 * throws would end the process, and with it everybody else's streams. Each goes through a guard, which logs the failure
 * with an id and goes on. `test/errors-uncaught.test.ts` finds those that do not.
 */
import { randomUUID } from 'node:crypto'
import { describeError } from './describe-error.ts'
import type { Logger } from './log.ts'

/** What a guard has caught. */
export interface GuardedFailure {
  readonly error: unknown
  /** Stands in the log beside the error; safe to show. */
  readonly id: string
}

/** Wraps callbacks, and reports what they throw. */
export interface Guard {
  /**
   * The callback, from which nothing is thrown and which never rejects. `onFailure` cleans up afterwards, with the
   * callback's own arguments: it answers a request, destroys a socket.
   * @param what what the callback does, for the log: `answer a request`
   */
  wrap<Args extends readonly unknown[]>(
    what: string,
    callback: (...args: Args) => unknown,
    onFailure?: (failure: GuardedFailure, ...args: Args) => void,
  ): (...args: Args) => void
  /** Calls it now. */
  run(what: string, callback: () => unknown, onFailure?: (failure: GuardedFailure) => void): void
}

/** The same logger, from which nothing is thrown: it is called where nobody could catch. */
export function createSafeLogger(logger: Logger): Logger {
  const safe =
    (level: keyof Logger): Logger['info'] =>
    (message, fields) => {
      try {
        logger[level](message, fields)
      } catch {
        // There is nobody left to report to.
      }
    }
  return { debug: safe('debug'), info: safe('info'), warn: safe('warn'), error: safe('error') }
}

/** Creates a guard that reports to a logger, which may throw as well. */
export function createGuard(logger: Pick<Logger, 'error'>): Guard {
  function report(what: string, error: unknown): GuardedFailure {
    const id = randomUUID()
    try {
      logger.error(`Could not ${what}: this one failed, everything else goes on.`, {
        errorId: id,
        ...describeError(error),
      })
    } catch {
      // There is nobody left to report to.
    }
    return { error, id }
  }

  function wrap<Args extends readonly unknown[]>(
    what: string,
    callback: (...args: Args) => unknown,
    onFailure?: (failure: GuardedFailure, ...args: Args) => void,
  ): (...args: Args) => void {
    const fail = (error: unknown, args: Args): void => {
      const failure = report(what, error)
      try {
        onFailure?.(failure, ...args)
      } catch (second) {
        report(`clean up after it could not ${what}`, second)
      }
    }
    return (...args) => {
      try {
        const result = callback(...args)
        if (result instanceof Promise) result.catch((error: unknown) => fail(error, args))
      } catch (error) {
        fail(error, args)
      }
    }
  }

  return { wrap, run: (what, callback, onFailure) => wrap(what, callback, onFailure)() }
}
