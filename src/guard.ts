/**
 * The last guard. Listeners, timers, microtasks and replies are called by nobody who could catch: what one of them
 * throws would end the process, and with it everybody else's streams. Each goes through a guard, which logs the failure
 * with an id and goes on. `test/errors-uncaught.test.ts` finds those that do not.
 */
import { RowcastError } from './errors.ts'
import { FailureLog } from './log-line-budget.ts'
import type { Logger } from './logger.ts'

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
  /** As `wrap`, for who waits until it is over: the promise resolves, whatever happens. */
  settle<Args extends readonly unknown[]>(
    what: string,
    callback: (...args: Args) => Promise<unknown>,
    onFailure?: (failure: GuardedFailure, ...args: Args) => void,
  ): (...args: Args) => Promise<void>
  /** Logs what was caught elsewhere. */
  report(what: string, error: unknown): GuardedFailure
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

/**
 * The same for whoever ends something of its own with the failure, and reports it there: the callback, of which what it
 * throws goes to `onFailure`, which answers in its place.
 */
export function contain<Args extends readonly unknown[], Result>(
  callback: (...args: Args) => Result,
  onFailure: (error: Error) => Result,
): (...args: Args) => Result {
  return (...args) => {
    try {
      return callback(...args)
    } catch (error) {
      return onFailure(
        error instanceof Error ? error : new RowcastError('BUG', 'What was thrown is no Error.'),
      )
    }
  }
}

/** Creates a guard that reports to a logger, which may throw as well. */
export function createGuard(logger: Pick<Logger, 'error'>): Guard {
  const failures = new FailureLog(logger)
  function report(what: string, error: unknown): GuardedFailure {
    const id = failures.report(`Could not ${what}: this one failed, everything else goes on.`, error)
    return { error, id }
  }

  function wrap<Args extends readonly unknown[]>(
    what: string,
    callback: (...args: Args) => unknown,
    onFailure?: (failure: GuardedFailure, ...args: Args) => void,
  ): (...args: Args) => void {
    const fail = failing(what, onFailure)
    return (...args) => {
      try {
        const result = callback(...args)
        if (result instanceof Promise) result.catch((error: unknown) => fail(error, args))
      } catch (error) {
        fail(error, args)
      }
    }
  }

  function failing<Args extends readonly unknown[]>(
    what: string,
    onFailure: ((failure: GuardedFailure, ...args: Args) => void) | undefined,
  ): (error: unknown, args: Args) => void {
    return (error, args) => {
      const failure = report(what, error)
      try {
        onFailure?.(failure, ...args)
      } catch (second) {
        report(`clean up after it could not ${what}`, second)
      }
    }
  }

  function settle<Args extends readonly unknown[]>(
    what: string,
    callback: (...args: Args) => Promise<unknown>,
    onFailure?: (failure: GuardedFailure, ...args: Args) => void,
  ): (...args: Args) => Promise<void> {
    const fail = failing(what, onFailure)
    return async (...args) => {
      try {
        await callback(...args)
      } catch (error) {
        fail(error, args)
      }
    }
  }

  return { report, wrap, settle, run: (what, callback, onFailure) => wrap(what, callback, onFailure)() }
}
