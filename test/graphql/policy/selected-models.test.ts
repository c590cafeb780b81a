/** What a selection shows is found without following every path: fragments that spread fragments multiply. */
import { buildSchema, execute, type GraphQLResolveInfo, parse } from 'graphql'
import { expect, it } from 'vitest'
import { checkSelectedChanges } from '../../../src/graphql/policy/check-selected-fields.ts'
import { selectedModels } from '../../../src/graphql/policy/selected-models.ts'
import { fieldsUnder } from '../../../src/graphql/selection-walk.ts'

const LEVELS = 16
const schema = buildSchema(
  'type Query { user: User } type User { id: ID friend: User tag: Tag } type Tag { id: ID }',
)
const fragments = Array.from(
  { length: LEVELS },
  (_, n) => `fragment F${n} on User { ...F${n + 1} ...F${n + 1} }`,
)
const document = parse(
  `{ user { ...F0 } } ${fragments.join(' ')} fragment F${LEVELS} on User { id tag { id } }`,
)

it('of 65,536 paths to a fragment each walk takes one', () => {
  let info: GraphQLResolveInfo | undefined
  const fieldResolver = (_source: unknown, _args: object, _context: unknown, asked: GraphQLResolveInfo) => {
    info = asked
    return null
  }
  void execute({ schema, document, fieldResolver })
  if (info === undefined) throw new Error('Nothing was resolved.')
  let looks = 0
  const models = selectedModels(info, ({ name }) => {
    looks += 1
    return name === 'User' || name === 'Tag' ? name : null
  })
  expect([...models]).toEqual(['User', 'Tag'])
  expect(fieldsUnder(info, info.fieldNodes).map(({ name }) => name.value)).toEqual(['id', 'tag'])
  class Counted extends Map<string, string> {
    override get(name: string) {
      looks += 1
      return super.get(name)
    }
  }
  checkSelectedChanges({} as never, {}, info, new Counted())
  expect(looks).toBeLessThan(200)
})
