/** A small catalog with one of each thing the GraphQL layer decides about. */
import type {
  EnumSpec,
  FieldSpec,
  ModelCatalog,
  ModelSpec,
  RelationSpec,
} from '../../src/catalog/model-catalog.ts'

export function field(name: string, type: string, more: Partial<FieldSpec> = {}): FieldSpec {
  return {
    name,
    column: name,
    kind: 'scalar',
    type,
    nativeType: null,
    isList: false,
    isRequired: true,
    isUnique: false,
    hasDefault: false,
    isOmitted: false,
    documentation: null,
    ...more,
  }
}

export function relation(
  name: string,
  model: string,
  relationName: string,
  more: Partial<RelationSpec> = {},
): RelationSpec {
  return {
    name,
    model,
    relationName,
    isList: false,
    isRequired: false,
    fields: [],
    references: [],
    isOmitted: false,
    documentation: null,
    ...more,
  }
}

export function model(name: string, more: Partial<ModelSpec>): ModelSpec {
  return {
    name,
    schema: 'public',
    table: name,
    fields: [],
    relations: [],
    primaryKey: ['id'],
    uniques: [],
    isOmitted: false,
    documentation: null,
    ...more,
  }
}

function enumeration(name: string, documentation: string | null, values: readonly string[]): EnumSpec {
  return {
    name,
    schema: 'public',
    dbName: name,
    values: values.map((value) => ({ name: value, label: value.toLowerCase(), documentation: null })),
    documentation,
  }
}

const user = model('User', {
  documentation: 'A person with a sign-in.',
  fields: [
    field('id', 'String', { nativeType: 'Uuid', hasDefault: true }),
    field('email', 'String', { isUnique: true, documentation: 'Where to reach the person.' }),
    field('bio', 'String', { isRequired: false }),
    field('role', 'Role', { kind: 'enum' }),
    field('balance', 'Decimal'),
    field('tags', 'String', { isList: true }),
    field('passwordHash', 'String', { isRequired: false, isOmitted: true }),
    field('createdAt', 'DateTime'),
  ],
  relations: [
    relation('posts', 'Post', 'PostToUser', { isList: true }),
    relation('profile', 'Profile', 'ProfileToUser'),
    relation('memberships', 'Membership', 'MembershipToUser', { isList: true }),
    relation('secrets', 'Secret', 'SecretToUser', { isList: true }),
  ],
  uniques: [['email']],
})

const profile = model('Profile', {
  fields: [
    field('userId', 'String', { nativeType: 'Uuid' }),
    field('avatar', 'Bytes', { isRequired: false }),
  ],
  relations: [
    relation('user', 'User', 'ProfileToUser', { fields: ['userId'], references: ['id'], isRequired: true }),
  ],
  primaryKey: ['userId'],
})

const post = model('Post', {
  documentation: 'An article.',
  fields: [
    field('id', 'Int', { hasDefault: true }),
    field('authorId', 'String', { nativeType: 'Uuid', isRequired: false }),
    field('title', 'String'),
    field('body', 'String'),
    field('views', 'BigInt'),
    field('layout', 'Json', { isRequired: false }),
    field('parentId', 'Int', { isRequired: false }),
  ],
  relations: [
    relation('author', 'User', 'PostToUser', { fields: ['authorId'], references: ['id'] }),
    relation('parent', 'Post', 'Thread', { fields: ['parentId'], references: ['id'] }),
    relation('replies', 'Post', 'Thread', { isList: true }),
    relation('tags', 'Tag', 'PostToTag', { isList: true }),
  ],
})

const tag = model('Tag', {
  fields: [field('id', 'BigInt', { hasDefault: true }), field('name', 'String', { isUnique: true })],
  relations: [relation('posts', 'Post', 'PostToTag', { isList: true })],
  uniques: [['name']],
})

const membership = model('Membership', {
  fields: [
    field('userId', 'String', { nativeType: 'Uuid' }),
    field('team', 'String'),
    field('since', 'DateTime'),
  ],
  relations: [
    relation('user', 'User', 'MembershipToUser', {
      fields: ['userId'],
      references: ['id'],
      isRequired: true,
    }),
    relation('duties', 'Duty', 'DutyToMembership', { isList: true }),
  ],
  primaryKey: ['userId', 'team'],
})

const duty = model('Duty', {
  fields: [field('id', 'Int'), field('userId', 'String', { nativeType: 'Uuid' }), field('team', 'String')],
  relations: [
    relation('membership', 'Membership', 'DutyToMembership', {
      fields: ['userId', 'team'],
      references: ['userId', 'team'],
      isRequired: true,
    }),
  ],
})

const secret = model('Secret', {
  isOmitted: true,
  fields: [
    field('id', 'Int'),
    field('userId', 'String', { nativeType: 'Uuid' }),
    field('kind', 'SecretKind', { kind: 'enum' }),
  ],
  relations: [
    relation('user', 'User', 'SecretToUser', { fields: ['userId'], references: ['id'], isRequired: true }),
  ],
})

const models = [user, profile, post, tag, membership, duty, secret]

/** Users with posts, threads, tags (many-to-many), a one-to-one profile, a composite key and a secret model. */
export const blogCatalog: ModelCatalog = {
  formatVersion: 1,
  models: Object.fromEntries(models.map((spec) => [spec.name, spec])),
  enums: {
    Role: enumeration('Role', 'What a person may do.', ['MEMBER', 'ADMIN']),
    SecretKind: enumeration('SecretKind', null, ['KEY']),
  },
  joinTables: [
    { relationName: 'PostToTag', schema: 'public', table: '_PostToTag', modelA: 'Post', modelB: 'Tag' },
  ],
}

/** A model of the catalog, for tests that know it is there. */
export function blogModel(name: string): ModelSpec {
  const spec = blogCatalog.models[name]
  if (spec === undefined) throw new Error(`The blog has no model ${name}.`)
  return spec
}
