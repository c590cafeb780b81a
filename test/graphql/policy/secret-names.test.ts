/** How well the rule about names agrees with people who read the schemas of real applications. */
import { expect, it } from 'vitest'
import { looksSecret } from '../../../src/graphql/policy/secret-fields.ts'
import { JUDGED_NAMES, type JudgedName } from './judged-names.ts'

const looks = ({ model, name, type }: JudgedName) => looksSecret({ name, type, kind: 'scalar' }, model)
const nameOf = ({ app, model, name }: JudgedName) => `${app}: ${model}.${name}`

it('finds the secrets of real applications, and hides little else', () => {
  const found = JUDGED_NAMES.filter(looks)
  const missed = JUDGED_NAMES.filter((each) => each.isSecret && !looks(each))
  const hidden = found.filter(({ isSecret }) => !isSecret)
  const secrets = JUDGED_NAMES.filter(({ isSecret }) => isSecret)
  const recall = 1 - missed.length / secrets.length
  const precision = 1 - hidden.length / found.length
  const percent = (part: number) => `${(100 * part).toFixed(1)} %`
  // biome-ignore lint/suspicious/noConsole: the figures are what it is for
  console.info(
    `${JUDGED_NAMES.length} names, ${secrets.length} secrets: recall ${percent(recall)}, precision ${percent(precision)}`,
  )
  // What is known not to be told by names: look at it whenever the rule changes.
  expect({ missed: missed.map(nameOf), hidden: hidden.map(nameOf) }).toMatchSnapshot()
  expect(JUDGED_NAMES.length).toBeGreaterThanOrEqual(250)
  expect(recall).toBeGreaterThan(0.97)
  expect(precision).toBeGreaterThan(0.95)
})

it('judges each name once', () => {
  expect(new Set(JUDGED_NAMES.map(nameOf)).size).toBe(JUDGED_NAMES.length)
})
