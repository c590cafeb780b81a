import { describe, expect, test } from 'vitest'
import { catalog } from '../../prisma/generated/rowcast.ts'
import type { ModelCatalog } from '../../src/catalog/model-catalog.ts'
import { parseCatalog } from '../../src/catalog/parse-catalog.ts'
import { createRowcast } from '../../src/rowcast.ts'

type Path = readonly (string | number)[]

/** Every value below, and where it is. */
function valuesOf(value: unknown, path: Path = []): readonly { path: Path; value: unknown }[] {
  if (typeof value !== 'object' || value === null) return [{ path, value }]
  const own = Object.entries(value).map(([name, each]) => ({
    name: Array.isArray(value) ? Number(name) : name,
    each,
  }))
  return [
    ...(path.length === 0 ? [] : [{ path, value }]),
    ...own.flatMap(({ name, each }) => valuesOf(each, [...path, name])),
  ]
}

/** A copy in which something else stands there. */
function withValue(value: unknown, [first, ...rest]: Path, other: unknown): unknown {
  if (first === undefined) return other
  if (Array.isArray(value))
    return value.map((each: unknown, index) => (index === first ? withValue(each, rest, other) : each))
  const own = value as Readonly<Record<string, unknown>>
  return { ...own, [first]: withValue(own[first], rest, other) }
}

const parse = (document: unknown) => parseCatalog(document as ModelCatalog)

describe('a catalog', () => {
  test('that was generated is taken as it is', () => {
    expect(parseCatalog(catalog)).toBe(catalog)
  })

  test('is refused wherever something else stands in it', () => {
    const values = valuesOf(catalog).filter(({ path }) => !String(path[0]).startsWith('~'))
    expect(values.length).toBeGreaterThan(300)
    for (const { path } of values)
      expect(() => parse(withValue(catalog, path, 7n)), path.join('.')).toThrow(
        expect.objectContaining({ code: 'CONFIG_CATALOG_VERSION' }),
      )
  })

  test.each([
    [undefined, 'The catalog is not an object'],
    [{ ...catalog, formatVersion: 2 }, 'has format 2, not 1'],
    [
      { ...catalog, models: { Other: catalog.models.User } },
      '`models.Other.name` of the catalog is not "Other"',
    ],
    [{ ...catalog, enums: {} }, 'which is not in it'],
    [{ ...catalog, models: { Post: catalog.models.Post } }, 'which is not in it'],
  ])('says what is not right: %#', (document, words) => {
    expect(() => parse(document)).toThrow(words)
  })

  test('that is not right is refused by the library before it connects', () => {
    const document = { ...catalog, formatVersion: 0 } as unknown as typeof catalog
    const prisma = { $connect: async () => {}, $disconnect: async () => {} }
    expect(() =>
      createRowcast({ catalog: document, prisma, connectionString: 'postgresql://a@localhost/b' }),
    ).toThrow(expect.objectContaining({ code: 'CONFIG_CATALOG_VERSION' }))
  })
})
