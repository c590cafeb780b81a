/** A schema with one relation of each kind, and random filters on it. */
import fc from 'fast-check'
import type { ModelCatalog, ModelSpec, RelationSpec } from '../../src/catalog/model-catalog.ts'
import { relationSteps } from '../../src/catalog/relation-path.ts'
import { generateSchemaProject, type SchemaProject } from './schema-project.ts'
import type { AnyObject } from './where-arbitrary.ts'

const SCHEMA = `
model Org {
  region String
  code   Int
  name   String?
  teams  Team[]
  badges Badge[]
  @@id([region, code])
}
model Team {
  id       Int      @id
  name     String?
  open     Boolean
  region   String?
  code     Int?
  parentId Int?
  org      Org?     @relation(fields: [region, code], references: [region, code])
  parent   Team?    @relation("tree", fields: [parentId], references: [id])
  children Team[]   @relation("tree")
  members  Member[]
  posts    Post[]
  badge    Badge?
}
model Member {
  userId Int
  teamId Int
  role   String?
  user   User @relation(fields: [userId], references: [id])
  team   Team @relation(fields: [teamId], references: [id])
  @@id([userId, teamId])
}
model User {
  id        Int      @id
  name      String?
  members   Member[]
  posts     Post[]
  follows   User[]   @relation("follows")
  followers User[]   @relation("follows")
}
model Badge {
  id     Int     @id
  teamId Int?    @unique
  name   String?
  region String
  code   Int?
  team   Team?   @relation(fields: [teamId], references: [id])
  org    Org?    @relation(fields: [region, code], references: [region, code], onDelete: NoAction, onUpdate: NoAction)
}
model Post {
  id       Int     @id
  title    String?
  teamId   Int?
  authorId Int
  team     Team?   @relation(fields: [teamId], references: [id])
  author   User    @relation(fields: [authorId], references: [id])
  tags     Tag[]
}
model Tag {
  id    Int     @id
  name  String?
  posts Post[]
}
`

/** The tables, without foreign keys: rows may point at rows that are not there. */
export const RELATION_TABLES = `
CREATE TABLE "Org" (region text, code int, name text, PRIMARY KEY (region, code));
CREATE TABLE "Team" (id int PRIMARY KEY, name text, open boolean NOT NULL, region text, code int, "parentId" int);
CREATE TABLE "Member" ("userId" int, "teamId" int, role text, PRIMARY KEY ("userId", "teamId"));
CREATE TABLE "User" (id int PRIMARY KEY, name text);
CREATE TABLE "Badge" (id int PRIMARY KEY, "teamId" int UNIQUE, name text, region text NOT NULL, code int);
CREATE TABLE "Post" (id int PRIMARY KEY, title text, "teamId" int, "authorId" int NOT NULL);
CREATE TABLE "Tag" (id int PRIMARY KEY, name text);
CREATE TABLE "_PostToTag" ("A" int NOT NULL, "B" int NOT NULL, PRIMARY KEY ("A", "B"));
CREATE TABLE "_follows" ("A" int NOT NULL, "B" int NOT NULL, PRIMARY KEY ("A", "B"));
`

/** The models whose rows may be marked as deleted, where that is asked for, and the field that does it. */
export const MARKABLE: readonly string[] = ['Team', 'Member', 'User', 'Post']
export const MARK = 'gone'

/** The tables of a schema with marks. */
export const MARKED_TABLES =
  RELATION_TABLES + MARKABLE.map((model) => `ALTER TABLE "${model}" ADD ${MARK} boolean;`).join('\n')

