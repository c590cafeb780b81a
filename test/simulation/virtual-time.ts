/**
 * Time that stands still until it is moved: all timers, clocks and dates of the process are of one scheduler, which runs what is due
 * one after another, in an order that the seed alone decides. Promises and streams go on as far as they can in between; what waits for
 * anything outside the process would never come.
 *
 * Not @sinonjs/fake-timers: it looks through all timers for each that is due, and a world runs tens of thousands.
 */
import { AsyncLocalStorage } from 'node:async_hooks'
import { createRequire, syncBuiltinESMExports } from 'node:module'

const real = { setImmediate, setTimeout, clearTimeout, setInterval, clearInterval, clearImmediate, Date }
const timersPromises = createRequire(import.meta.url)('node:timers/promises') as Record<string, unknown>
const realPromises = { ...timersPromises }
const realNow = performance.now.bind(performance)

/** A machine that processes run on, as far as time goes: what it has under way waits while it is paused, and its wall clock is its own. */
export interface Machine {
  isPaused: boolean
  /** What its wall clock is ahead. */
  wallAheadMs: number
}

/** On which machine code runs. It costs time from the first use on, and worlds without pauses and clocks of their own do without. */
const machines = new AsyncLocalStorage<Machine | null>()

/** Runs something on a machine; null: on none. */
export function runOn<T>(machine: Machine | null, run: () => T): T {
  // `exit` would switch the hooks of all promises off and on again.
  return (machines.getStore() ?? null) === machine ? run() : machines.run(machine, run)
}

/** A timer that is set. Code asks it not to keep the process alive, and clears it. */
class Timer {
  dueMs: number
  readonly order: number
  readonly run: () => void
  readonly intervalMs: number | null
  readonly machine = machines.getStore() ?? null
  isCleared = false

  constructor(dueMs: number, order: number, run: () => void, intervalMs: number | null) {
    this.dueMs = dueMs
    this.order = order
    this.run = run
    this.intervalMs = intervalMs
  }

  unref(): this {
    return this
  }

  ref(): this {
    return this
  }

  hasRef(): boolean {
    return true
  }

  [Symbol.dispose](): void {
    this.isCleared = true
  }
}

/** Timers by when they are due; of one moment, in the order in which they were set. A binary heap. */
class TimerHeap {
  readonly #timers: Timer[] = []

  push(timer: Timer): void {
    const timers = this.#timers
    let at = timers.push(timer) - 1
    while (at > 0) {
      const above = (at - 1) >> 1
      if (isBefore(timers[above] as Timer, timer)) break
      timers[at] = timers[above] as Timer
      at = above
    }
    timers[at] = timer
  }

  get first(): Timer | undefined {
    return this.#timers[0]
  }

  pop(): void {
    const timers = this.#timers
    const last = timers.pop()
    if (last === undefined || timers.length === 0) return
    let at = 0
    for (;;) {
      let below = 2 * at + 1
      if (below >= timers.length) break
      if (below + 1 < timers.length && isBefore(timers[below + 1] as Timer, timers[below] as Timer))
        below += 1
      if (isBefore(last, timers[below] as Timer)) break
      timers[at] = timers[below] as Timer
      at = below
    }
    timers[at] = last
  }
}

function isBefore(a: Timer, b: Timer): boolean {
  return a.dueMs < b.dueMs || (a.dueMs === b.dueMs && a.order < b.order)
}

/** The scheduler; there is one at a time. */
export class VirtualTime implements Disposable {
  readonly #startMs: number
  readonly #timers = new TimerHeap()
  /** What is due on machines that are paused. */
  #held: Timer[] = []
  #nowMs = 0
  #order = 0
  /** What has been run. */
  steps = 0

  constructor(startMs: number) {
    this.#startMs = startMs
    this.#install()
  }

  /** Milliseconds since the beginning. */
  get nowMs(): number {
    return this.#nowMs
  }

