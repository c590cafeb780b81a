/**
 * Stage 5, source. What the stream brings: each message goes to the open transaction, or to the relay, and the position
 * follows. One per source: what was delivered in part outlives a connection.
 */
import type { Buffer } from 'node:buffer'
import { createTransactionAssembler, type TransactionAssembler } from '../../changes/assembler.ts'
import type { AssemblyEvent, AssemblyEvents } from '../../changes/assembly-event.ts'
import type { TransactionPart } from '../../changes/change.ts'
import type { Logger } from '../../logger.ts'
import { decodeMessage } from '../../pgoutput/decode.ts'
import type { Lsn } from '../../wire/lsn.ts'
import type { StreamHandler } from '../../wire/replication-connection.ts'
import type { DriftWatch } from '../watch/drift-watch.ts'
import type { PublicationGuard } from '../watch/publication-guard.ts'
import type { StreamPosition } from './ack-state.ts'
import type { BlockedModels } from './blocked-models.ts'
import type { ModelNews } from './model-news.ts'
import type { OwnFaults } from './own-faults.ts'
import type { ReaderWait } from './reader-wait.ts'
import { StreamTrace } from './session-trace.ts'
import type { PreparedStream } from './slot-preparation.ts'
import type { ReplicationSourceOptions } from './source-options.ts'

/** What hears of the messages beside the application. */
export interface StreamIntakeParts {
  readonly position: StreamPosition
  readonly guard: PublicationGuard
  readonly blocked: BlockedModels
  readonly drifts: DriftWatch
  readonly faults: OwnFaults
  readonly news: ModelNews
  readonly readerWait: ReaderWait
  /** Looks at slot and catalog now. */
  readonly look: () => void
  readonly onProgress: () => void
}

/** One per source. */
export class StreamIntake {
  readonly #options: ReplicationSourceOptions
  readonly #parts: StreamIntakeParts
  #assembler: TransactionAssembler
  #trace = new StreamTrace()
  #receivedBytes = 0
  /** Nobody waits for progress once the process has caught up. */
  #isWaitedFor = true
  readonly #confirmedLsn: () => Lsn
  /** Guarded: the part has left, and would leave once more with the next stream. */
  readonly #afterPart: (part: TransactionPart) => void

