/** The library's face without a database: what is refused, and what the refusal says. */
import { describe, expect, it } from 'vitest'
import { catalog } from '../prisma/generated/rowcast.ts'
import type { ChangeFeed } from '../src/graphql/change-feed.ts'
import { createRowcast } from '../src/rowcast.ts'

const connectionString = 'postgresql://app:s3cret@127.0.0.1:1/shop'
const create = () => createRowcast({ connectionString, catalog })

/** The error a call throws; its text must fit on a screen and keep the password. */
function errorOf(call: () => unknown): Error & { code?: string; hint?: string } {
  try {
    call()
  } catch (error) {
    const { message } = error as Error
    expect(message.split('\n').length).toBeLessThan(25)
    expect(message).not.toContain('s3cret')
    return error as Error
  }
  throw new Error('Nothing was thrown.')
}

it('hands the policies of register() to the GraphQL layer', () => {
  const rowcast = create()
  const feed: ChangeFeed = rowcast
  const rows = () => ({ authorId: 'ada' })
  rowcast.register('Post', { rows })
  expect(feed.policies?.get('Post')).toMatchObject({ rows })
  expect(feed.policies?.has('User')).toBe(false)
})

describe('a rowcast refuses', () => {
  it('a model the schema does not have, and suggests the one that was meant', () => {
    // A typo does not compile; from JavaScript it is an error.
    const error = errorOf(() => create().register('Usr' as 'User'))
    expect(error).toMatchObject({ code: 'CATALOG_UNKNOWN_MODEL', hint: expect.stringContaining('"User"') })
    expect(errorOf(() => create().subscribe('toString' as 'User')).code).toBe('CATALOG_UNKNOWN_MODEL')
  })

  it('a subscription to a model that is not live', () => {
    const error = errorOf(() => create().register('Post').subscribe('User'))
    expect(error).toMatchObject({
      code: 'CATALOG_MODEL_NOT_REGISTERED',
      hint: expect.stringContaining("rowcast.register('User')"),
    })
  })

  it('to start with nothing to stream', () => {
    expect(errorOf(() => create().start()).code).toBe('SOURCE_NO_MODELS')
  })

  it('a model registered after the start', async () => {
    const rowcast = create().register('User')
    rowcast.start()
    expect(errorOf(() => rowcast.register('Post')).code).toBe('CATALOG_REGISTERED_TOO_LATE')
    await rowcast.stop()
  })

  it('a model registered again with other options, which would take its policy away', () => {
    const rows = () => ({ id: '1' })
    const rowcast = create().register('User', { rows }).register('User', { rows })
    for (const options of [{}, { rows: () => ({ id: '1' }) }, { rows, omit: ['email' as const] }])
      expect(errorOf(() => rowcast.register('User', options)).code).toBe('CATALOG_REGISTERED_TWICE')
    expect(rowcast.follow('User').policies.get('User')).toEqual({ rows })
  })

  it.each([
    ['no address', '', 'It is empty'],
    ['a typo in the scheme', 'postgre://app:s3cret@localhost/shop', 'postgresql://'],
    ['a port that is none', 'postgresql://app:s3cret@localhost:99999/shop', 'cannot be used'],
  ])('%s, without showing the password', (_name, address, words) => {
    const error = errorOf(() => createRowcast({ connectionString: address, catalog }))
    expect(error.code).toBe('CONFIG_BAD_DATABASE_URL')
    expect(error.message).toContain(words)
    expect(error.hint).toMatch(/DATABASE_URL|postgresql:\/\//)
  })

  it('a slot name PostgreSQL would refuse', () => {
    expect(errorOf(() => createRowcast({ connectionString, catalog, slot: 'My-Slot' })).code).toBe(
      'CONFIG_BAD_NAME',
    )
  })

  it('to guess where the database is', () => {
    const before = process.env['DATABASE_URL']
    delete process.env['DATABASE_URL']
    try {
      expect(errorOf(() => createRowcast({ catalog })).code).toBe('CONFIG_NO_DATABASE')
    } finally {
      if (before !== undefined) process.env['DATABASE_URL'] = before
    }
  })
})

describe('a rowcast that cannot connect', () => {
  it('neither throws into the application nor gives up, and can be stopped', async () => {
    const rowcast = create().register('User')
    rowcast.start()
    await expect.poll(() => rowcast.status().lastError?.code).toBe('SOURCE_CONNECTION_REFUSED')
    expect(['waiting', 'connecting']).toContain(rowcast.status().state)
    await rowcast.stop()
    expect(rowcast.status().state).toBe('stopped')
  })

  it('ends who comes after it was stopped, with a typed error', async () => {
    const rowcast = createRowcast({ catalog, connectionString: 'postgresql://app:secret@127.0.0.1:1/shop' })
    rowcast.register('User')
    const before = rowcast.subscribe('User')
    await rowcast.stop()
    expect(await before.next()).toEqual({ done: true, value: undefined })
    const stopping = { code: 'SERVER_STOPPING' }
    await expect(rowcast.subscribe('User').next()).rejects.toMatchObject(stopping)
    await expect(rowcast.messages().next()).rejects.toMatchObject(stopping)
  })

  it('ends who waits for it to be ready when it stops, and who asks afterwards', async () => {
    const rowcast = create().register('User')
    rowcast.start()
    const [ready, cursor] = [rowcast.ready(), rowcast.changeCursor()]
    const stopping = { code: 'SERVER_STOPPING' }
    const ended = Promise.all([
      expect(ready).rejects.toMatchObject(stopping),
      expect(cursor).rejects.toMatchObject(stopping),
    ])
    await rowcast.stop()
    await ended
    await expect(rowcast.ready()).rejects.toMatchObject(stopping)
    await expect(rowcast.changeCursor()).rejects.toMatchObject(stopping)
  })
})
