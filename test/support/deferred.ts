/** A promise with its handles outside: what `Promise.withResolvers` is from Node.js 22 on. */
export interface Deferred<T> {
  readonly promise: Promise<T>
  resolve(value: T): void
  reject(error: unknown): void
}

/** Creates one that is pending. */
export function createDeferred<T>(): Deferred<T> {
  let handles: Pick<Deferred<T>, 'resolve' | 'reject'> | undefined
  const promise = new Promise<T>((resolve, reject) => {
    handles = { resolve, reject }
  })
  return { promise, resolve: (value) => handles?.resolve(value), reject: (error) => handles?.reject(error) }
}
