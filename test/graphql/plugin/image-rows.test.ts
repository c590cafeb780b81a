import { GraphQLError } from 'graphql'
import { describe, expect, it } from 'vitest'
import { extendImage, isImage, sentRow, toImage } from '../../../src/graphql/subscription/image-rows.ts'

function errorOf(read: () => unknown): GraphQLError {
  try {
    read()
  } catch (error) {
    if (error instanceof GraphQLError) return error
  }
  throw new Error('It threw no error of GraphQL.')
}

const codeOf = (read: () => unknown): unknown => errorOf(read).extensions['code']

describe('images', () => {
  it('are the rows themselves, unchanged', () => {
    const row = Object.freeze({ id: 1 })
    expect(isImage(row)).toBe(false)
    expect(toImage('Post', row)).toBe(row)
    expect(isImage(row)).toBe(true)
  })

  it('explain what they do not have when it is read, and can be copied without it', () => {
    const row = Object.freeze({ id: 1 })
    const image = toImage('Post', row, { unavailable: ['body'] })
    expect(image).not.toBe(row)
    expect(errorOf(() => image['body'])).toMatchObject({
      message: expect.stringMatching(/^PostgreSQL did not send Post\.body/),
      extensions: { code: 'GRAPHQL_VALUE_UNAVAILABLE' },
    })
    expect({ ...image }).toEqual({ id: 1 })
    const extended = extendImage(image, { author: null })
    expect(extended['author']).toBeNull()
    expect(codeOf(() => extended['body'])).toBe('GRAPHQL_VALUE_UNAVAILABLE')
  })

  it('can be extended over a property they have', () => {
    const image = toImage('Post', Object.freeze({ id: 1, author: 'x' }))
    expect(extendImage(image, { author: null })).toEqual({ id: 1, author: null })
    expect(image['author']).toBe('x')
  })

  it('hide what the viewer may not see, whether it was sent or not, and keep it for looking up', () => {
    const row = Object.freeze({ id: 1, authorId: 'a' })
    const image = toImage('Post', row, {
      unavailable: ['body', 'notes'],
      hidden: new Set(['authorId', 'body']),
    })
    const extended = extendImage(image, { author: null })
    for (const each of [image, extended]) {
      expect(codeOf(() => each['authorId'])).toBe('FIELD_HIDDEN')
      expect(codeOf(() => each['body'])).toBe('FIELD_HIDDEN')
      expect(codeOf(() => each['notes'])).toBe('GRAPHQL_VALUE_UNAVAILABLE')
      expect(JSON.stringify(each)).not.toContain('authorId')
      expect(sentRow(each)['authorId']).toBe('a')
    }
    expect(row.authorId).toBe('a')
  })
})
