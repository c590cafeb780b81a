/** Better Auth's tables as models of the Prisma schema: what each is called, what of it nobody sees, and whose rows a viewer sees. */
import type { ModelCatalog, ModelSpec } from '../catalog/model-catalog.ts'
import type { RegisterOptions } from '../config/register-options.ts'
import { RowcastError } from '../errors.ts'
import { looksSecret } from '../graphql/policy/secret-fields.ts'
import type { AuthField, AuthTable, AuthTables, AuthViewer } from './better-auth-types.ts'

/** A table of Better Auth in the Prisma schema. */
export interface AuthModel {
  /** Better Auth's key of it. */
  readonly key: string
  readonly table: AuthTable
  readonly spec: ModelSpec
}

/** Which models, by Better Auth's keys, with what `register()` takes. */
export type AuthModelOptions = Readonly<Record<string, RegisterOptions>>

/**
 * The model of a table.
 * @throws BETTER_AUTH_MODEL where Better Auth has no such table, or the Prisma schema no such model
 */
export function findAuthModel(tables: AuthTables, catalog: ModelCatalog, key: string): AuthModel {
  const table = Object.hasOwn(tables, key) ? tables[key] : undefined
  if (table === undefined) {
    throw new RowcastError('BETTER_AUTH_MODEL', `Better Auth has no model "${key}".`, {
      hint: `It has ${Object.keys(tables).join(', ')}: take these names, whatever the Prisma schema calls them.`,
    })
  }
  // Prisma Client has a model under its name with a small first letter, and the adapter's `usePlural` puts an s behind it.
  const accessor = lowerFirst(table.modelName)
  const specs = Object.values<ModelSpec>(catalog.models)
  const named = (name: string) => specs.find((each) => lowerFirst(each.name) === name)
  const spec = named(accessor) ?? named(`${accessor}s`)
  if (spec !== undefined) return { key, table, spec }
  throw new RowcastError(
    'BETTER_AUTH_MODEL',
    `Better Auth keeps "${key}" in a model ${table.modelName}, which is not in the Prisma schema.`,
    { hint: 'Run `npx auth generate` and `npx prisma generate`: both know the plugins of Better Auth then.' },
  )
}

/** What the Prisma schema calls a field, by Better Auth's name of it. */
export function authFieldOf({ table }: AuthModel, key: string): string {
  return table.fields[key]?.fieldName ?? key
}

/**
 * What `register()` is given for each: the application's own options, what Better Auth or a name marks as secret omitted, and, where the
 * application does not say whose rows a viewer sees, the rows of the viewer and of their organizations.
 * @throws BETTER_AUTH_MODEL where it is not known whose a model's rows are
 */
export function registrationsOf(
  tables: AuthTables,
  catalog: ModelCatalog,
  options: AuthModelOptions,
): readonly (AuthModel & { readonly options: RegisterOptions })[] {
  const models = Object.keys(options).map((key) => findAuthModel(tables, catalog, key))
  return models.map((model) => {
    const given = options[model.key] ?? {}
    const isDecided = given.rows !== undefined || given.public === true
    const rows = isDecided ? {} : { rows: rowsOf(model, models) }
    return { ...model, options: { ...rows, ...given, omit: hiddenFields(model, given) } }
  })
}

/** Fields that nobody sees. A secret is one by Better Auth's name of it, too: the Prisma schema may call a token `sid`. */
function hiddenFields(model: AuthModel, { omit = [], expose = [] }: RegisterOptions): readonly string[] {
  const hidden = Object.entries(model.table.fields)
    .filter(([key, field]) => field.returned === false || isSecretKey(model.key, key))
    .map(([key]) => authFieldOf(model, key))
    .filter((name) => !expose.includes(name) && model.spec.fields.some((field) => field.name === name))
  return [...new Set([...omit, ...hidden])]
}

function isSecretKey(model: string, key: string): boolean {
  return looksSecret({ name: key, type: 'String', kind: 'scalar' }, model)
}

type Rows = NonNullable<RegisterOptions['rows']>

