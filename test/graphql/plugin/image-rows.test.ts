import { describe, expect, it } from 'vitest'
import { extendImage, isImage, sentRow, toImage } from '../../../src/graphql/plugin/image-rows.ts'

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
    expect(() => image['body']).toThrow('[GRAPHQL_VALUE_UNAVAILABLE] PostgreSQL did not send Post.body')
    expect({ ...image }).toEqual({ id: 1 })
    const extended = extendImage(image, { author: null })
    expect(extended['author']).toBeNull()
    expect(() => extended['body']).toThrow('GRAPHQL_VALUE_UNAVAILABLE')
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
      expect(() => each['authorId']).toThrow('FIELD_HIDDEN')
      expect(() => each['body']).toThrow('FIELD_HIDDEN')
      expect(() => each['notes']).toThrow('GRAPHQL_VALUE_UNAVAILABLE')
      expect(JSON.stringify(each)).not.toContain('authorId')
      expect(sentRow(each)['authorId']).toBe('a')
    }
    expect(row.authorId).toBe('a')
  })
})
