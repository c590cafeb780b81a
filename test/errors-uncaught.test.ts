/**
 * Whatever Node.js calls by itself has nobody above it who could catch: a throw there ends the process. Each listener,
 * timer, microtask and promise that nobody waits for goes through the guard of src/guard.ts, or is one of a file that
 * says here why its callbacks cannot throw. A new one makes this test fail: wrap it with `guard.wrap(…)`.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { expect, test } from 'vitest'

const SRC = join(import.meta.dirname, '../src')
/** Programs that a person starts and watches; the client kit runs in programs of others. */
const NOT_THE_SERVER = ['cli', 'embedded', 'client', 'generator']

const CALLS =
  /\.(?:on|once|addListener|prependListener|addEventListener)\(|\b(?:setTimeout|setInterval|setImmediate|queueMicrotask|nextTick)\(|\bcreate(?:Http)?Server\(\s*(?!options|\{)|(?<=^|[^\w.])void (?=[a-zA-Z#])|(?<=^[ \t]*(?![ \t]|return\b|await\b|void\b|[?:.])[^=:\n]*)\.then\(/gm

interface Site {
  readonly file: string
  readonly text: string
}

/** The call from its name to its closing bracket; the rest of the line for `void`. */
function callAt(source: string, start: number): string {
  let depth = 0
  for (let at = start; at < source.length; at += 1) {
    const character = source[at]
    if (character === '(') depth += 1
    if (character === ')') depth -= 1
    if (character === ')' && depth === 0) return source.slice(start, at + 1)
    if (character === '\n' && depth === 0) return source.slice(start, at)
  }
  return source.slice(start)
}

/** Whether the callback is the guard's, or does no more than settle a promise. */
function isGuarded(call: string, source: string): boolean {
  if (/guard|\bcontain\(/i.test(call)) return true
  if (
    /[(,]\s*(?:resolve|reject)\s*[,)]|\(\) => resolve\(\)|\(\) => \{\}|\(\) => clear(?:Timeout|Interval)\(\w+\)/.test(
      call,
    )
  )
    return true
  const names = [...call.matchAll(/(?:#|\b)(\w+)\b/g)].map(([, name]) => name)
  return names.some((name) =>
    new RegExp(`(?:const |this\\.#)${name} =\\s*(?:(?:\\w+\\.)?#?guard\\.wrap|contain)\\(`).test(source),
  )
}

function listSites(): readonly Site[] {
  return readdirSync(SRC, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => !NOT_THE_SERVER.includes(relative(SRC, path).split('/')[0] ?? ''))
    .flatMap((path) => {
      const source = readFileSync(path, 'utf8')
        .replace(/\/\*[\s\S]*?\*\//g, '')
        .replace(/(^|\s)\/\/.*$/gm, '')
        .replace(/^import .*$/gm, '')
      return [...source.matchAll(CALLS)].flatMap((match) => {
        const text = callAt(source, match.index).replace(/\s+/g, ' ')
        return isGuarded(text, source) ? [] : [{ file: relative(SRC, path), text }]
      })
    })
}

/** Files with callbacks outside the guard: how many at most, and why none of them can throw. */
const UNGUARDED: Readonly<Record<string, readonly [count: number, why: string]>> = {
  'rowcast.ts': [1, 'an optional package is loaded; its failure is an answer'],
  'broker/reached-watch.ts': [1, 'each look catches, and rejects who waits for it'],
  'broker/redis-connection.ts': [6, 'they close the connection; the client catches what its socket throws'],
  'broker/replica-watch.ts': [1, 'it hands on what it throws'],
  'broker/stream-writer.ts': [1, 'what writing throws ends the stream, by a logger that does not throw'],
  'broker/tap-relay.ts': [1, 'as the writer'],
  'bus/stream-presence.ts': [1, 'it resolves a promise'],
  'bus/explain-delivery.ts': [1, 'no promise: push'],
  'bus/abort-listeners.ts': [1, 'ends queues, on the signal of the application'],
  'bus/older-reader.ts': [1, 'catches, and ends the subscriber'],
  'bus/time-slices.ts': [4, 'the timers themselves: rowcast.ts gives them to the bus with the guard around'],
  'observe/metrics.ts': [1, 'no promise: disable'],
  'server/client-socket.ts': [2, 'compares two texts; sending never rejects'],
  'server/compile-operation.ts': [1, 'does nothing'],
  'server/create-server.ts': [1, 'sets of sockets, and the end of the server'],
  'server/http-streams.ts': [1, 'ends a stream through the guard'],
  'server/iterator-pull.ts': [1, 'catches, and keeps the error for the end'],
  'server/listen-on.ts': [2, 'a log line, and a rejection'],
  'server/refusal.ts': [4, 'destroys a socket'],
  'server/result-stream.ts': [1, 'settles the promise of whoever iterates'],
  'server/session-keeper.ts': [2, 'what runs at the time goes through the guard'],
  'server/websocket-protocol.ts': [2, 'sending never rejects'],
  'server/stream-registry.ts': [1, 'what they throw is a rejection to who waits'],
  'source/identity-keeper.ts': [1, 'catches, and logs'],
  'source/relay-feed.ts': [1, 'catches, and ends the connection'],
  'source/snapshot.ts': [1, 'a rejection'],
  'source/sql.ts': [1, 'destroys a socket'],
  'wire/answer-deadline.ts': [1, 'destroys a socket'],
  'wire/clock.ts': [3, 'the timers themselves'],
  'wire/connection.ts': [3, 'what a handler throws ends the connection'],
  'wire/connection-target.ts': [1, 'its callbacks destroy a socket'],
  'graphql/reading/own-copy.ts': [1, 'settles the promise of who asked'],
  'graphql/reading/relation-batches.ts': [3, 'groups keys; what reading throws is a rejection to who waits'],
  'graphql/reading/unique-reads.ts': [2, 'groups look-ups; what reading throws is a rejection to who waits'],
  'graphql/reading/statement-gate.ts': [
    2,
    'rejects a promise; what a statement throws is a rejection to who waits',
  ],
  'graphql/activity/activity-log.ts': [2, 'no timer: a promise'],
}

test('every callback that Node.js calls goes through the guard, or has a reason why it cannot throw', () => {
  const sites = listSites()
  expect(sites.length).toBeGreaterThan(20)
  const texts = (file: string) => sites.filter((site) => site.file === file).map(({ text }) => text)
  for (const file of new Set([...sites.map((site) => site.file), ...Object.keys(UNGUARDED)])) {
    const [count = 0] = UNGUARDED[file] ?? []
    expect(
      texts(file).length,
      `${file}: wrap it with guard.wrap(…)\n${texts(file).join('\n')}`,
    ).toBeLessThanOrEqual(count)
  }
})

test('a callback without the guard would be found', () => {
  const found = (call: string) =>
    [...call.matchAll(CALLS)].filter(({ index }) => !isGuarded(callAt(call, index), call))
  expect(found('socket.on("data", (bytes) => parse(bytes))')).toHaveLength(1)
  expect(found('setTimeout(() => work(), 10)')).toHaveLength(1)
  expect(found('queueMicrotask(flush)')).toHaveLength(1)
  expect(found('void load()')).toHaveLength(1)
  expect(found('  load.then((rows) => show(rows))')).toHaveLength(1)
  expect(found('  return load.then((rows) => show(rows))')).toHaveLength(0)
  expect(found('socket.on("data", guard.wrap("parse", parse))')).toHaveLength(0)
  expect(found('const flush = guard.wrap("flush", all)\nqueueMicrotask(flush)')).toHaveLength(0)
})
