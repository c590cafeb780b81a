/** Beside the spine. The models that are live, what was said of each, and what is to be set up for them. */
import { isDeepStrictEqual } from 'node:util'
import type { ModelCatalog, ModelSpec } from './catalog/model-catalog.ts'
import { findModel, tableNamed } from './config/find-model.ts'
import { checkRegisterOptions, type RegisterOptions } from './config/register-options.ts'
import { RowcastError } from './errors.ts'
import { createSetupGoal, type GoalParts, type SetupGoal } from './source/setup/setup-goal.ts'

/** Those of one rowcast. */
export class RegisteredModels {
  readonly options = new Map<string, RegisterOptions>()
  readonly #specs = new Map<string, ModelSpec>()
  /** Published for what depends on them, and live themselves for nobody. */
  readonly #followed = new Set<string>()
  readonly #catalog: ModelCatalog

  constructor(catalog: ModelCatalog) {
    this.#catalog = catalog
  }

  get names(): readonly string[] {
    return this.publishedNames.filter((name) => this.has(name))
  }

  /** Those that are followed as well. */
  get publishedNames(): readonly string[] {
    return [...this.#specs.keys()]
  }

  /** Of all that are published. */
  get specs(): readonly ModelSpec[] {
    return [...this.#specs.values()]
  }

  has(model: string): boolean {
    return this.isPublished(model) && !this.#followed.has(model)
  }

  /** Whether its changes come, be it live or followed. */
  isPublished(model: string): boolean {
    return this.#specs.has(model)
  }

  /** Of any model of the catalog, whether it is live or not. @throws CATALOG_UNKNOWN_MODEL */
  specOf(model: string): ModelSpec {
    return findModel(this.#catalog, model)
  }

  /** What may be registered so. @throws CATALOG_UNKNOWN_MODEL, CATALOG_BAD_SOFT_DELETE, CATALOG_BAD_POLICY */
  check(model: string, options: RegisterOptions): ModelSpec {
    const spec = this.specOf(model)
    checkRegisterOptions(spec, options)
    return spec
  }

  /** Makes it live. @throws CATALOG_REGISTERED_TWICE where something else was said of it before */
  add(spec: ModelSpec, options: RegisterOptions): void {
    const before = this.options.get(spec.name)
    const isKept = this.has(spec.name) ? isDeepStrictEqual(before, options) : keepsMark(before, options)
    if (!isKept) throw registeredTwice(spec.name)
    this.#followed.delete(spec.name)
    this.#specs.set(spec.name, spec)
    this.options.set(spec.name, options)
  }

  /** What may be followed so: join tables as well. @throws CATALOG_UNKNOWN_MODEL, CATALOG_BAD_SOFT_DELETE */
  checkFollowed(model: string, options: RegisterOptions): ModelSpec {
    const spec = tableNamed(this.#catalog, model) ?? this.specOf(model)
    checkRegisterOptions(spec, options)
    return spec
  }

  /** Publishes it, and makes it live for nobody; one that is live stays so. @throws CATALOG_REGISTERED_TWICE */
  follow(spec: ModelSpec, options: RegisterOptions): void {
    if (!this.isPublished(spec.name)) {
      this.add(spec, options)
      this.#followed.add(spec.name)
    } else if (!keepsMark(options, this.options.get(spec.name))) throw registeredTwice(spec.name)
  }

  /** @throws CATALOG_UNKNOWN_MODEL, CATALOG_MODEL_NOT_REGISTERED */
  checkLive(model: string): ModelSpec {
    const spec = this.specOf(model)
    if (this.has(model)) return spec
    throw new RowcastError('CATALOG_MODEL_NOT_REGISTERED', `Model ${model} is not live.`, {
      hint: `Call rowcast.register('${model}') before start().`,
    })
  }

  /** What slot, publication and tables are to be. */
  goalFor(names: Omit<GoalParts, 'catalog' | 'models'>): SetupGoal {
    const models = this.specs.map((spec) => ({ ...this.options.get(spec.name), spec }))
    return createSetupGoal({ ...names, catalog: this.#catalog, models })
  }
}

/** Whether rows that count as deleted by these options do so by others. */
function keepsMark(one: RegisterOptions = {}, other: RegisterOptions = {}): boolean {
  return one.softDelete === undefined || one.softDelete === other.softDelete
}

/** Whoever spoke first may have said who sees what. */
function registeredTwice(model: string): RowcastError {
  return new RowcastError('CATALOG_REGISTERED_TWICE', `Model ${model} was registered with other options.`)
}