  /** Runs what is due within so long. */
  run(durationMs: number): void {
    const endMs = this.#nowMs + durationMs
    settle()
    for (
      let timer = this.#timers.first;
      timer !== undefined && timer.dueMs <= endMs;
      timer = this.#timers.first
    ) {
      this.#timers.pop()
      if (timer.isCleared) continue
      if (timer.machine?.isPaused === true) {
        this.#held.push(timer)
        continue
      }
      this.#nowMs = Math.max(this.#nowMs, timer.dueMs)
      this.steps += 1
      if (timer.intervalMs !== null) {
        timer.dueMs += timer.intervalMs
        this.#timers.push(timer)
      }
      if (timer.machine === null) timer.run()
      else machines.run(timer.machine, timer.run)
      settle()
    }
    this.#nowMs = endMs
  }

  /** The machine goes on: all that was due meanwhile is due now, in its order. */
  resume(machine: Machine): void {
    machine.isPaused = false
    const due = this.#held.filter((timer) => timer.machine === machine)
    this.#held = this.#held.filter((timer) => timer.machine !== machine)
    for (const timer of due) {
      timer.dueMs = this.#nowMs
      this.#timers.push(timer)
    }
  }

  [Symbol.dispose](): void {
    machines.disable()
    Object.assign(globalThis, real)
    Object.assign(timersPromises, realPromises)
    performance.now = realNow
    syncBuiltinESMExports()
  }

  #set(run: () => void, delayMs: number, isRepeated = false): Timer {
    const ms = Math.max(1, Number(delayMs) || 0)
    return this.#add(new Timer(this.#nowMs + ms, this.#nextOrder(), run, isRepeated ? ms : null))
  }

  #add(timer: Timer): Timer {
    this.#timers.push(timer)
    return timer
  }

  #nextOrder(): number {
    this.#order += 1
    return this.#order
  }

  #install(): void {
    const clear = (timer: unknown): void => {
      if (timer instanceof Timer) timer.isCleared = true
    }
    const nowMs = (): number => this.#nowMs
    const wallMs = (): number => startMs + nowMs() + (machines.getStore()?.wallAheadMs ?? 0)
    const startMs = this.#startMs
    class VirtualDate extends real.Date {
      constructor(...given: [] | [number | string | Date]) {
        super(...((given.length === 0 ? [wallMs()] : given) as [number]))
      }

      static override now(): number {
        return wallMs()
      }
    }
    Object.assign(globalThis, {
      setTimeout: (run: (...args: unknown[]) => void, ms = 0, ...args: unknown[]) =>
        this.#set(() => run(...args), ms),
      setInterval: (run: (...args: unknown[]) => void, ms = 0, ...args: unknown[]) =>
        this.#set(() => run(...args), ms, true),
      setImmediate: (run: (...args: unknown[]) => void, ...args: unknown[]) =>
        this.#add(new Timer(this.#nowMs, this.#nextOrder(), () => run(...args), null)),
      ...{ clearTimeout: clear, clearInterval: clear, clearImmediate: clear, Date: VirtualDate },
    })
    performance.now = nowMs
    timersPromises['setTimeout'] = (ms?: number, value?: unknown, options?: { signal?: AbortSignal }) =>
      new Promise((resolve, reject) => {
        const { signal } = options ?? {}
        const onAbort = (): void => reject(signal?.reason)
        if (signal?.aborted === true) return onAbort()
        signal?.addEventListener('abort', onAbort, { once: true })
        this.#set(() => {
          signal?.removeEventListener('abort', onAbort)
          resolve(value)
        }, ms ?? 1)
      })
    syncBuiltinESMExports()
  }
}

/**
 * Until no promise and no stream has anything to do. A turn of the process's own loop would do the same, and takes longer than most of
 * what a world does in between.
 */
const settle = Reflect.get(process, '_tickCallback') as () => void

/** Runs something as a turn of the process's own loop: from within a promise, others cannot be run to their end. */
export function inOwnTurn<T>(run: () => T): Promise<T> {
  return new Promise((resolve, reject) => {
    real.setImmediate(() => {
      try {
        resolve(run())
      } catch (error) {
        reject(error)
      }
    })
  })
}
