/** No JSON is made of what is sure to be too long; whatever is not, has the text that it always had. */
import fc from 'fast-check'
import { expect, test, vi } from 'vitest'
import { hasLongerTexts, jsonWithin } from '../../src/server/delivery/bounded-json.ts'

test('has the text where it fits, and none where it does not', () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.nat(200), (value, bytesMax) => {
      const boxed = { data: value }
      const text = JSON.stringify(boxed)
      expect(jsonWithin(boxed, bytesMax)).toBe(Buffer.byteLength(text) > bytesMax ? null : text)
    }),
  )
})

test('what has a JSON of its own is asked for it', () => {
  const own = { secret: 'x'.repeat(100), toJSON: () => 1 }
  expect(jsonWithin({ own }, 20)).toBe('{"own":1}')
})

test('makes none of what is sure to be too long', () => {
  const row = Object.fromEntries(Array.from({ length: 15 }, (_, n) => [`a${n}`, 'x'.repeat(100_000)]))
  const stringify = vi.spyOn(JSON, 'stringify')
  expect(jsonWithin({ data: { rows: [row] } }, 1_048_576)).toBeNull()
  expect(stringify).not.toHaveBeenCalled()
  stringify.mockRestore()
  expect(hasLongerTexts({ rows: Array.from({ length: 1_000 }, () => null) }, 900)).toBe(true)
})

test('looks at no more of a long list than it needs', () => {
  const asked = { count: 0 }
  const list = new Proxy(
    Array.from({ length: 100_000 }, () => 'a text of some length'),
    {
      get(target, name) {
        asked.count += 1
        return Reflect.get(target, name)
      },
    },
  )
  expect(hasLongerTexts(list, 1_000)).toBe(true)
  expect(asked.count).toBeLessThan(10_000)
})
