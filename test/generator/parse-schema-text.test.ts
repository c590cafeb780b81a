import { expect, test } from 'vitest'
import { parseSchemaText } from '../../src/generator/parse-schema-text.ts'

test('finds views and the schemas of enums, and nothing else', () => {
  const { views, enumSchemas } = parseSchemaText(`enum Role {
  /// enum Trap {
  ADMIN @map("enum { @@schema(\\"x\\")")
  USER

  @@map("user_role")
  @@schema("audit") // not "public"
}

enum Plain {
  ON
}

model Thing {
  id Int @id

  @@schema("other")
}

/**
 * view Commented {
 * }
 */
view Summary {
  id Int @unique

  @@schema("side")
}

enum Odd {
  A

  @@schema(map: "with \\"quotes\\"")
}
`)
  expect([...views]).toEqual(['Summary'])
  expect([...enumSchemas]).toEqual([
    ['Role', 'audit'],
    ['Odd', 'with "quotes"'],
  ])
})

test('line ends of other systems', () => {
  const { enumSchemas } = parseSchemaText('enum A {\r\n  X\r\n  @@schema("s")\r\n}\r\n')
  expect([...enumSchemas]).toEqual([['A', 's']])
})
