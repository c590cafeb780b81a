/** The `models` of the config file: which are live, and who may see what of them. Checked against the catalog. */
import type { ModelCatalog, ModelSpec } from '../catalog/model-catalog.ts'
import { NO_CATALOG } from '../catalog/parse-catalog.ts'
import { asksViewer } from '../graphql/policy/model-policy.ts'
import { withoutEmptyModels } from '../graphql/shown-models.ts'
import { hasMembers, type Members } from '../member-of.ts'
import { nearestName } from '../nearest-name.ts'
import { type CheckedValues, checkOption, type Option, reportUnknownNames } from '../option.ts'
import type { Config, ModelConfig } from './config.ts'
import type { Faults } from './config-faults.ts'
import { MODEL_FIELDS, MODEL_OPTIONS, OTHERS_FIELDS } from './model-options.ts'
import type { OPTIONS } from './options.ts'
import { checkSoftDelete, type RegisterOptions } from './register-options.ts'

/** Options of a model that name fields of it. */
const LISTS: readonly string[] = ['omit', 'expose']

/** Reads `models` and `public`; what is wrong is noted among the faults. */
export function readModels(
  {
    models: value = 'all',
    public: isPublic = false,
    sessions,
  }: CheckedValues<Pick<typeof OPTIONS, 'models' | 'public' | 'sessions'>>,
  catalog: ModelCatalog,
  isProduction: boolean,
  faults: Faults,
): Config['models'] {
  const known = Object.values<ModelSpec>(catalog.models)
  const visible = known.filter((model) => !model.isOmitted)
  const given = value === 'all' ? { [OTHERS]: {} } : value
  // Of several databases, the one that has them publishes them.
  const sessionModel = known.find(({ name }) => name === sessions?.model)?.name
  const models = withFollowed(withOthers(given, visible, faults), sessionModel)
  for (const [name, model] of Object.entries(models)) {
    const spec = known.find((each) => each.name === name)
    if (spec !== undefined) checkModel(spec, model, faults)
    else if (catalog.joinTables.some(({ table }) => table === name)) checkJoinTable(name, model, faults)
    else if (catalog !== NO_CATALOG) addUnknownModel(name, known, faults)
  }
  if (catalog !== NO_CATALOG && !Object.values(models).some(isLive)) {
    faults.add(
      'SOURCE_NO_MODELS',
      'The config makes no model live.',
      "Name one in `models`, or say `'*': {}`.",
    )
  }
  if (isProduction && !isPublic) checkPolicies({ catalog, visible }, models as Config['models'], faults)
  return models as Config['models']
}

/** Stands for all models that are not named. */
const OTHERS = '*'

/** The models as if each had been named; those that were not may turn out to be views. */
function withOthers(given: Members, visible: readonly ModelSpec[], faults: Faults): Members {
  const { [OTHERS]: others, ...named } = given
  if (others === undefined) return given
  if (hasMembers(others)) reportUnknownNames(others, OTHERS_FIELDS, "`models['*']`", faults.note)
  else faults.add('CONFIG_BAD_FIELD', "`models['*']` is not of the form { live: false }.")
  const options = { ...Object(others), optional: true }
  const unnamed = visible.filter(({ name }) => !Object.hasOwn(named, name))
  return { ...Object.fromEntries(unnamed.map(({ name }) => [name, options])), ...named }
}

/** The model of sessions is published, whether anything else was said of it or not: without its changes no session would end. */
function withFollowed(models: Members, name: string | undefined): Members {
  if (name === undefined) return models
  const { [name]: said = { live: false } } = models
  return { ...models, [name]: hasMembers(said) ? { ...said, followed: true, optional: false } : said }
}

/** Whether changes of its table come. */
export function isPublished({ live, followed }: Pick<ModelConfig, 'live' | 'followed'>): boolean {
  return live !== false || followed === true
}

function isLive(model: unknown): boolean {
  return hasMembers(model) && model['live'] !== false
}

function addUnknownModel(name: string, known: readonly ModelSpec[], faults: Faults): void {
  const nearest = nearestName(
    name,
    known.map((model) => model.name),
  )
  faults.add(
    'CATALOG_UNKNOWN_MODEL',
    `\`models\` names "${name}", which the Prisma schema does not have.`,
    nearest === null ? undefined : `Did you mean "${nearest}"?`,
  )
}

function checkModel(spec: ModelSpec, model: unknown, faults: Faults): void {
  const where = `\`models.${spec.name}`
  if (!hasMembers(model)) {
    faults.add('CONFIG_BAD_FIELD', `${where}\` is not of the form { omit: ['field'] }.`)
    return
  }
  reportUnknownNames(model, MODEL_FIELDS, `${where}\``, faults.note)
  for (const [name, row] of Object.entries<Option>(MODEL_OPTIONS))
    checkOption(row, model[name], `models.${spec.name}.${name}`, faults.note)
  const softDelete = model['softDelete']
  // As `serve` would refuse it: `doctor` is asked before.
  if (typeof softDelete === 'string')
    faults.catch(() => checkSoftDelete(spec, { ...model, softDelete } as RegisterOptions), undefined)
  for (const list of LISTS) checkNames(spec, list, model[list], faults)
}

/** Nobody sees the join table of an implicit many-to-many: it is there for what follows the relation. */
function checkJoinTable(name: string, model: unknown, faults: Faults): void {
  const { live, followed, ...others } = hasMembers(model) ? model : {}
  if (live === false && followed === true && Object.keys(others).length === 0) return
  faults.add(
    'CONFIG_BAD_FIELD',
    `\`models.${name}\` is not { live: false, followed: true }, and a join table can be nothing else.`,
  )
}

/** A misspelt field that was meant to be hidden would be shown: never let it pass. */
function checkNames(spec: ModelSpec, list: string, names: unknown, faults: Faults): void {
  if (!Array.isArray(names)) return
  const fields = [...spec.fields, ...(list === 'omit' ? spec.relations : [])].map((field) => field.name)
  for (const name of names.map(String).filter((each) => !fields.includes(each))) {
    const nearest = nearestName(name, fields)
    faults.add(
      'CONFIG_BAD_FIELD',
      `\`models.${spec.name}.${list}\` names "${name}", which ${spec.name} does not have.`,
      nearest === null ? `Name fields of ${spec.name}.` : `Did you mean "${nearest}"?`,
    )
  }
}

/** In production nobody shows a model to everybody by leaving something out. */
function checkPolicies(
  { catalog, visible }: { readonly catalog: ModelCatalog; readonly visible: readonly ModelSpec[] },
  models: Config['models'],
  faults: Faults,
): void {
  const { leftOut } = withoutEmptyModels({ catalog, models })
  const names = visible.map(({ name }) => name).filter((name) => !leftOut.includes(name))
  const open = names.filter((name) => !isDecided(models[name]))
  if (open.length === 0) return
  faults.add(
    'CONFIG_NO_POLICY',
    `NODE_ENV is production, and nothing says who may see ${open.join(', ')}.`,
    `For each, write in \`models\` a policy ({ rows: (context) => … }, canSubscribe or fields) or { public: true }; ` +
      'add { live: false } for one that is only queried, or mark the model `/// @rowcast.omit`. `public: true` beside ' +
      '`models` says it of all.',
  )
}

/** Nobody is asked `canSubscribe` of a model that is only queried: it decides nothing there. */
function isDecided(model: Config['models'][string] | undefined): boolean {
  if (model === undefined) return false
  return (
    model.public === true || asksViewer(model.live === false ? { ...model, canSubscribe: undefined } : model)
  )
}
