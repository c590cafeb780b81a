import { describe, expect, it } from 'vitest'
import { graphqlTypeName, keyFields, visibleFields, visibleRelations } from '../../src/graphql/field-type.ts'
import { blogCatalog, blogModel } from './blog-catalog.ts'

function typesOf(name: string): Record<string, string> {
  const model = blogModel(name)
  return Object.fromEntries(
    model.fields.map((field) => [field.name, graphqlTypeName(blogCatalog, model, field)]),
  )
}

describe('graphqlTypeName', () => {
  it('is ID for primary keys, foreign keys and UUIDs', () => {
    expect(typesOf('Post')).toEqual({
      id: 'ID',
      authorId: 'ID',
      title: 'String',
      body: 'String',
      views: 'BigInt',
      layout: 'JSON',
      parentId: 'ID',
    })
    expect(typesOf('Tag')).toEqual({ id: 'ID', name: 'String' })
  })

  it('keeps the type of a composite key’s parts that identify nothing alone', () => {
    expect(typesOf('Membership')).toEqual({ userId: 'ID', team: 'String', since: 'DateTime' })
    expect(typesOf('Duty')).toEqual({ id: 'ID', userId: 'ID', team: 'String' })
  })

  it('is the enum’s name for enums', () => {
    expect(typesOf('User')['role']).toBe('Role')
  })
})

describe('what may be seen', () => {
  it('leaves out marked fields and those of `omit`', () => {
    const names = visibleFields(blogModel('User'), ['bio']).map((field) => field.name)
    expect(names).toEqual(['id', 'email', 'role', 'balance', 'tags', 'createdAt'])
  })

  it('leaves out relations to omitted models', () => {
    const names = visibleRelations(blogCatalog, blogModel('User'), ['profile']).map(({ name }) => name)
    expect(names).toEqual(['posts', 'memberships'])
  })

  it('has key fields in the order of the key', () => {
    expect(keyFields(blogModel('Membership')).map((field) => field.name)).toEqual(['userId', 'team'])
  })
})
