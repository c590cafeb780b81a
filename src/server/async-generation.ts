/** Stage 8, server. An iteration that has all that a generator has, for libraries that ask for one. */
import { AsyncIteration } from '../async-iteration.ts'

/** `throw` and `await using` end it as `return` does. */
export abstract class AsyncGeneration<T> extends AsyncIteration<T> {
  async throw(error: unknown): Promise<IteratorResult<T>> {
    await this.return()
    throw error
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return()
  }
}
