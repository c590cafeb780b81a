/** Who owns an operation: under any interleaving of subscribe, complete and close the last one of an id runs, alone. */
import { setImmediate as nextTurn } from 'node:timers/promises'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { TurnShare } from '../../src/bus/turn-share.ts'
import { createGuard } from '../../src/guard.ts'
import { silentLogger } from '../../src/logger.ts'
import { type Operation, SocketOperations } from '../../src/server/websocket/socket-operations.ts'
import { createDeferred, type Deferred } from '../support/deferred.ts'

/** What a client, its server and its network may do next. */
type Step =
  | { readonly does: 'subscribe' | 'complete'; readonly id: string }
  /** Something that an operation waits for is there: its context, its policy, the end of its results. */
  | { readonly does: 'settle'; readonly which: number }
  | { readonly does: 'close' }

const ids = fc.constantFrom('r', 's', '__proto__')
const steps: fc.Arbitrary<readonly Step[]> = fc.array(
  fc.oneof(
    { weight: 6, arbitrary: fc.record({ does: fc.constant('subscribe' as const), id: ids }) },
    { weight: 5, arbitrary: fc.record({ does: fc.constant('complete' as const), id: ids }) },
    { weight: 6, arbitrary: fc.record({ does: fc.constant('settle' as const), which: fc.nat(50) }) },
    { weight: 1, arbitrary: fc.record({ does: fc.constant('close' as const) }) },
  ),
  { maxLength: 60 },
)

/** Operations that wait twice, as for context and policy, and then have results until these are returned. */
class Work {
  readonly running = new Set<Operation>()
  mostAtWork = 0
  #atWork = 0
  #gates: Deferred<void>[] = []

  readonly run = async (operation: Operation): Promise<void> => {
    this.#atWork += 1
    this.mostAtWork = Math.max(this.mostAtWork, this.#atWork)
    for (let wait = 0; wait < 2; wait += 1) {
      const gate = createDeferred<void>()
      this.#gates.push(gate)
      await gate.promise
    }
    const returned = createDeferred<void>()
    this.running.add(operation)
    operation.own({
      return: async () => {
        this.running.delete(operation)
        returned.resolve()
      },
    })
    await returned.promise
    this.#atWork -= 1
  }

  settle(which: number): void {
    const [gate] = this.#gates.splice(which % Math.max(this.#gates.length, 1), 1)
    gate?.resolve()
  }

  async settleAll(): Promise<void> {
    do {
      for (const gate of this.#gates.splice(0)) gate.resolve()
      await turn()
    } while (this.#gates.length > 0)
  }
}

const turn = () => new Promise<void>((resolve) => setImmediate(resolve))

const OPERATIONS_MAX = 2

test('the last operation of an id runs, alone, and nothing is left when the socket closes', async () => {
  const property = fc.asyncProperty(steps, async (sequence) => {
    const work = new Work()
    const operations = new SocketOperations(OPERATIONS_MAX, createGuard(silentLogger))
    const open = new Map<string, Operation | null>()
    const start = (id: string) =>
      operations.start(id, (operation) => {
        // Only what is still open may begin.
        expect(operation.isOver).toBe(false)
        open.set(id, operation)
        return work.run(operation)
      })
    for (const step of sequence) {
      if (step.does === 'subscribe') {
        const verdict = open.has(step.id) ? 'idInUse' : open.size < OPERATIONS_MAX ? 'started' : 'tooMany'
        if (verdict === 'started') open.set(step.id, null)
        expect(start(step.id)).toBe(verdict)
      } else if (step.does === 'complete') {
        operations.complete(step.id)
        open.delete(step.id)
      } else if (step.does === 'close') {
        operations.closeAll()
        open.clear()
      } else if (step.does === 'settle') {
        work.settle(step.which)
        await turn()
      }
      for (const operation of work.running) expect(open.get(operation.id)).toBe(operation)
    }
    await work.settleAll()
    expect(work.running).toEqual(new Set(open.values()))
    expect(operations.count).toBe(open.size)
    operations.closeAll()
    await work.settleAll()
    expect(work.running.size).toBe(0)
    expect(operations.count).toBe(0)
    expect(work.mostAtWork).toBeLessThanOrEqual(OPERATIONS_MAX)
  })
  await fc.assert(property, { numRuns: 300 })
})

test('an operation that fails or ends by itself frees its id', async () => {
  const operations = new SocketOperations(1, createGuard(silentLogger))
  expect(operations.start('r', async (operation) => void operations.close(operation))).toBe('started')
  expect(operations.start('r', async () => undefined)).toBe('started')
  await turn()
  expect(operations.count).toBe(0)
})

test('what a thousand operations have open goes in many turns, when their sockets close together; none of them gets anything more', async () => {
  let nowMs = 0
  let ended = 0
  const guard = createGuard(silentLogger)
  const turns = new TurnShare({ guard, nowMs: () => nowMs })
  const opened: Operation[] = []
  const sockets = Array.from({ length: 20 }, () => new SocketOperations(50, guard, turns))
  for (const operations of sockets) {
    for (let id = 0; id < 50; id += 1) {
      operations.start(String(id), async (operation) => {
        opened.push(operation)
        operation.own({
          return: async () => {
            nowMs += 0.5
            ended += 1
            if (ended % 100 === 50) throw new Error('It cannot be closed.')
          },
        })
        await new Promise(() => undefined)
      })
    }
  }
  for (const operations of sockets) operations.closeAll()
  expect(opened).toHaveLength(1_000)
  expect(opened.every(({ isOver }) => isOver)).toBe(true)
  let most = ended
  while (ended < 1_000) {
    const before = ended
    await nextTurn()
    most = Math.max(most, ended - before)
  }
  // Four milliseconds of a turn.
  expect(most).toBeLessThanOrEqual(20)
})
