/** Whether sessions still hold is asked of so many at once, and a check that hangs keeps no other waiting for good. */
import { GraphQLError } from 'graphql'
import { expect, onTestFinished, test, vi } from 'vitest'
import { RowcastError } from '../../src/errors.ts'
import { createGuard } from '../../src/guard.ts'
import { silentLogger } from '../../src/logger.ts'
import type { ContextFunction, ContextSource } from '../../src/server/session/context.ts'
import { createSessionKeeper } from '../../src/server/session/session-keeper.ts'

/** @param timeoutMs after which a call no longer counts as running */
function createKeeper(timeoutMs = 10, context?: ContextFunction) {
  const keeper = createSessionKeeper({
    context,
    ...{ logger: silentLogger, guard: createGuard(silentLogger) },
    ...{ contextCallsMax: 3, connectionInitTimeoutMs: timeoutMs, revalidateIntervalMs: 300 },
    errorMask: { mask: () => new GraphQLError('masked'), hasLogged: () => false },
  })
  onTestFinished(() => keeper.close())
  return keeper
}

test('checks are made so many at a time, and all are made', async () => {
  const keeper = createKeeper(60_000)
  const running = { now: 0, most: 0, all: 0 }
  const revalidate = async () => {
    running.now += 1
    running.all += 1
    running.most = Math.max(running.most, running.now)
    await new Promise((resolve) => setImmediate(resolve))
    running.now -= 1
    return true
  }
  const onEnd = vi.fn()
  for (let n = 0; n < 50; n += 1) keeper.watch({ context: {}, revalidate }, onEnd)
  await keeper.revalidate()
  expect(running).toEqual({ now: 0, most: 3, all: 50 })
  expect(onEnd).not.toHaveBeenCalled()
})

test('a check that hangs ends its own session, and keeps no other from its turn', async () => {
  const keeper = createKeeper()
  const [hung, fine, left] = [vi.fn(), vi.fn(), vi.fn(() => true)]
  for (let n = 0; n < 9; n += 1)
    keeper.watch({ context: {}, revalidate: () => new Promise<boolean>(() => undefined) }, hung)
  keeper.watch({ context: {}, revalidate: () => false }, fine)
  const leave = keeper.watch({ context: {}, revalidate: left }, vi.fn())
  const checked = keeper.revalidate()
  leave()
  await checked
  expect(hung).toHaveBeenCalledTimes(9)
  expect(fine).toHaveBeenCalledTimes(1)
  expect(left).not.toHaveBeenCalled()
})

test('what watches a session ends it after the watch has begun, is stopped once, and where it fails nothing stays open', async () => {
  const keeper = createKeeper()
  const ends: ((why?: RowcastError) => void)[] = []
  const stopped = vi.fn()
  const watch = (end: (why?: RowcastError) => void) => {
    ends.push(end)
    return stopped
  }
  const [first, second, third] = [vi.fn(), vi.fn(), vi.fn()]
  const leaveFirst = keeper.watch({ context: {}, watch }, first)
  const leave = keeper.watch({ context: {}, watch }, second)
  const atOnce = (end: () => void) => {
    end()
    return stopped
  }
  keeper.watch({ context: {}, watch: atOnce }, third)
  const failing = vi.fn()
  keeper.watch(
    {
      context: {},
      watch: () => {
        throw new Error('no watch')
      },
    },
    failing,
  )
  expect([third, failing].map((end) => end.mock.calls.length)).toEqual([0, 0])
  ends[0]?.(new RowcastError('SESSION_EXPIRED', 'Over.'))
  ends[0]?.()
  leave()
  leave()
  ends[1]?.()
  await Promise.resolve()
  // The connection that ended with its session leaves as well.
  leaveFirst()
  expect(first.mock.calls.map(([why]) => why.code)).toEqual(['SESSION_EXPIRED'])
  expect(second).not.toHaveBeenCalled()
  for (const end of [third, failing])
    expect(end.mock.calls.map(([why]) => why.code)).toEqual(['SESSION_REVOKED'])
  expect(stopped).toHaveBeenCalledTimes(3)
})

test('who asks whether sessions still hold has an answer from after that, though a check is under way', async () => {
  const keeper = createKeeper(60_000)
  const [onEnd, answers] = [vi.fn(), [] as ((isGood: boolean) => void)[]]
  const revalidate = () => new Promise<boolean>((resolve) => answers.push(resolve))
  keeper.watch({ context: {}, revalidate }, onEnd)
  const before = keeper.revalidate()
  await vi.waitUntil(() => answers.length === 1)
  // The session is revoked here, and the check that is under way has read it before.
  const asked = [keeper.revalidate(), keeper.revalidate()]
  answers[0]?.(true)
  await before
  await vi.waitUntil(() => answers.length === 2)
  expect(onEnd).not.toHaveBeenCalled()
  answers[1]?.(false)
  await Promise.all(asked)
  expect(onEnd.mock.calls.map(([why]) => why.code)).toEqual(['SESSION_REVOKED'])
  expect(answers).toHaveLength(2)
})

test('who is let in by what was read before sessions were asked is asked once more, and nobody else', async () => {
  const session = { context: {}, revalidate: vi.fn(() => false) }
  const letIn: (() => void)[] = []
  const keeper = createKeeper(60_000, () => new Promise((resolve) => letIn.push(() => resolve(session))))
  const source: ContextSource = { kind: 'http', headers: {}, remoteAddress: '127.0.0.1' }
  const opening = [keeper.open(source), keeper.open(source)]
  await vi.waitUntil(() => letIn.length === 2)
  letIn[0]?.()
  const opened = await opening[0]
  // The session is revoked here: one is being opened, and one is open and not watched yet.
  await keeper.revalidate()
  letIn[1]?.()
  const later = keeper.open(source)
  await vi.waitUntil(() => letIn.length === 3)
  letIn[2]?.()
  const ends = [opened, await opening[1], await later].map((each) => {
    const onEnd = vi.fn()
    if (each !== undefined) keeper.watch(each, onEnd)
    return onEnd
  })
  await vi.waitUntil(() => ends.slice(0, 2).every(({ mock }) => mock.calls.length === 1))
  expect(ends.map((end) => end.mock.calls.map(([why]) => why.code))).toEqual([
    ...[['SESSION_REVOKED'], ['SESSION_REVOKED']],
    [],
  ])
  expect(session.revalidate).toHaveBeenCalledTimes(2)
})

test('a session is asked as the object that it is', async () => {
  const keeper = createKeeper()
  const onEnd = vi.fn()
  const session = {
    context: {},
    isGood: true,
    revalidate() {
      return this.isGood
    },
  }
  keeper.watch(session, onEnd)
  await keeper.revalidate()
  expect(onEnd).not.toHaveBeenCalled()
  session.isGood = false
  await keeper.revalidate()
  expect(onEnd).toHaveBeenCalledTimes(1)
})
