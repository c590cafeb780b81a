/** What is wrong with a config, collected so that one run names it all. */
import { type ErrorCode, isRowcastError, RowcastError } from '../errors.ts'

/** Collects faults. */
export class Faults {
  readonly errors: RowcastError[] = []

  /** Notes one. */
  readonly note = (fault: RowcastError): void => {
    this.errors.push(fault)
  }

  add(code: ErrorCode, happened: string, hint?: string): void {
    this.errors.push(new RowcastError(code, happened, { hint }))
  }

  /** The result of a parser, or the fallback with its fault noted. */
  catch<T>(parse: () => T, fallback: T): T {
    try {
      return parse()
    } catch (error) {
      if (!isRowcastError(error)) throw error
      this.errors.push(error)
      return fallback
    }
  }

  /** Throws what was collected: one fault as itself, several as a list. */
  throwIfAny(): void {
    const [first, ...others] = this.errors
    if (first === undefined) return
    if (others.length === 0) throw first
    throw new RowcastError('CONFIG_INVALID', `${this.errors.length} settings cannot be used:`, {
      list: this.errors.map((error) => error.message),
      hint: 'Correct each of them.',
      details: { codes: this.errors.map((error) => error.code).join(' ') },
    })
  }
}
