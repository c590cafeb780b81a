/** Whose rows a viewer sees, where the Prisma schema has more relations than Better Auth knows of. */
import { expect, it } from 'vitest'
import { registrationsOf } from '../../src/better-auth/auth-models.ts'
import type { RelationSpec } from '../../src/catalog/model-catalog.ts'
import { buildField, buildModel } from '../support/catalog-builder.ts'

const relation = (name: string, model: string, relationName: string, field?: string): RelationSpec => ({
  ...{ name, model, relationName, isList: field === undefined, isRequired: field !== undefined },
  ...{ fields: field === undefined ? [] : [field], references: field === undefined ? [] : ['id'] },
  ...{ isOmitted: false, documentation: null },
})

const text = (name: string) => buildField(name, 'String')

it('members are those by `organizationId`, not those of a relation of the application that stands first', () => {
  const reference = (model: string) => ({ references: { model, field: 'id' } })
  const tables = {
    user: { modelName: 'user', fields: {} },
    organization: { modelName: 'organization', fields: {} },
    member: {
      modelName: 'member',
      fields: {
        formerId: reference('organization'),
        organizationId: { fieldName: 'orgId', ...reference('organization') },
        userId: reference('user'),
      },
    },
  }
  const models = {
    User: buildModel([text('id')], { name: 'User' }),
    Organization: buildModel([text('id')], {
      name: 'Organization',
      relations: [relation('formerMembers', 'Member', 'former'), relation('members', 'Member', 'current')],
    }),
    Member: buildModel([text('id'), text('formerId'), text('orgId'), text('userId')], {
      name: 'Member',
      relations: [
        relation('former', 'Organization', 'former', 'formerId'),
        relation('organization', 'Organization', 'current', 'orgId'),
      ],
    }),
  }
  const catalog = { formatVersion: 1, models, enums: {}, joinTables: [] } as never
  const registered = registrationsOf(tables, catalog, { user: {}, organization: {}, member: {} })
  const rules = registered.map(({ options }) =>
    (options.rows as (context: object) => unknown)({ user: { id: 'ada' } }),
  )
  expect(rules).toEqual([
    { id: 'ada' },
    { members: { some: { userId: 'ada' } } },
    { organization: { members: { some: { userId: 'ada' } } } },
  ])
})
