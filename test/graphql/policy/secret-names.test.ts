/** How well the rule about names agrees with people who read the schemas of real applications. */
import { expect, it } from 'vitest'
import { looksSecret } from '../../../src/graphql/policy/secret-fields.ts'
import { HELD_OUT_NAMES } from './held-out-names.ts'
import { JUDGED_NAMES, type JudgedName } from './judged-names.ts'

const looks = ({ model, name, type }: JudgedName) => looksSecret({ name, type, kind: 'scalar' }, model)
const nameOf = ({ app, model, name }: JudgedName) => `${app}: ${model}.${name}`

it.each([
  ['that the rule was written with', JUDGED_NAMES, 500],
  ['that it has not seen', HELD_OUT_NAMES, 150],
])('finds the secrets of real applications, and hides little else: of names %s', (_, names, countMin) => {
  const found = names.filter(looks)
  const missed = names.filter((each) => each.isSecret && !looks(each))
  const hidden = found.filter(({ isSecret }) => !isSecret)
  const secrets = names.filter(({ isSecret }) => isSecret)
  const recall = 1 - missed.length / secrets.length
  const precision = 1 - hidden.length / found.length
  const percent = (part: number) => `${(100 * part).toFixed(1)} %`
  // biome-ignore lint/suspicious/noConsole: the figures are what it is for
  console.info(
    `${names.length} names, ${secrets.length} secrets: recall ${percent(recall)}, precision ${percent(precision)}`,
  )
  // What names are known not to show: look at it whenever the rule changes.
  expect({ missed: missed.map(nameOf), hidden: hidden.map(nameOf) }).toMatchSnapshot()
  expect(names.length).toBeGreaterThanOrEqual(countMin)
  expect(recall).toBeGreaterThanOrEqual(0.98)
  expect(precision).toBeGreaterThanOrEqual(0.98)
})

it('judges each name once', () => {
  for (const names of [JUDGED_NAMES, HELD_OUT_NAMES])
    expect(new Set(names.map(nameOf)).size).toBe(names.length)
})
