/**
 * Beside the spine. What reads changes for a rowcast: PostgreSQL's stream, a broker, or both. It is made when first needed:
 * by then the models are known.
 */
import {
  type BrokerStatus,
  type ChangeReader,
  createScaledSource,
  type ScaledSourceOptions,
} from './broker/scaled-source.ts'
import { busSink, NO_SINK, type SourceSink } from './bus/source-sink.ts'
import { createRelationRegistry, type RelationRegistry } from './catalog/relation-registry.ts'
import type { SoftDeleteFields } from './changes/soft-delete.ts'
import { createMetadataReader, type MetadataReader } from './changes/transaction-metadata.ts'
import { softDeleteFieldsOf } from './config/register-options.ts'
import type { RowcastError } from './errors.ts'
import { modelsWithRowRule } from './graphql/policy/model-policy.ts'
import type { RowcastParts } from './rowcast-parts.ts'
import { withDatabaseSession } from './source/db/sql.ts'
import { readSystemIdentifier } from './source/db/system-identifier.ts'
import { createReplicationSource, type ReplicationSource } from './source/replication-source.ts'
import { createRowSecurityJudge, type TableJudge } from './source/setup/row-security.ts'
import { modelsKeepingIdentity, type SetupGoal } from './source/setup/setup-goal.ts'

const NO_FAULTS: ReadonlyMap<string, RowcastError> = new Map()

/** What a reader is made with, whoever its changes are for. */
interface ReaderRules {
  readonly softDelete: SoftDeleteFields
  readonly readMetadata: MetadataReader
  readonly judgeTable: TableJudge
}

/** One per rowcast. */
export class RowcastReader {
  readonly #parts: RowcastParts
  #reader: ChangeReader | null = null
  #registry: RelationRegistry | null = null
  #brokerStatus: () => BrokerStatus | null = () => null

  constructor(parts: RowcastParts) {
    this.#parts = parts
  }

  /** Makes it where there is none yet. */
  get reader(): ChangeReader {
    this.#reader ??= this.#create()
    return this.#reader
  }

  /** Whether it has been started: its models are fixed. */
  get isStarted(): boolean {
    return this.#reader !== null && this.#reader.status().state !== 'idle'
  }

  /** Whether changes come as they are made. */
  get isFollowing(): boolean {
    return this.isStarted && this.reader.status().isReady
  }

  /** The models have changed: the next use makes another one. */
  discard(): void {
    this.#reader = null
  }

  /** Ends it, where there is one. */
  stop(): Promise<void> | undefined {
    return this.#reader?.stop()
  }

  /** Models whose changes cannot be read, and why. */
  get faults(): ReadonlyMap<string, RowcastError> {
    return this.#registry?.faults ?? NO_FAULTS
  }

  /** Digits of money after the point; undefined before the first use. */
  get moneyScale(): number | undefined {
    return this.#registry?.moneyScale
  }

  /** Whether PostgreSQL sends the whole old row; true while that is not known. */
  hasOldImages(model: string): boolean {
    return this.#registry?.hasOldImages(model) ?? true
  }

  /** Null without a broker. */
  brokerStatus(): BrokerStatus | null {
    return this.#brokerStatus()
  }

  #create(): ChangeReader {
    const { catalog, models, names, bus, hub, timeDigits } = this.#parts
    const goal = models.goalFor(names)
    const layout = { catalog, models: models.specs, defaultSchema: names.schema }
    const registryParts = { ...layout, keepsIdentity: modelsKeepingIdentity(goal), timeDigits }
    const createRegistry = (): RelationRegistry => createRelationRegistry(registryParts)
    const registry = createRegistry()
    this.#registry = registry
    const rules = this.#rules()
    const createSource = (relations: RelationRegistry, sink: SourceSink): ReplicationSource =>
      this.#createSource(goal, { ...rules, ...sink, registry: relations })
    const scaled = this.#scaledOptions({ ...rules, registry, createRegistry })
    if (scaled === null) return createSource(registry, busSink(bus, hub))
    const source = createScaledSource({
      ...scaled,
      createTapSource: (relay, relations) => createSource(relations, { ...NO_SINK, relay }),
    })
    this.#brokerStatus = () => source.brokerStatus()
    return source
  }

  #rules(): ReaderRules {
    const { models, queryRole, logger, options } = this.#parts
    return {
      softDelete: softDeleteFieldsOf(models.options),
      readMetadata: createMetadataReader({
        ...{ schema: options.metadata, logger },
        now: () => performance.now(),
      }),
      judgeTable: createRowSecurityJudge({
        ...{ role: queryRole, answered: modelsWithRowRule(models.options), logger },
        isRefusing: process.env['NODE_ENV'] === 'production',
      }),
    }
  }

  #createSource(
    goal: SetupGoal,
    whose: ReaderRules & SourceSink & { readonly registry: RelationRegistry },
  ): ReplicationSource {
    const { target, durability, logger, options } = this.#parts
    return createReplicationSource({
      ...{ target, goal, ...durability, ...whose, logger },
      isEnabledOnConnect: options.enableOnStart ?? false,
      isBinary: options.binary ?? true,
      applicationName: `rowcast: ${goal.slot}`,
      random: Math.random,
    })
  }

  /** Null without a broker. */
  #scaledOptions(
    whose: ReaderRules & Pick<ScaledSourceOptions, 'registry' | 'createRegistry'>,
  ): Omit<ScaledSourceOptions, 'createTapSource'> | null {
    const { target, names, scaling, archive, logger, bus, hub, durability, models } = this.#parts
    const { slot, publication } = names
    const { role, broker } = scaling
    if (broker === null || archive === null) return null
    return {
      ...{ role, broker, slot, publication, logger, archive, bus, ...whose },
      models: models.publishedNames,
      onMessage: (message) => hub.publish(message),
      watchIntervalMs: durability.watchIntervalMs,
      askDatabase: (ask) => withDatabaseSession(target, (sql) => ask((text) => sql.query(text))),
      readSystemId: (signal) => readSystemIdentifier({ ...target, waits: { ...target.waits, signal } }),
    }
  }
}