  constructor(options: ReplicationSourceOptions, parts: StreamIntakeParts) {
    this.#options = options
    this.#parts = parts
    this.#confirmedLsn = createConfirm({ ...parts, logger: options.logger })
    const { faults, readerWait } = parts
    this.#afterPart = faults.guard.wrap('wait for those who read', (part: TransactionPart) =>
      readerWait.afterPart(part),
    )
    this.#assembler = this.#newAssembler()
  }

  /** Where the stream is, or was when it broke. */
  get trace(): StreamTrace {
    return this.#trace
  }

  /** Of all streams, in bytes. */
  get receivedBytes(): number {
    return this.#receivedBytes
  }

  /** A stream is asked for; its trace follows on the one before. */
  expect({ identity }: PreparedStream): void {
    this.#trace = this.#trace.next(identity)
  }

  /** The stream begins, and the positions with it. */
  begin({ continuity, identity, slotConfirmedLsn }: PreparedStream): void {
    const { position, drifts } = this.#parts
    const { registry, relay } = this.#options
    // What was delivered in part is recognised by its position, which after a gap means something else.
    if (continuity.kind !== 'continuous') this.#assembler = this.#newAssembler()
    const { systemId, timeline } = identity
    this.#assembler.reset({ systemId, timeline }, continuity.sharedLsn)
    registry.clear()
    // What a broker has is safe there once it says so: its replicas may lack what it got before this stream.
    const safeLsn = relay === undefined ? continuity.floorLsn : slotConfirmedLsn
    position.begin(identity, continuity, slotConfirmedLsn, safeLsn)
    this.#isWaitedFor = position.isCatchingUp
    drifts.reset()
  }

  /** All subscriptions begin with this stream, and so does the log: also with a transaction of which parts had left. */
  beginsAfresh(): void {
    this.#assembler.forgetParts()
  }

  /** Takes one message of pgoutput, `bytes[start, end)`, as if the stream had brought it. */
  accept(bytes: Buffer, start: number, end: number): void {
    const { relay } = this.#options
    if (relay !== undefined) relay.accept(bytes, start, end)
    else this.#handOn(this.#assembler.accept(decodeMessage(bytes, start, end), end - start))
  }

  /** What has come of an open transaction leaves now. */
  flush(): void {
    this.#handOn(this.#assembler.flush())
  }

  /** What the connection calls while the stream lasts. */
  createHandler(onStarted: () => void): StreamHandler {
    const { position, look } = this.#parts
    const { logger } = this.#options
    return {
      onStarted,
      onWalData: (bytes, start, end) => this.#takeWalData(bytes, start, end),
      onKeepalive: (walEnd) => this.#takeKeepalive(walEnd),
      onNotice(notice) {
        logger.warn(`PostgreSQL says: ${notice.message}`, { sqlstate: notice.code })
        // From version 18 on this is all that a stream hears of a publication that is gone.
        look()
      },
      confirmedLsn: this.#confirmedLsn,
      writtenLsn: () => position.safeLsn,
    }
  }

  #takeWalData(bytes: Buffer, start: number, end: number): void {
    const trace = this.#trace
    this.#receivedBytes += end - start
    if (trace.accept(bytes, start, end)) this.#parts.look()
    this.accept(bytes, start, end)
    trace.taken(bytes, start)
  }

  #takeKeepalive(walEnd: Lsn): void {
    const { position, drifts, guard, onProgress } = this.#parts
    const options = this.#options
    if (options.relay === undefined) {
      position.keepalive(walEnd)
      options.onPassed(position.safeLsn)
    } else options.relay.keepalive(walEnd)
    position.noteServerLsn(walEnd)
    drifts.reaches(position.reachedLsn)
    guard.noteProgress(position.isCatchingUp)
    if (this.#isWaitedFor) onProgress()
    this.#isWaitedFor = position.isCatchingUp
  }

  #newAssembler(): TransactionAssembler {
    const { registry, softDelete, readMetadata } = this.#options
    return createTransactionAssembler(registry, { softDelete, readMetadata })
  }

  #handOn(events: AssemblyEvents): void {
    for (const event of events) {
      this.#handle(event)
      this.#assembler.handedOn(event)
    }
  }

  #handle(event: AssemblyEvent): void {
    const { registry, onMessage } = this.#options
    const { position, guard, news, look } = this.#parts
    switch (event.kind) {
      case 'begin':
        position.transactionBegins(event)
        break
      case 'part':
        this.#publish(event.part)
        break
      case 'emitted':
        if (!guard.takeMessage(event.message) && onMessage(event.message))
          position.deliversMessage(event.message)
        break
      case 'commit':
        this.#end(event.endLsn)
        break
      case 'drift':
        news.onDrift(event.model, event.drift)
        break
      case 'recovery':
        // The guard may hold the model since, for its table is another.
        if (!registry.faults.has(event.model)) news.onRecovery(event.model)
        break
      case 'partialRows':
        look()
        break
      case 'table':
        guard.seeTable(event.model, event.oid)
        break
      case 'doubt':
        guard.doubt(event.model)
    }
  }

  #publish(part: TransactionPart): void {
    const { position, faults } = this.#parts
    position.delivers(part.transaction.commitLsn)
    faults.handOn(() => this.#options.publish(part))
    this.#afterPart(part)
  }

  #end(endLsn: Lsn): void {
    const { position, guard, blocked, onProgress } = this.#parts
    position.transactionEnds(endLsn)
    guard.noteProgress(position.isCatchingUp)
    blocked.reaches(position.reachedLsn)
    if (this.#isWaitedFor) onProgress()
  }
}

/** What it works on. */
interface ConfirmNewsOptions {
  readonly position: StreamPosition
  readonly logger: Logger
  /** Looks at the catalog now. */
  look(): void
}

/** Creates the function that says what may be confirmed; it is called about once a second. */
function createConfirm({ position, logger, look }: ConfirmNewsOptions): () => Lsn {
  let wasGivenUp = false
  return () => {
    const confirmed = position.confirm()
    const { isGivenUp } = position.ceiling
    if (position.ceiling.takeUrgency()) look()
    if (isGivenUp && !wasGivenUp) {
      logger.warn(
        'The slot no longer waits for a look at the catalog: the process that starts next may end all cursors.',
      )
    }
    wasGivenUp = isGivenUp
    return confirmed
  }
}
