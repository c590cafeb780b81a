/** Beside the spine. Whether what was thrown is a mistake of a program, of ours or of the application's: it does not pass by being tried again. */

/** JavaScript's own classes say so; what `fetch` throws where a server cannot be reached is a TypeError as well, and names its cause. */
export function isProgramFault(error: unknown): error is Error {
  if (error instanceof ReferenceError || error instanceof RangeError) return true
  return error instanceof TypeError && error.cause === undefined
}
