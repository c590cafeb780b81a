/**
 * Stage 7, graphql. Who sees what of the metadata of a transaction. Nobody sees any of it unless a function says so, and what
 * it says is asked once for an operation, as policies of models are.
 */
import type { TransactionInfo } from '../../changes/change.ts'
import { RowcastError } from '../../errors.ts'
import { checkContext } from '../check-context.ts'
import type { PolicyCalls } from './policy-calls.ts'

/** GraphQL's types of what metadata has. */
export type MetadataType = 'String' | 'ID' | 'Int' | 'Float' | 'Boolean' | 'JSON'

/** What GraphQL shows of metadata, and to whom. */
export interface MetadataExposure {
  /** Fields of `ChangeMetadata`, and their types; a value of another type is null. @default actor, requestId and mutationId, each a String */
  readonly shape?: Readonly<Record<string, MetadataType>> | undefined
  /** The fields that the viewer may see: asked once for an operation, with its GraphQL context. The others are null. */
  readonly fields: FieldsRule['of']
}

/** A method's type, so that it can be declared with the application's own type of context. */
interface FieldsRule {
  of(context: object): readonly string[] | 'all' | Promise<readonly string[] | 'all'>
}

const TYPES: ReadonlySet<unknown> = new Set<MetadataType>([
  ...(['String', 'ID', 'Int', 'Float', 'Boolean', 'JSON'] as const),
])

/** Whether it can be used: GraphQL's names, and types that there are. */
export function isMetadataExposure(value: unknown): value is MetadataExposure {
  if (typeof value !== 'object' || value === null || typeof Reflect.get(value, 'fields') !== 'function')
    return false
  const shape: unknown = Reflect.get(value, 'shape') ?? DEFAULT_SHAPE
  if (typeof shape !== 'object' || shape === null) return false
  const entries = Object.entries(shape)
  return (
    entries.length > 0 &&
    entries.every(([name, type]) => /^[_a-z]\w*$/i.test(name) && !name.startsWith('__') && TYPES.has(type))
  )
}

const DEFAULT_SHAPE: NonNullable<MetadataExposure['shape']> = {
  actor: 'String',
  requestId: 'String',
  mutationId: 'String',
}

const NONE: ReadonlySet<string> = new Set()

/** Of one schema. */
export class MetadataView {
  readonly shape: NonNullable<MetadataExposure['shape']>
  readonly #exposure: MetadataExposure
  readonly #calls: PolicyCalls
  readonly #seen = new WeakMap<object, ReadonlySet<string>>()

  constructor(exposure: MetadataExposure, calls: PolicyCalls) {
    this.#exposure = exposure
    this.#calls = calls
    this.shape = exposure.shape ?? DEFAULT_SHAPE
  }

  /** Asks what the viewer may see, unless this context was asked for before. @throws POLICY_FAILED, POLICY_TIMEOUT */
  async prepare(context: unknown): Promise<void> {
    checkContext(context)
    if (this.#seen.has(context)) return
    const ask = (): unknown => this.#exposure.fields(context)
    const answer = await this.#calls.ask('metadata', 'fields', ask)
    if (answer !== 'all' && !Array.isArray(answer)) throw failed("neither a list of fields nor 'all'")
    const names = answer === 'all' ? Object.keys(this.shape) : answer
    if (names.some((name) => typeof name !== 'string' || !Object.hasOwn(this.shape, name)))
      throw failed('a field that metadata does not have in GraphQL')
    this.#seen.set(context, new Set(names as readonly string[]))
  }

  /** Equal for viewers who see the same. */
  audience(context: object): string {
    return `metadata:${[...this.#seenBy(context)].sort().join()}`
  }

  /** What the viewer sees of it; null where it sees none. Of a context that nobody asked about, nothing. */
  show(context: object, { metadata }: TransactionInfo): object | null {
    const seen = this.#seenBy(context)
    if (metadata === null || typeof metadata !== 'object' || seen.size === 0) return null
    const shown = Object.entries(this.shape).map(([name, type]) => {
      const value: unknown = seen.has(name) && Object.hasOwn(metadata, name) ? metadata[name] : null
      return [name, isOfType(value, type) ? value : null] as const
    })
    return Object.fromEntries(shown)
  }

  #seenBy(context: object): ReadonlySet<string> {
    return this.#seen.get(context) ?? NONE
  }
}

function isOfType(value: unknown, type: MetadataType): boolean {
  if (type === 'JSON') return value !== undefined
  if (type === 'Boolean') return typeof value === 'boolean'
  if (type === 'Int') return typeof value === 'number' && (value | 0) === value
  if (type === 'Float') return Number.isFinite(value)
  return typeof value === 'string' || (type === 'ID' && Number.isSafeInteger(value))
}

function failed(answer: string): RowcastError {
  return new RowcastError('POLICY_FAILED', `The policy \`fields\` of metadata answered with ${answer}.`)
}
