/** What viewers ask for: rows of a model that meet a condition, of their own columns or of related rows. */
import type { Random } from '../chaos/random.ts'
import type { Where } from './rows-where.ts'

/** A set of rows. */
export interface View {
  readonly model: string
  readonly where: Where
  /** What a policy lets the viewer see; null: everything. */
  readonly rows: Where | null
}

/** A live list. */
export interface ListOfRows extends Omit<View, 'rows'> {
  readonly orderBy: readonly Readonly<Record<string, string>>[]
  readonly take: number
  readonly totalCount: boolean
}

type AnyWhere = (random: Random) => Where

const OWN: readonly AnyWhere[] = [
  () => ({}),
  (random) => ({ n: { lt: random.integer(1, 5) } }),
  (random) => ({ OR: [{ name: null }, { n: random.integer(0, 5) }] }),
  (random) => ({ NOT: { n: { in: [random.integer(0, 5), random.integer(0, 5)] } } }),
]

const RELATED: Readonly<Record<string, readonly AnyWhere[]>> = {
  Red: [
    (random) => ({ blue: { is: { n: { lt: random.integer(1, 5) } } } }),
    (random) => ({ blue: { isNot: { n: { gte: random.integer(1, 5) } } } }),
    () => ({ blue: { is: { name: { not: null } } } }),
    (random) => ({ OR: [{ n: random.integer(0, 5) }, { blue: { is: { name: null } } }] }),
    // By way of the Blue to others of its own kind.
    (random) => ({ blue: { is: { reds: { some: { id: { lt: random.integer(2, 4) } } } } } }),
  ],
  Blue: [
    (random) => ({ reds: { some: { id: { lte: random.integer(1, 3) } } } }),
    () => ({ reds: { none: { name: null } } }),
    (random) => ({ reds: { every: { id: { gt: random.integer(1, 3) } } }, n: { gt: 1 } }),
    (random) => ({ reds: { some: { blue: { is: { n: { lt: random.integer(2, 5) } } } } } }),
  ],
}

/** One at random. */
export function anyView(random: Random): View {
  const model = random.pick(Object.keys(RELATED))
  return { model, where: anyWhere(random, model), rows: random.chance(0.3) ? anyWhere(random, model) : null }
}

/** A list at random. */
export function anyList(random: Random): ListOfRows {
  const model = random.pick(Object.keys(RELATED))
  const direction = () => random.pick(['asc', 'desc'])
  const by = random.pick(['n', 'name', 'id'])
  return {
    ...{ model, where: anyWhere(random, model), orderBy: by === 'id' ? [] : [{ [by]: direction() }] },
    ...{ take: random.integer(1, 4), totalCount: random.chance(0.5) },
  }
}

function anyWhere(random: Random, model: string): Where {
  return random.pick(random.chance(0.7) ? (RELATED[model] ?? []) : OWN)(random)
}
