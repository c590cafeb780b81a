/** Stage 6, bus. The operators of lists, one row each; what follows from them is said in operators.ts. */
import type { OperatorRow } from './operators.ts'
import type { ValueKey } from './value-domain.ts'

/** The keys of a row's list, in order and as a set. */
export interface ListKeys {
  readonly keys: readonly ValueKey[]
  readonly set: ReadonlySet<ValueKey>
}

/** An operator of a list. `isEmpty` takes a Boolean; the keys of all others' operands are what is asked for. */
export interface ListOperatorRow extends OperatorRow {
  readonly test: (list: ListKeys, wanted: readonly ValueKey[]) => boolean
}

/** Operators of a field that holds a list. */
export const LIST_OPERATORS = {
  has: {
    operand: 'value',
    description: 'Has this value.',
    test: ({ set }, wanted) => wanted.every((key) => set.has(key)),
  },
  hasSome: {
    operand: 'values',
    description: 'Has at least one of these.',
    test: ({ set }, wanted) => wanted.some((key) => set.has(key)),
  },
  hasEvery: {
    operand: 'values',
    description: 'Has all of these.',
    test: ({ set }, wanted) => wanted.every((key) => set.has(key)),
  },
  equals: {
    operand: 'values',
    description: 'Is this list, in this order.',
    test: ({ keys }, wanted) =>
      keys.length === wanted.length && keys.every((key, index) => isSameKey(key, wanted[index])),
  },
  isEmpty: {
    operand: 'boolean',
    description: 'Has no value, or has one.',
    test: ({ keys }) => keys.length === 0,
  },
} as const satisfies Readonly<Record<string, ListOperatorRow>>

/** Name of an operator of a list. */
export type ListOperator = keyof typeof LIST_OPERATORS

function isSameKey(a: ValueKey, b: ValueKey | undefined): boolean {
  return a === b || (Number.isNaN(a) && Number.isNaN(b))
}
