/** What a server keeps of documents is bounded in bytes, whatever they are made of. */
import { parse } from 'graphql'
import { describe, expect, it } from 'vitest'
import { countTokens, createDocumentCaches } from '../../src/server/execution/document-cache.ts'
import { WeighedCache } from '../../src/server/execution/weighed-cache.ts'

describe('a cache that is weighed', () => {
  const create = () =>
    new WeighedCache<string>({ bytesMax: 10, weigh: (key, value) => key.length + value.length })

  it('keeps what was used last, up to its bound', () => {
    const cache = create()
    cache.set('a', '1234')
    cache.set('b', '1234')
    expect(cache.bytes).toBe(10)
    expect(cache.get('a')).toBe('1234')
    cache.set('c', '1')
    expect([cache.get('a'), cache.get('b'), cache.get('c')]).toEqual(['1234', undefined, '1'])
    expect(cache.bytes).toBe(7)
  })

  it('weighs an entry once, and keeps none that is too heavy', () => {
    const cache = create()
    cache.set('a', '1')
    cache.set('a', '12')
    expect(cache.bytes).toBe(3)
    cache.set('a', '1234567890')
    expect(cache.get('a')).toBeUndefined()
    expect(cache.bytes).toBe(0)
  })
})

describe('the cache of documents', () => {
  it('counts all tokens, comments among them', () => {
    expect(countTokens(parse('{ a }'))).toBe(countTokens(parse('{ b }')))
    expect(countTokens(parse('{ a #x\n#y\n }'))).toBe(countTokens(parse('{ a }')) + 2)
  })

  it('holds few documents of many comments, many of few tokens', () => {
    const { documentCache } = createDocumentCaches()
    for (let index = 0; index < 64; index += 1) {
      const text = `{ a${index} ${'#\n'.repeat(15_000)} }`
      documentCache.set(text, parse(text))
    }
    expect(documentCache.bytes).toBeLessThanOrEqual(16 * 1024 * 1024)
    const isKept = (index: number) => documentCache.get(`{ a${index} ${'#\n'.repeat(15_000)} }`) !== undefined
    expect([isKept(0), isKept(63)]).toEqual([false, true])
    for (let index = 0; index < 1_000; index += 1) documentCache.set(`{ b${index} }`, parse(`{ b${index} }`))
    expect(documentCache.get('{ b0 }')).toBeDefined()
  })
})
