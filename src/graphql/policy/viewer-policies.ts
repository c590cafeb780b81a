/**
 * Stage 7, graphql. Asks the declared policies what the viewer of an operation may see, once for each model and
 * context, and keeps the answers beside the context.
 */
import { badFilter } from '../../bus/filter/bad-filter.ts'
import { compileCondition, type RowTest } from '../../bus/filter/compile-condition.ts'
import { type Condition, constantOf, keySetsOf, NEVER } from '../../bus/filter/condition.ts'
import { TRUE } from '../../bus/filter/outcome.ts'
import { type ParseWhereOptions, parseWhere } from '../../bus/filter/parse-where.ts'
import { possibleOutcomes } from '../../bus/filter/possible-outcomes.ts'
import { type ForeignKey, foreignKeyOf } from '../../catalog/foreign-key.ts'
import type { ModelCatalog, ModelSpec } from '../../catalog/model-catalog.ts'
import { canonicalText } from '../../catalog/values/canonical-text.ts'
import { invariant, isRowcastError, RowcastError } from '../../errors.ts'
import { noRowOf } from '../../sets/no-row.ts'
import { checkContext } from '../check-context.ts'
import { fieldHidden } from './field-hidden.ts'
import { type AnyModelPolicy, asksViewer, type PolicyLookup } from './model-policy.ts'
import { ownCopy } from './own-copy.ts'
import { PolicyCalls } from './policy-calls.ts'

/** The rows that one viewer may see. */
export interface ViewerRows {
  readonly condition: Condition
  /** Of a row's own columns. Where the condition asks other rows, only the database knows what they are. */
  readonly test: RowTest
  /** Whether it asks other rows. */
  readonly asksRows: boolean
  /** For Prisma Client. */
  readonly where: object
}

/** What one viewer may see of one model. */
export interface ModelView {
  /** Null for all rows. */
  readonly rows: ViewerRows | null
  /** Fields in the schema that are not for this viewer. */
  readonly hidden: ReadonlySet<string>
  /** Equal for viewers who see the same; null where that is not known. */
  readonly text: string | null
}

/** What one viewer may see of models that a filter leads to; they were prepared for his context. */
export interface RelatedViews {
  view(model: string): ModelView
  /** Whether the foreign key of the relation is hidden from him, at whichever end it is. */
  hidesKey(model: string, relation: string): boolean
}

/** What is empty had better be refused than let every row through. */
const RULE_READING: ParseWhereOptions = {
  path: 'rows',
  emptyGroups: 'refuse',
  emptyObjects: 'refuse',
  relations: {},
}

/** Why such a filter is refused, and how to say what may have been meant. */
const SHOWS_ALL =
  "a filter that every row matches, or every row with related ones: answer 'all' if that is meant; name what every related row has, such as `id: { gt: 0 }`, if one is to be there"

const SEES_ALL: ModelView = { rows: null, hidden: new Set(), text: '' }

/** Answers of policies, by model. */
interface Answers {
  readonly views: Map<string, ModelView>
  readonly pending: Map<string, Promise<ModelView>>
}

/** The policies of a catalog's models. */
export class ViewerPolicies {
  readonly calls = new PolicyCalls()
  readonly #catalog: ModelCatalog
  readonly #policyOf: (model: string) => AnyModelPolicy | undefined
  readonly #answers = new WeakMap<object, Answers>()

  constructor(catalog: ModelCatalog, ...declared: readonly PolicyLookup[]) {
    this.#catalog = catalog
    this.#policyOf = (model) => declared.find((policies) => policies.has(model))?.get(model)
  }

  /** Whether what is seen of the model depends on the viewer. */
  asksViewer(model: string): boolean {
    const policy = this.#policyOf(model)
    return policy !== undefined && asksViewer(policy)
  }

  /** What is declared about the model; nothing when nothing is. */
  declared(model: string): AnyModelPolicy {
    return this.#policyOf(model) ?? {}
  }

