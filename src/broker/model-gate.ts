/**
 * Beside the bus, broker. Which models a gateway may deliver: by the tap's document about the models' tables, and by what
 * the stream brings. Without the document it may deliver none, and a model that the tap does not have it refuses.
 */
import type { InProcessBus } from '../bus/bus.ts'
import type { RelationRegistry } from '../catalog/relation-registry.ts'
import { RowcastError } from '../errors.ts'
import type { Logger } from '../logger.ts'
import { ModelTableGuard, type ModelTableState } from '../source/setup/model-tables.ts'
import type { TableJudge } from '../source/setup/row-security.ts'
import type { Lsn } from '../wire/lsn.ts'
import type { EntryLog } from './entry-log.ts'
import { digestOfTables, parseTableStates } from './table-states.ts'

/** What a gate needs. */
export interface ModelGateOptions {
  readonly registry: RelationRegistry
  /** Names of the models that are registered here. */
  readonly models: Iterable<string>
  readonly publication: string
  /** What else keeps a model's changes from being delivered. @default nothing */
  readonly judgeTable?: TableJudge | undefined
  readonly bus: InProcessBus
  readonly logger: Logger
  /** The document is about to count, which may end a fault, and cursors with it. */
  readonly onReading?: (() => void) | undefined
}

/** One per gateway. */
export class ModelGate {
  readonly #options: ModelGateOptions
  readonly #guard: ModelTableGuard
  readonly #driftWords = new Map<string, string>()
  /** Of the document that was read last; null: none of the present epoch was. */
  #digest: string | null = null
  #tables: readonly ModelTableState[] = []

  constructor(options: ModelGateOptions) {
    this.#options = options
    const { registry, publication, judgeTable, models } = options
    this.#guard = new ModelTableGuard({
      ...{ registry, publication, judge: judgeTable },
      listener: {
        onDrift: (model, drift) => this.onDrift(model, drift),
        onRecovery: (model) => this.onRecovery(model),
      },
      expected: { models, faultOf: createNotTappedError },
    })
  }

  /** Whether the document of the present epoch has been read. */
  get isOpen(): boolean {
    return this.#digest !== null
  }

  /** The models' tables, by the document that was read last. */
  get tables(): readonly ModelTableState[] {
    return this.#tables
  }

  /** Another epoch has another document. */
  close(): void {
    this.#digest = null
  }

  /** A mark names the document that counts: what was read before is no good where it was another one. */
  note(digest: string | null): void {
    if (digest !== null && digest !== this.#digest) this.#digest = null
  }

  /**
   * Reads the document, which may be newer than a mark has said.
   * @returns whether it is there and can be read
   */
  async read(log: EntryLog, name: string): Promise<boolean> {
    const text = await log.readText(name)
    const states = text === null ? null : parseTableStates(text)
    if (text === null || states === null) return false
    this.#options.onReading?.()
    this.#tables = states
    this.#guard.update(states)
    this.#options.bus.hold(blockedOf(states))
    // Not before: whatever failed, it is read again.
    this.#digest = digestOfTables(text)
    return true
  }

  onDrift(model: string, drift: RowcastError): void {
    const { logger, bus } = this.#options
    if (this.#driftWords.get(model) !== drift.message)
      logger.error(drift.message, { code: drift.code, model })
    this.#driftWords.set(model, drift.message)
    bus.close(drift, model)
  }

  /** `passedLsn`: everything that commits before it has been read; null: the bus knows. */
  onRecovery(model: string, passedLsn: Lsn | null = null): void {
    const { logger, bus } = this.#options
    this.#driftWords.delete(model)
    // What could not be read lies before it, and has left nothing in the log.
    if (passedLsn !== null) bus.passed(passedLsn)
    logger.info(`The changes of ${model} can be read again.`, { model })
    bus.cut(model)
  }
}

/** What a tap cannot get past; its own log and health have the whole of it. */
function blockedOf(states: readonly ModelTableState[]): ReadonlyMap<string, RowcastError> {
  const names = states.flatMap(({ model, isBlocked }) => (isBlocked === true ? [model] : []))
  return new Map(
    names.map((model) => [
      model,
      new RowcastError('SOURCE_ROW_UNREADABLE', `The tap cannot get past a change of model ${model}.`, {
        details: { model },
      }),
    ]),
  )
}

function createNotTappedError(model: string): RowcastError {
  return new RowcastError('BROKER_MODEL_NOT_TAPPED', `The tap does not have model ${model} yet.`, {
    details: { model },
  })
}
