/** Waits for the stream: each has an end, and what fails says why. */
import { expect, it } from 'vitest'
import { StreamPresence } from '../../src/bus/stream-presence.ts'

it('what cannot be asked for fails with its own error, leaves no wait behind, and can be asked for again', async () => {
  const presence = new StreamPresence(20)
  const broken = () => {
    throw new Error('no model is live')
  }
  expect(() => presence.whenReady(broken)).toThrow('no model is live')
  await expect(presence.whenReady(() => Promise.resolve())).resolves.toBeUndefined()
  // A wait that nobody listens to would end the process at its deadline.
  await new Promise((resolve) => setTimeout(resolve, 40))
})

it('at the deadline a wait ends, however many wait', async () => {
  const presence = new StreamPresence(5)
  const never = () => new Promise<void>(() => undefined)
  const waits = [presence.whenReady(never), presence.whenReady(never), presence.whenLive()]
  for (const wait of waits) await expect(wait).rejects.toMatchObject({ code: 'NO_STREAM_YET' })
})
