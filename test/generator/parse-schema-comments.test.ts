import { expect, it } from 'vitest'
import { parseSchemaComments } from '../../src/generator/parse-schema-comments.ts'

it('has the comments above and behind, of namespaces, too, and no others', () => {
  const comments = parseSchemaComments(`
// no documentation /// @not
namespace crm {
  /// Two
  /// lines.
  model Lead {
    /// Above.
    id   Int    @id // nothing
    url  String @default("https://a/// b") /// Behind.
    /// Both,
    both Int /// of them.
    @@map("leads")
  }
}
enum Role {
  /// The first.
  ADMIN @map("an admin")
  USER
}
native_enum Mood {
  Happy = "so happy" /// A smile.
}
`)
  expect(comments).toStrictEqual(
    new Map([
      [
        'Lead',
        {
          comment: 'Two\nlines.',
          members: new Map([
            ['id', 'Above.'],
            ['url', 'Behind.'],
            ['both', 'Both,\nof them.'],
          ]),
        },
      ],
      [
        'Role',
        {
          comment: null,
          members: new Map([
            ['an admin', 'The first.'],
            ['USER', null],
          ]),
        },
      ],
      ['Mood', { comment: null, members: new Map([['so happy', 'A smile.']]) }],
    ]),
  )
})

it('takes no line of a list, of an argument or of a comment for a member', () => {
  const comments = parseSchemaComments(`
model User {
  /// @rowcast.omit
  resetToken String
  /// Words.
  email String @default(
    "a ) {" // (
  )
  /*
  email String
  */
  next Int
  @@index([
    email,
    resetToken
  ])
  /// @rowcast.omit
  last Int @default("[(")
  @@unique(
    fields: [
      resetToken, last
    ],
    map: "last"
  )
}
model Post {
  /// After it.
  id Int
}
`)
  expect([...(comments.get('User')?.members ?? [])]).toEqual([
    ['resetToken', '@rowcast.omit'],
    ['email', 'Words.'],
    ['next', null],
    ['last', '@rowcast.omit'],
  ])
  expect(comments.get('Post')?.members.get('id')).toBe('After it.')
})

it.each([
  'model A {\n  /// @rowcast.omit\n  secret String\n}\nmodel A {\n  secret String\n}',
  'model A {\n  /// @rowcast.omit\n  secret String\n  secret String\n}',
  'model A {\n  one Int hidden Int /// @rowcast.omit\n}',
  'model A {\n  /// @rowcast.omit\n  one Int @map("x") hidden String[] @db.VarChar(max(1))\n}',
  'enum A {\n  B C /// @rowcast.name("D")\n}',
  'model A {\n  id Int\n} model B {\n  /// @rowcast.omit\n  id Int\n}',
  'model B\n{\n  id Int\n}\nmodel A {\n  /// @rowcast.omit\n  id Int\n}',
  'model A {\n  secret String @default(\n    "x" /// @rowcast.omit\n  )\n}',
  'model A {\n  secret String @default(\n    /// @rowcast.omit\n    "x"\n  )\n  other Int\n}',
  'model A {\n  id Int @id\n  @@index([\n    id\n  ]) /// @rowcast.omit\n}',
  'model A {\n  secret String\n    /// @rowcast.omit\n    @unique\n  other Int\n}',
  'model A {\n  id Int @id\n  /// @rowcast.omit\n}\nmodel B {\n  id Int @id\n}',
  'model A { secret String /// @rowcast.omit\n}',
  'type Address {\n  /// @rowcast.omit\n  street String\n}',
  'model A {\n  id Int @id\n}\n/// @rowcast.omit',
  'model A { /// @rowcast.omit\n  id Int @id\n}',
])('refuses a marker that nobody would heed: %j', (schema) => {
  expect(() => parseSchemaComments(schema)).toThrow(expect.objectContaining({ code: 'GENERATOR_BAD_MARKER' }))
})

it('takes what is unclear where there are no markers, and one declaration, whatever its type, where there are', () => {
  expect(() => parseSchemaComments('model A {\n one Int two Int\n}\nmodel A\n{\n}')).not.toThrow()
  const fields = [
    'a String[] @default(["b c", "{"]) @db.VarChar(10)',
    'b temporal.createdAt()',
    'c pg.enum(Mood)?',
    'd ns.User? @relation("A", fields: [a, b], references: [(c), d])',
    'e Unsupported("a b")?',
    'f Json @default("{}")',
    'g other:crm.User',
    'h Json @default({})',
  ]
  const text = fields.map((field) => `/// @rowcast.omit\n${field}`).join('\n')
  const comments = parseSchemaComments(`model Z { id Int }\nmodel A {\n${text}\n}`)
  expect([...(comments.get('A')?.members.values() ?? [])]).toEqual(fields.map(() => '@rowcast.omit'))
})
