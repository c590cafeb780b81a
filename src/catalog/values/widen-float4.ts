/**
 * Stage 3, catalog. The decimal by which PostgreSQL names a float4: the shortest that no other float4 shares
 * (Ryu, src/common/f2s.c). Prisma Client reads that decimal, so a float4 of 0.1 is 0.1, not 0.10000000149011612.
 */

const cell = new DataView(new ArrayBuffer(4))

/** Smallest float4 with all its 24 bits of precision; below it, fewer digits may be enough. */
const NORMAL_MIN = 2 ** -126
/** Any decimal of so many digits survives the way through a normal float4 and back. */
const SAFE_DIGITS = 6
/** So many digits distinguish any two float4. */
const DIGITS_MAX = 9
/** Digits that distinguish a float4 halfway between two short decimals from one that is only close to it. */
const EXACT_DIGITS = 40

/** The numbers between which every decimal names this positive float4: halfway to its neighbours, exclusive. */
function findBounds(value: number): { low: number; high: number } {
  cell.setFloat32(0, value)
  const bits = cell.getUint32(0)
  cell.setUint32(0, bits - 1)
  const below = cell.getFloat32(0)
  cell.setUint32(0, bits + 1)
  const above = cell.getFloat32(0)
  const next = Number.isFinite(above) ? above : value + (value - below)
  return { low: (below + value) / 2, high: (value + next) / 2 }
}

/**
 * The two decimals of so many digits around a number. The first is the nearer one, of two equally near the even
 * one; the other matters beside a power of two, where floats above lie twice as far apart as those below.
 */
function roundBothWays(value: number, digits: number): readonly [number, number] {
  const [mantissa = '', exponent = ''] = value.toExponential(EXACT_DIGITS).split('e')
  const all = mantissa.replace('.', '')
  const whole = Number(all.slice(0, digits))
  const power = Number(exponent) - digits + 1
  const below = Number(`${whole}e${power}`)
  const above = Number(`${whole + 1}e${power}`)
  const rest = all.slice(digits)
  const isTie = /^50*$/.test(rest)
  const isAboveNearer = isTie ? whole % 2 === 1 : rest >= '5'
  return isAboveNearer ? [above, below] : [below, above]
}

function widenPositive(value: number): number {
  const { low, high } = findBounds(value)
  const isName = (decimal: number): boolean => decimal > low && decimal < high
  for (let digits = value < NORMAL_MIN ? 1 : SAFE_DIGITS; digits < DIGITS_MAX; digits++) {
    // Most floats need eight or nine digits: one cheap look before the exact one.
    const rough = Number(value.toPrecision(digits))
    if (rough === value) return value
    if (!isName(rough) && !Number.isInteger(Math.log2(value))) continue
    const [nearer, other] = roundBothWays(value, digits)
    if (isName(nearer)) return nearer
    if (isName(other)) return other
  }
  return Number(value.toPrecision(DIGITS_MAX))
}

/** The float8 nearest to the decimal that names this float4. */
export function widenFloat4(value: number): number {
  if (!Number.isFinite(value) || value === 0) return value
  return value < 0 ? -widenPositive(-value) : widenPositive(value)
}
