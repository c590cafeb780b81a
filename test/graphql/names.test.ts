import { describe, expect, it } from 'vitest'
import { asEnumValueName, asGraphqlName, camelCase, pluralOf } from '../../src/graphql/names.ts'

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

  it.each([
    ['plain_Name9', 'plain_Name9'],
    ['größe', 'grosse'],
    ['Café', 'Cafe'],
    ['Łódź', 'Lodz'],
    ['名前', 'u540du524d'],
    ['имя', 'u438u43cu44f'],
    ['__typename', '_typename'],
    ['9lives', '_9lives'],
    ['a-b', 'a_b'],
  ])('calls %s in GraphQL %s', (name, expected) => {
    expect(asGraphqlName(name)).toBe(expected)
  })

  it.each([
    ['true', 'true_'],
    ['false', 'false_'],
    ['null', 'null_'],
    ['TRUE', 'TRUE'],
  ])('calls the value %s %s', (name, expected) => {
    expect(asEnumValueName(name)).toBe(expected)
  })
})
