import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  camelCase,
  changeTypeNames,
  modelFieldNames,
  objectTypeName,
  pluralOf,
} from '../../src/graphql/names.ts'
import { blogCatalog, blogModel } from './blog-catalog.ts'

describe('names', () => {
  it.each([
    ['User', 'user'],
    ['AuditEvent', 'auditEvent'],
    ['APIKey', 'apiKey'],
    ['URL', 'url'],
    ['user_account', 'user_account'],
  ])('calls one %s %s', (model, expected) => {
    expect(camelCase(model)).toBe(expected)
  })

  it.each([
    ['user', 'users'],
    ['category', 'categories'],
    ['day', 'days'],
    ['address', 'addresses'],
    ['status', 'statuses'],
    ['box', 'boxes'],
    ['branch', 'branches'],
    ['settings', 'settingsList'],
  ])('calls many %s %s', (one, many) => {
    expect(pluralOf(one)).toBe(many)
  })

  it('gives way when a name is taken', () => {
    const names = modelFieldNames(['User', 'Users', 'APIKey', 'ApiKey'])
    expect(names.get('Users')).toEqual({ one: 'users', many: 'usersList', changed: 'usersChanged' })
    expect(names.get('User')).toEqual({ one: 'user', many: 'userList', changed: 'userChanged' })
    expect(names.get('ApiKey')?.one).toBe('ApiKey')
  })

  it('never gives two fields one name, whatever the models are called', () => {
    const model = fc.stringMatching(/^[A-Za-z][A-Za-z]{0,4}(s|y|List)?$/)
    fc.assert(
      fc.property(fc.uniqueArray(model, { maxLength: 12 }), (models) => {
        const names = [...modelFieldNames(models).values()]
        const root = names.flatMap(({ one, many }) => [one, many])
        expect(new Set(root).size).toBe(models.length * 2)
        expect(new Set(names.map(({ changed }) => changed)).size).toBe(models.length)
      }),
    )
  })

  it('keeps types apart from those of GraphQL and of other models', () => {
    const catalog = {
      ...blogCatalog,
      models: { Subscription: blogModel('User'), User: blogModel('User'), UserKey: blogModel('User') },
    }
    expect(objectTypeName(catalog, 'Subscription')).toBe('SubscriptionModel')
    expect(objectTypeName(catalog, 'User')).toBe('User')
    expect(changeTypeNames(catalog, 'User')).toEqual({
      change: 'UserChange',
      byAction: {
        INSERT: 'UserInserted',
        UPDATE: 'UserUpdated',
        DELETE: 'UserDeleted',
        TRUNCATE: 'UserTruncated',
      },
      key: 'UserPrimaryKey',
      old: 'UserOld',
      field: 'UserField',
    })
  })
})
