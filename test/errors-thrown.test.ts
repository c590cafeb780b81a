/**
 * Each listener, timer and microtask that `errors-uncaught.test.ts` finds is thrown in: the code that hands it to Node.js is run as it stands, with
 * everything around it made up and the guard real; what Node.js was given is then called, and throws at once, or rejects. Nothing comes out of it,
 * and the log has it under an id.
 */
import { setImmediate as nextTurn } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { contain, createGuard, type GuardedFailure } from '../src/guard.ts'
import { definitionsOf, isGuarded, serverSites, withoutTypes } from './support/callback-sites.ts'

type Callback = (...args: unknown[]) => unknown

const SITES = serverSites().filter(({ text, source }) => isGuarded(text, source))
const DEFINITIONS = new Map(
  [...new Map(SITES.map(({ file, source }) => [file, source]))].map(([file, source]) => [
    file,
    definitionsOf(source),
  ]),
)

/** How a callback fails. */
const FAILURES: Readonly<Record<string, () => unknown>> = {
  throws: () => {
    throw new Error('thrown in the listener')
  },
  rejects: () => Promise.reject(new Error('thrown in the listener')),
}

/** Code with everything around it made up: whatever is called there is called with nothing, and keeps the functions that it is given. */
function runMadeUp(code: string, definitions: ReadonlyMap<string, string>, fail: () => unknown) {
  const given: Callback[] = []
  let wrapped = 0
  const logged: string[] = []
  const guard = createGuard({ error: (message) => void logged.push(message) })
  const counted = {
    ...guard,
    wrap: (what: string, _callback: Callback, onFailure?: (failure: GuardedFailure) => void) => {
      wrapped += 1
      return guard.wrap(what, fail, onFailure)
    },
    settle: (what: string) => {
      wrapped += 1
      return guard.settle(what, async () => fail())
    },
    run: (what: string, _callback: Callback) => {
      wrapped += 1
      given.push(() => guard.run(what, fail))
    },
  }
  const containing = (_callback: Callback, onFailure: (error: Error) => unknown) => {
    wrapped += 1
    // What it does with the failure is its own.
    const contained = contain(FAILURES['throws'] as Callback, (error) => {
      logged.push('contained')
      return Object.assign(() => onFailure, { error })
    })
    return contained
  }
  const known = new Map<PropertyKey, unknown>([
    ['contain', containing],
    ['process', undefined],
  ])
  const named = (name: PropertyKey): unknown => {
    if (name === Symbol.toPrimitive) return () => 1
    if (typeof name === 'string' && /guard$/i.test(name)) return counted
    if (known.has(name)) return known.get(name) ?? anything
    const definition = typeof name === 'string' ? definitions.get(name) : undefined
    if (definition === undefined) return anything
    known.set(name, anything)
    known.set(name, evaluate(definition))
    return known.get(name)
  }
  const call = (_target: unknown, _self: unknown, args: readonly unknown[]): unknown => {
    given.push(...args.filter((each): each is Callback => typeof each === 'function' && each !== anything))
    return anything
  }
  const anything: Callback = new Proxy<Callback>(() => undefined, {
    get: (_target, name) => named(name),
    apply: call,
    construct: (target, args) => Object(call(target, null, args)),
    set: (_target, name, value) => {
      if (typeof value === 'function' && value !== anything) given.push(value as Callback)
      else known.set(name, value)
      return true
    },
  })
  const scope = new Proxy(
    {},
    {
      has: (_target, name) => name !== 'given',
      get: (_t, name) => (name === Symbol.unscopables ? undefined : named(name)),
    },
  )
  const evaluate = (text: string): unknown =>
    // The code is this repository's own.
    new Function('scope', `with (scope) { return (${text}) }`).call(anything, scope)
  evaluate(code)
  return { given, logged, wrapped: () => wrapped, anything }
}

test.each(Object.entries(FAILURES))('whatever %s in a listener, nothing comes out of it', async (_, fail) => {
  const problems: string[] = []
  let thrownIn = 0
  for (const { file, text, code } of SITES) {
    const where = `${file}: ${text}`
    try {
      const { given, logged, wrapped, anything } = runMadeUp(
        withoutTypes(code),
        DEFINITIONS.get(file) ?? new Map(),
        fail,
      )
      // It only settles a promise.
      if (wrapped() === 0) continue
      for (const callback of given) callback(anything, anything, anything)
      await nextTurn()
      if (logged.length > 0) thrownIn += 1
      else if (given.length > 0) throw new Error('nothing is in the log')
    } catch (error) {
      problems.push(`${where}\n  ${String(error)}`)
    }
  }
  expect(problems).toEqual([])
  expect(thrownIn).toBeGreaterThan(60)
})