  /**
   * Asks the policies of the models, those that were not asked for this context yet.
   * @throws POLICY_FAILED, POLICY_TIMEOUT
   */
  async prepare(context: unknown, models: Iterable<string>): Promise<void> {
    const asked = [...models].filter((model) => this.asksViewer(model))
    if (asked.length === 0) return
    const { views, pending } = this.#answersOf(context)
    await Promise.all(
      asked.map(async (model) => {
        if (views.has(model)) return
        const view = pending.get(model) ?? this.#ask(model, context as object)
        pending.set(model, view)
        views.set(model, await view)
      }),
    )
  }

  /** Asks the policies of the models once more: from then on `view` gives what they answer now. @throws POLICY_FAILED, POLICY_TIMEOUT */
  async renew(context: object, models: Iterable<string>): Promise<void> {
    const asked = [...new Set(models)].filter((model) => this.asksViewer(model))
    const views = await Promise.all(asked.map((model) => this.#ask(model, context)))
    const known = this.#answersOf(context)
    for (const [index, model] of asked.entries()) known.views.set(model, views[index] as ModelView)
  }

  /** Whether all of them were asked, so that `view` answers at once. */
  arePrepared(context: unknown, models: readonly string[]): boolean {
    const { views } = this.#answersOf(context)
    return models.every((model) => views.has(model))
  }

  /** What the viewer sees. The model was prepared for this context, or has no policy that asks. */
  view(context: unknown, model: string): ModelView {
    if (!this.asksViewer(model)) return SEES_ALL
    const view = this.#answersOf(context).views.get(model)
    invariant(view !== undefined, `The policy of ${model} was not asked before its rows were shown.`)
    return view
  }

  /**
   * Whether the viewer may subscribe to changes of the model.
   * @throws POLICY_FAILED, POLICY_TIMEOUT
   */
  async maySubscribe(context: unknown, model: string): Promise<boolean> {
    const { canSubscribe } = this.declared(model)
    if (canSubscribe === undefined) return true
    const answer: unknown = await this.calls.ask(model, 'canSubscribe', () => canSubscribe(context as object))
    if (typeof answer !== 'boolean') throw failed(model, 'canSubscribe', 'neither true nor false')
    return answer
  }

  /** What the viewer sees of models that a filter leads to: they were prepared for this context, or have no policy that asks. */
  relatedViews(context: unknown): RelatedViews {
    return {
      view: (model) => this.view(context, model),
      hidesKey: (model, relation) => {
        const key = this.foreignKey(model, relation)
        return key?.fields.some((field) => this.view(context, key.model).hidden.has(field)) === true
      },
    }
  }

  /** The foreign key of a relation: whoever may not see one of its fields may not see who belongs to whom. */
  foreignKey(model: string, relation: string): ForeignKey | null {
    const spec: ModelSpec | undefined = this.#catalog.models[model]
    const found = spec?.relations.find(({ name }) => name === relation)
    return spec === undefined || found === undefined ? null : foreignKeyOf(this.#catalog, spec, found)
  }

  /** All relations of a model. */
  relationsOf(model: string): readonly string[] {
    const spec: ModelSpec | undefined = this.#catalog.models[model]
    return spec?.relations.map(({ name }) => name) ?? []
  }

  /** The model that a relation leads to; null where the model has no such relation. */
  relatedModel(model: string, relation: string): string | null {
    const spec: ModelSpec | undefined = this.#catalog.models[model]
    return spec?.relations.find(({ name }) => name === relation)?.model ?? null
  }

  /**
   * Refuses a field of a key that the viewer may not see. The model was prepared for this context, or has no policy.
   * @throws FIELD_HIDDEN
   */
  checkVisible(context: unknown, { model, fields }: ForeignKey): void {
    const { hidden } = this.view(context, model)
    const field = fields.find((each) => hidden.has(each))
    if (field !== undefined) throw fieldHidden(model, field)
  }

  /** What the viewer sees of all these models as one text; null where that is not known. */
  audience(context: unknown, models: Iterable<string>): string | null {
    const texts = [...new Set(models)].sort().map((model) => {
      const { text } = this.view(context, model)
      return text === null ? null : `${model}:${text}`
    })
    return texts.includes(null) ? null : texts.join('\n')
  }

  #answersOf(context: unknown): Answers {
    checkContext(context)
    const known = this.#answers.get(context) ?? { views: new Map(), pending: new Map() }
    this.#answers.set(context, known)
    return known
  }

  async #ask(name: string, context: object): Promise<ModelView> {
    const model: ModelSpec | undefined = this.#catalog.models[name]
    invariant(model !== undefined, `Model ${name} has a policy and is not in the catalog.`)
    const { rows, fields } = this.declared(name)
    const [rowsRule, fieldsRule] = await Promise.all([
      rows === undefined ? 'all' : this.calls.ask(name, 'rows', () => rows(context)),
      fields === undefined ? 'all' : this.calls.ask(name, 'fields', () => fields(context)),
    ])
    const view = { rows: this.#parseRows(model, rowsRule), hidden: parseFields(model, fieldsRule) }
    const rule = canonicalText(view.rows?.where ?? null)
    return { ...view, text: rule === null ? null : `${rule} ${[...view.hidden].sort().join()}` }
  }

  #parseRows(model: ModelSpec, answer: unknown): ModelView['rows'] {
    if (answer === 'all') return null
    const rule = ruleOf(model, answer)
    const where = noRowOf(model.fields)
    if (rule === 'none') return { condition: NEVER, test: compileCondition(NEVER), asksRows: false, where }
    if (typeof rule !== 'object' || rule === null || Object.keys(rule).length === 0) {
      throw failed(model.name, 'rows', "not a filter, 'all' or 'none'")
    }
    const condition = this.#parseRule(model, rule)
    // Whoever means all rows says so; an operand that came out empty must not.
    if (possibleOutcomes(condition, model) === TRUE) throw failed(model.name, 'rows', SHOWS_ALL)
    // It stands beside what is asked for, where Prisma would leave an empty `OR` out.
    const isNone = constantOf(condition) === false
    const asksRows = keySetsOf(condition).length > 0
    return { condition, test: compileCondition(condition), asksRows, where: isNone ? where : rule }
  }

  #parseRule(model: ModelSpec, rule: object): Condition {
    try {
      return parseWhere(model, this.#catalog, rule, RULE_READING)
    } catch (error) {
      if (!isRowcastError(error)) throw error
      throw failed(model.name, 'rows', `a filter that cannot be used: ${error.message}`)
    }
  }
}

/** What the answer says now, for rows and queries alike: it may say something else when it is read again. */
function ruleOf(model: ModelSpec, answer: unknown): unknown {
  try {
    return ownCopy(answer)
  } catch (cause) {
    throw new RowcastError(
      'POLICY_FAILED',
      `The policy \`rows\` of ${model.name} answered with what cannot be read.`,
      {
        cause,
      },
    )
  }
}

function parseFields(model: ModelSpec, rule: unknown): ReadonlySet<string> {
  if (rule === 'all') return new Set()
  const names = model.fields.map((field) => field.name)
  if (!Array.isArray(rule)) throw failed(model.name, 'fields', "neither a list of fields nor 'all'")
  const unknown: unknown = rule.find((name) => !names.includes(String(name)))
  if (unknown !== undefined) {
    const { message } = badFilter(
      'fields',
      `there is no field "${String(unknown)}".`,
      'Name fields of the model.',
    )
    throw failed(model.name, 'fields', message)
  }
  return new Set(names.filter((name) => !rule.includes(name)))
}

function failed(model: string, name: string, answer: string): RowcastError {
  return new RowcastError('POLICY_FAILED', `The policy \`${name}\` of ${model} answered with ${answer}.`)
}
