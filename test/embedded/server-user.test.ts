import { expect, test } from 'vitest'
import { canServerEnter, provideServerUser } from '../../src/embedded/server-user.ts'
import { openFolder } from '../support/postgres.ts'

test('only root needs another user for the server', () => {
  const user = provideServerUser()
  if (process.getuid?.() === 0) expect(user).toEqual({ uid: expect.any(Number), gid: expect.any(Number) })
  else expect(user).toBeNull()
  expect(user?.uid).not.toBe(0)
})

test('a user that cannot be had is named, with the command that makes one', ({ skip }) => {
  if (process.getuid?.() !== 0) skip('an ordinary user needs no other')
  expect(() => provideServerUser('not a valid name')).toThrow(
    expect.objectContaining({ code: 'EMBEDDED_NO_SERVER_USER', hint: expect.stringContaining('useradd') }),
  )
})

test('a private folder is closed to the server, what lies in it too', async ({ skip }) => {
  await using open = await openFolder()
  await using closed = await openFolder(0o700)
  expect(canServerEnter(closed.path, null)).toBe(true)
  if (process.getuid?.() !== 0) skip('only for root the server is another user')
  const user = provideServerUser()
  expect(canServerEnter(open.path, user)).toBe(true)
  expect(canServerEnter(closed.path, user)).toBe(false)
})
