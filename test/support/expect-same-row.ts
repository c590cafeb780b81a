/** The strictest equality: values, prototypes of everything within, and the order of keys. */
import { expect } from 'vitest'

/** Every object within a value, with the path that leads to it. */
function listPrototypes(value: unknown, path = 'row'): readonly (readonly [string, unknown])[] {
  if (typeof value !== 'object' || value === null) return []
  const own: readonly [string, unknown] = [path, Object.getPrototypeOf(value)]
  if (ArrayBuffer.isView(value) || value instanceof Date) return [own]
  return [
    own,
    ...Object.entries(value)
      .filter(([key]) => key !== 'constructor')
      .flatMap(([key, inner]) => listPrototypes(inner, `${path}.${key}`)),
  ]
}

/** Fails unless `actual` could not be distinguished from `expected`. */
export function expectSameRow(actual: object, expected: object): void {
  expect(actual).toStrictEqual(expected)
  expect(Object.keys(actual)).toEqual(Object.keys(expected))
  const prototypes = listPrototypes(actual)
  const expectedPrototypes = listPrototypes(expected)
  expect(prototypes.map(([path]) => path)).toEqual(expectedPrototypes.map(([path]) => path))
  for (const [index, [path, prototype]] of prototypes.entries()) {
    if (prototype !== expectedPrototypes[index]?.[1]) expect.fail(`${path} has another prototype`)
  }
}
