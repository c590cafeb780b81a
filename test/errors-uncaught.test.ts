/**
 * Whatever Node.js calls by itself has nobody above it who could catch: a throw there ends the process. Each listener,
 * timer, microtask and promise that nobody waits for goes through the guard of src/guard.ts, or is one of a file that
 * says here why its callbacks cannot throw. A new one makes this test fail: wrap it with `guard.wrap(…)`.
 */
import { expect, test } from 'vitest'
import { callbackSites, isGuarded, serverSites } from './support/callback-sites.ts'

/** Files with callbacks outside the guard: how many at most, and why none of them can throw. */
const UNGUARDED: Readonly<Record<string, readonly [count: number, why: string]>> = {
  'source/session/tail-session.ts': [1, 'goes on reading'],
  'server/pages/static-file.ts': [1, 'takes an entry out of a map'],
  'server/websocket/socket-operations.ts': [1, 'does nothing'],
  'server/delivery/results-ahead.ts': [1, 'does nothing'],
  'server/limits/client-accounts.ts': [1, 'takes a name out of a map'],
  'broker/drift-looks.ts': [1, 'a log line, by a logger that does not throw'],
  'guard.ts': [1, 'the guard itself'],
  'bus/arrivals.ts': [1, 'what it is given is guarded'],
  'broker/reached-watch.ts': [1, 'rejects who waits for it'],
  'broker/redis/redis-connection.ts': [2, 'what ending the connection throws is contained; keeps an error'],
  'broker/broker-runtime.ts': [1, 'the timers themselves: what is given to them catches'],
  'broker/replica-watch.ts': [1, 'it hands on what it throws'],
  'broker/stream-writer.ts': [2, 'what writing throws ends the stream, by a logger that does not throw'],
  'broker/tap-relay.ts': [2, 'what they call goes through the guard'],
  'bus/replication-presence.ts': [1, 'it resolves a promise'],
  'bus/explain-delivery.ts': [1, 'no promise: push'],
  'wire/shared-listener.ts': [1, 'ends queues and waits, on signals of the application and the worker'],
  'bus/merge-deliveries.ts': [1, 'ends a subscription of the bus, whose end never rejects'],
  'bus/merged-subscription.ts': [1, 'notifies who reads it, which must not throw'],
  'bus/older-reader.ts': [2, 'catches, and ends the subscriber'],
  'bus/time-slices.ts': [4, 'the timers themselves: rowcast-parts.ts gives the bus guarded ones'],
  'observe/metrics.ts': [1, 'no promise: disable'],
  'rowcast-metadata.ts': [1, 'begins calls of the application, each in a promise of its own'],
  'sets/answers.ts': [1, 'what pulling throws ends the subscription; ending one never rejects'],
  'sets/latest-answers.ts': [1, 'what pulling throws ends the subscription; ending one never rejects'],
  'sets/page-reads.ts': [2, 'catches what a read throws; whoever waits no more is taken out of a set'],
  'sets/first-rows.ts': [2, 'ends a subscription; ending one never rejects'],
  'sets/changes-of-models.ts': [1, 'a subscription of the bus, whose end never rejects'],
  'sets/kept-set.ts': [
    2,
    'catches what a step throws, and ends its subscriptions with it; ending one never rejects',
  ],
  'sets/kept-subscription.ts': [1, 'ends the subscription; ending one never rejects'],
  'sets/live-view.ts': [1, 'ends the subscription, which lets go of who waits and throws nothing'],
  'sets/set-graph.ts': [1, 'forgets a set; what ended it is a rejection to who waits'],
  'server/websocket/client-socket.ts': [2, 'compares two texts; sending never rejects'],
  'server/execution/compile-operation.ts': [1, 'does nothing'],
  'server/http/open-sockets.ts': [1, 'closes what is still open'],
  'server/http/result-streams.ts': [1, 'ends a stream through the guard'],
  'server/delivery/iterator-pull.ts': [2, 'catches, and keeps the error for the end'],
  'server/http/listen-on.ts': [2, 'a log line, and a rejection'],
  'server/refusal.ts': [4, 'destroys a socket'],
  'server/delivery/subscription-results.ts': [
    2,
    'settles the promise of whoever iterates; does nothing where a source cannot be let go of',
  ],
  'sets/in-turns.ts': [1, 'settles the promise of whoever waits for a turn'],
  'server/session/session-keeper.ts': [2, 'what runs at the time goes through the guard'],
  'server/websocket/websocket-protocol.ts': [3, 'sending never rejects; masks an error and closes a socket'],
  'server/http/reserved-result-streams.ts': [1, 'what they throw is a rejection to who waits'],
  'source/db/sql.ts': [1, 'destroys a socket'],
  'wire/answer-deadline.ts': [2, 'destroys a socket; a rejection'],
  'wire/clock.ts': [3, 'the timers themselves'],
  'wire/connection.ts': [3, 'what a handler throws ends the connection'],
  'wire/driver-target.ts': [1, 'its callbacks destroy a socket'],
  'graphql/policy/own-copy.ts': [1, 'settles the promise of who asked'],
  'graphql/reading/relation-batches.ts': [3, 'groups keys; what reading throws is a rejection to who waits'],
  'graphql/plugin/visible-rows.ts': [2, 'groups keys; what reading throws is a rejection to who waits'],
  'graphql/reading/unique-reads.ts': [2, 'groups look-ups; what reading throws is a rejection to who waits'],
  'graphql/reading/statement-gate.ts': [
    2,
    'rejects a promise; what a statement throws is a rejection to who waits',
  ],
  'graphql/activity/activity-log.ts': [2, 'no timer: a promise'],
}

test('every callback that Node.js calls goes through the guard, or has a reason why it cannot throw', () => {
  const sites = serverSites().filter(({ text, source }) => !isGuarded(text, source))
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

test('a callback without the guard would be found, however it is written', () => {
  const found = (source: string) => callbackSites(source).filter((text) => !isGuarded(text, source))
  for (const source of [
    'socket.on("data", (bytes) => parse(bytes))',
    'socket?.on("data", parse)',
    'emitter.prependOnceListener("end", finish)',
    'signal.addEventListener("abort", stop)',
    'webSocket.onmessage = (event) => read(event)',
    'setTimeout(() => work(), 10)',
    'globalThis.setTimeout(work, 10)',
    'process.nextTick(work)',
    'queueMicrotask(flush)',
    'function later(run, next = setImmediate) { next(run) }',
    'const server = createServer((request, response) => answer(request, response))',
    'new FinalizationRegistry((name) => forget(name))',
    'void load()',
    'load().then((rows) => show(rows))',
    'load()\n  .then(show)\n  .finally(() => finish())',
    'load().catch((error) => report(error))',
    'if (isLate) load().finally(finish)',
  ]) {
    expect(found(source), source).toHaveLength(1)
  }
  for (const source of [
    'async () => { return load().then((rows) => show(rows)) }',
    'const rows = load().then(show)',
    'async () => { await load().catch(report) }',
    'socket.on("data", guard.wrap("parse", parse))',
    'const flush = guard.wrap("flush", all)\nqueueMicrotask(flush)',
    '// setTimeout(work)',
    'const text = "void load()"',
  ]) {
    expect(found(source), source).toEqual([])
  }
})