/** The schema's client and catalog. @param name of the folder they are generated into; tests that run side by side have two @param more models besides */
export function provideRelationProject(
  name: string,
  { hasMarks = false, more = '' } = {},
): Promise<SchemaProject> {
  const text = (SCHEMA + more).replace(/^model (\w+) \{$/gmu, (line, model: string) =>
    hasMarks && MARKABLE.includes(model) ? `${line}\n  ${MARK} Boolean?` : line,
  )
  return generateSchemaProject(name, { text })
}

/** Models and join tables of a catalog. */
export function tablesOf(catalog: ModelCatalog): readonly ModelSpec[] {
  const joins = new Map<string, ModelSpec>()
  for (const model of Object.values(catalog.models)) {
    for (const relation of model.relations) {
      for (const step of relationSteps(catalog, model, relation)) {
        if (step.model.name.startsWith('_')) joins.set(step.model.name, step.model)
      }
    }
  }
  return [...Object.values(catalog.models), ...joins.values()]
}

/** Few values of each type, so that rows meet. */
const VALUES: Readonly<Record<string, readonly unknown[]>> = {
  String: ['a', 'b'],
  Int: [1, 2, 3],
  Boolean: [true, false],
}

/** A value of a field, or null where the field may be. */
export function fieldValue(model: ModelSpec, name: string): fc.Arbitrary<unknown> {
  const field = model.fields.find((candidate) => candidate.name === name)
  const value = fc.constantFrom(...(VALUES[field?.type ?? ''] ?? []))
  return field?.isRequired === false ? fc.oneof({ weight: 3, arbitrary: value }, fc.constant(null)) : value
}

/** A row of a model or join table. */
export function anyRow(model: ModelSpec): fc.Arbitrary<AnyObject> {
  return fc.record(Object.fromEntries(model.fields.map(({ name }) => [name, fieldValue(model, name)])))
}

/** A condition on a model's own columns. */
function ownCondition(model: ModelSpec): fc.Arbitrary<AnyObject> {
  const one = model.fields.map(({ name, type, isRequired }) => {
    const value = fc.constantFrom(...(VALUES[type] ?? []))
    const forms: fc.Arbitrary<unknown>[] = [value, value.map((not) => ({ not }))]
    if (type !== 'Boolean')
      forms.push(fc.array(value, { minLength: 1, maxLength: 2 }).map((list) => ({ in: list })))
    if (!isRequired) forms.push(fc.constantFrom(null, { not: null }))
    return fc.oneof(...forms).map((filter) => ({ [name]: filter }))
  })
  return fc.oneof(...one)
}

function relationCondition(
  catalog: ModelCatalog,
  relation: RelationSpec,
  hops: number,
): fc.Arbitrary<AnyObject> {
  const related = catalog.models[relation.model] as ModelSpec
  const inner = relationWhere(catalog, related, hops - 1)
  const one = (name: string, operand: fc.Arbitrary<unknown>) => operand.map((given) => ({ [name]: given }))
  const nullable = relation.isRequired ? inner : fc.oneof({ weight: 4, arbitrary: inner }, fc.constant(null))
  const forms = relation.isList
    ? [one('some', inner), one('none', inner), one('every', inner)]
    : [one('is', nullable), one('isNot', nullable), ...(relation.isRequired ? [] : [fc.constant(null)])]
  const two = relation.isList
    ? fc.tuple(inner, inner).map(([some, none]) => ({ some, none }))
    : fc.tuple(nullable, nullable).map(([is, isNot]) => ({ is, isNot }))
  return fc
    .oneof({ weight: 6, arbitrary: fc.oneof(...forms) }, { weight: 1, arbitrary: two })
    .map((filter) => ({ [relation.name]: filter }))
}

/** A filter that follows at most so many relations. */
export function relationWhere(
  catalog: ModelCatalog,
  model: ModelSpec,
  hops: number,
): fc.Arbitrary<AnyObject> {
  const own = ownCondition(model)
  const related = hops === 0 ? [] : model.relations.map((one) => relationCondition(catalog, one, hops))
  const leaf =
    hops === 0 ? own : fc.oneof({ weight: 1, arbitrary: own }, { weight: 2, arbitrary: fc.oneof(...related) })
  const list = fc.array(leaf, { maxLength: 2 })
  return fc.oneof(
    { weight: 6, arbitrary: leaf },
    { weight: 1, arbitrary: fc.constant({}) },
    { weight: 1, arbitrary: list.map((AND) => ({ AND })) },
    { weight: 2, arbitrary: list.map((OR) => ({ OR })) },
    { weight: 3, arbitrary: leaf.map((NOT) => ({ NOT })) },
    { weight: 1, arbitrary: list.map((NOT) => ({ NOT })) },
    { weight: 1, arbitrary: fc.tuple(leaf, leaf).map(([a, b]) => ({ NOT: { OR: [a, { NOT: b }] } })) },
  )
}
