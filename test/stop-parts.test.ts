/** Each part is stopped, whatever became of those before it, and what failed is not kept back. */
import { expect, it } from 'vitest'
import { stopParts } from '../src/stop-parts.ts'

function createWorld(failing: readonly string[]) {
  const stopped: string[] = []
  const part = (name: string) => async () => {
    await Promise.resolve()
    stopped.push(name)
    if (failing.includes(name)) throw new Error(`${name} failed`)
  }
  return { stopped, parts: ['slot', 'server', 'pool'].map(part) }
}

it.each([
  { failing: [], fails: undefined },
  { failing: ['slot'], fails: 'slot failed' },
  { failing: ['server'], fails: 'server failed' },
  { failing: ['slot', 'pool'], fails: 'Several parts failed to stop.' },
])('$failing', async ({ failing, fails }) => {
  const { stopped, parts } = createWorld(failing)
  const stopping = stopParts(parts)
  if (fails === undefined) await stopping
  else await expect(stopping).rejects.toThrow(fails)
  expect(stopped).toEqual(['slot', 'server', 'pool'])
})

it('what throws at once counts as well', async () => {
  const stopped: string[] = []
  const failed = stopParts([
    () => {
      throw new Error('at once')
    },
    () => stopped.push('second'),
  ])
  await expect(failed).rejects.toThrow('at once')
  expect(stopped).toEqual(['second'])
})