/** The rows of a model that are the viewer's. */
function rowsOf(model: AuthModel, models: readonly AuthModel[]): Rows {
  if (model.key === 'user') return ofViewer(model.spec, 'id')
  const ofOrganization = organizationRows(model, models)
  if (ofOrganization !== null) return ofOrganization
  const user = Object.entries(model.table.fields).find(
    ([key, field]) => key === 'userId' && refersTo(field, 'user', models),
  )
  if (user !== undefined) return ofViewer(model.spec, authFieldOf(model, user[0]))
  throw unknownRows(model.key, 'has no user of its own')
}

function unknownRows(key: string, why: string): RowcastError {
  return new RowcastError(
    'BETTER_AUTH_MODEL',
    `Whose the rows of Better Auth's "${key}" are is not known: it ${why}.`,
    {
      hint: `Say it: models: { ${key}: { rows: ({ user }) => … } }.`,
    },
  )
}

function ofViewer(spec: ModelSpec, field: string): Rows {
  return (context: object) => viewerRule(context, spec, field) ?? 'none'
}

/** `{ userId: 'id of the viewer' }`; null where nobody has logged in. */
function viewerRule(context: object, spec: ModelSpec, field: string): object | null {
  const id = (context as Partial<AuthViewer>).user?.id
  if (id === undefined || id === null) return null
  return { [field]: idAs(spec.fields.find(({ name }) => name === field)?.type, id) }
}

/** Better Auth's ids are texts, those of the database may be numbers. */
function idAs(type: string | undefined, id: string | number): unknown {
  if (type === 'Int') return Number(id)
  return type === 'BigInt' ? BigInt(id) : String(id)
}

/** Rows of organizations that the viewer is a member of; null for a model that belongs to none. A membership counts from its commit to its end. */
function organizationRows(model: AuthModel, models: readonly AuthModel[]): Rows | null {
  const isOrganization = model.key === 'organization'
  if (!isOrganization && organizationField(model, models) === undefined) return null
  const organization = models.find(({ key }) => key === 'organization')
  const member = models.find(({ key }) => key === 'member')
  if (organization === undefined || member === undefined) {
    throw unknownRows(model.key, 'belongs to organizations, and `models` lacks `organization` or `member`')
  }
  const path = isOrganization ? undefined : toOrganization(model, models)?.name
  const belonging = toOrganization(member, models)?.relationName
  const members = organization.spec.relations.find(
    (each) => each.model === member.spec.name && each.isList && each.relationName === belonging,
  )?.name
  if (members === undefined || (path === undefined && !isOrganization)) {
    throw unknownRows(
      model.key,
      'has no relation to its organization and the members of it in the Prisma schema',
    )
  }
  const userField = authFieldOf(member, 'userId')
  return (context) => {
    const viewer = viewerRule(context, member.spec, userField)
    if (viewer === null) return 'none'
    const rule = { [members]: { some: viewer } }
    return path === undefined ? rule : { [path]: rule }
  }
}

/** Better Auth refers to a table by its key or by its name. */
function refersTo({ references }: AuthField, key: string, models: readonly AuthModel[]): boolean {
  const name = models.find((each) => each.key === key)?.table.modelName
  return references !== undefined && [key, name].includes(references.model)
}

/** The field that says of which organization a row is, by what the Prisma schema calls it. */
function organizationField(model: AuthModel, models: readonly AuthModel[]): string | undefined {
  const keys = Object.entries(model.table.fields).flatMap(([key, field]) =>
    refersTo(field, 'organization', models) ? [key] : [],
  )
  const key = keys.includes('organizationId') ? 'organizationId' : keys[0]
  return key === undefined ? undefined : authFieldOf(model, key)
}

/** By that field: the application may have relations of its own between the two, as to those who were members. */
function toOrganization(model: AuthModel, models: readonly AuthModel[]) {
  const field = organizationField(model, models)
  return model.spec.relations.find(({ fields }) => field !== undefined && fields.includes(field))
}

function lowerFirst(name: string): string {
  return name.slice(0, 1).toLowerCase() + name.slice(1)
}
