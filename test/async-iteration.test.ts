/** Iterators made of others: their values, their ends and their failures, and one answer after the other. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { DONE, flatIterator, MappedIteration, mapIterator, SerialIteration } from '../src/async-iteration.ts'
import { AsyncQueue } from '../src/async-queue.ts'

/** Gives the values, then fails where there is an error. */
function sourceOf<T>(values: readonly T[], error?: Error) {
  let [at, returned] = [0, 0]
  return {
    async next(): Promise<IteratorResult<T>> {
      if (at < values.length) {
        at += 1
        return { done: false, value: values[at - 1] as T }
      }
      if (error !== undefined) throw error
      return DONE
    },
    async return() {
      returned += 1
    },
    get returned() {
      return returned
    },
  }
}

async function all<T>(values: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = []
  for await (const value of values) found.push(value)
  return found
}

describe('an iterator', () => {
  it('gives the values of another, one for one', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.integer()), async (values) => {
        expect(await all(mapIterator(sourceOf(values), (value) => value * 2))).toEqual(
          values.map((value) => value * 2),
        )
      }),
    )
  })

  it('gives the values of lists, empty ones too, in their order to all that ask at once', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.array(fc.integer(), { maxLength: 4 })), async (lists) => {
        const flat = flatIterator(sourceOf(lists), (list) => list)
        const asked = Array.from({ length: lists.flat().length + 1 }, () => flat.next())
        const values = (await Promise.all(asked)).map(({ value }) => value)
        expect(values).toEqual([...lists.flat(), undefined])
      }),
    )
  })

  it('fails as the other does, in its own words', async () => {
    const mapped = new MappedIteration(
      sourceOf([1], new Error('theirs')),
      (value) => value,
      (error) => new Error('ours', { cause: error }),
    )
    expect(await mapped.next()).toEqual({ done: false, value: 1 })
    await expect(mapped.next()).rejects.toThrow('ours')
  })

  it('ends the other when nobody wants more', async () => {
    const [mapped, listed] = [sourceOf([1, 2]), sourceOf([[1, 2], [3]])]
    for await (const _ of mapIterator(mapped, (value) => value)) break
    const flat = flatIterator(listed, (list) => list)
    await flat.next()
    await flat.return?.()
    expect([mapped.returned, listed.returned]).toEqual([1, 1])
    expect((await flat.next()).value).not.toBe(2)
  })

  it('answers one call after the other, and goes on behind one that failed', async () => {
    const [begun, answers]: [number[], (() => void)[]] = [[], []]
    class Counted extends SerialIteration<number> {
      protected async following(): Promise<IteratorResult<number>> {
        const number = begun.push(begun.length + 1)
        await new Promise<void>((resolve) => answers.push(resolve))
        if (number === 1) throw new Error('the first')
        return { done: false, value: number }
      }
      async return() {
        return DONE
      }
    }
    const counted = new Counted()
    const [first, second] = [counted.next(), counted.next()]
    first.catch(() => undefined)
    await new Promise(setImmediate)
    expect(begun).toEqual([1])
    answers[0]?.()
    await expect(first).rejects.toThrow('the first')
    await new Promise(setImmediate)
    answers[1]?.()
    expect(await second).toEqual({ done: false, value: 2 })
  })
})

describe('a queue', () => {
  it('gives what came in its order, before and after it was asked for, and then ends for all that wait', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.integer()), fc.nat(8), async (values, early) => {
        const queue = new AsyncQueue<number>()
        const asked = Array.from({ length: early }, () => queue.next())
        for (const value of values) queue.push(value)
        queue.end()
        const found = await Promise.all(asked)
        const rest = await all(queue)
        expect([...found.flatMap(({ value, done }) => (done === true ? [] : [value])), ...rest]).toEqual(
          values,
        )
        expect(queue.isEnded && queue.length === 0).toBe(true)
      }),
    )
  })

  it('gives the first value to who asked first, also where somebody asks in the turn of a push', async () => {
    const queue = new AsyncQueue<number>()
    const first = queue.next()
    await new Promise(setImmediate)
    queue.push(1)
    const second = queue.next()
    queue.push(2)
    expect([await first, await second].map(({ value }) => value)).toEqual([1, 2])
  })

  it('reports its failure once, behind what waits, and the first end counts', async () => {
    const queue = new AsyncQueue<undefined>()
    queue.push(undefined)
    queue.end(new Error('lost'))
    queue.end()
    expect(await queue.next()).toEqual({ done: false, value: undefined })
    await expect(queue.next()).rejects.toThrow('lost')
    expect(await queue.next()).toEqual(DONE)
  })

  it('takes nothing behind its end, and has no failure for who has left', async () => {
    const queue = new AsyncQueue<number>()
    queue.push(1)
    queue.end(new Error('lost'))
    queue.push(2)
    expect(queue.length).toBe(1)
    await queue.return()
    queue.push(3)
    expect(await queue.next()).toEqual(DONE)
  })

  it('forgets what waits when nobody wants more', async () => {
    const queue = new AsyncQueue<number>()
    queue.push(1)
    await queue.return()
    expect(await queue.next()).toEqual(DONE)
  })
})
