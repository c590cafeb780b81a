/**
 * Stage 5, source. What happens while a stream lasts: messages become transactions, positions move, and the watch
 * looks at the slot. One per source; positions and open transactions outlive a connection.
 */
import type { Buffer } from 'node:buffer'
import { moneyScaleMessage } from '../../catalog/money-scale.ts'
import {
  type AssemblerOutput,
  createTransactionAssembler,
  type TransactionAssembler,
} from '../../changes/assembler.ts'
import type { RowcastError } from '../../errors.ts'
import { decodeMessage } from '../../pgoutput/decode.ts'
import { LSN_ZERO } from '../../wire/lsn.ts'
import type { ReplicationConnection, StreamHandler } from '../../wire/replication-connection.ts'
import type { ServerMessage } from '../../wire/server-message.ts'
import type { SlotReading } from '../db/heartbeat.ts'
import { describeLastChanges } from '../published/last-changes.ts'
import { dropSkipMarks } from '../setup/skip-marks.ts'
import { BudgetGrace } from '../slot/budget-grace.ts'
import type { SourceFacts } from '../slot/slot-facts.ts'
import { judgeDrift, judgeFacts, overBudget } from '../slot/slot-verdict.ts'
import { createSlotWatch } from '../slot/slot-watch.ts'
import { StallWatch } from '../slot/stall-watch.ts'
import { DriftWatch } from '../watch/drift-watch.ts'
import { IdentityKeeper } from '../watch/identity-keeper.ts'
import { PublicationGuard } from '../watch/publication-guard.ts'
import { WatchHealth } from '../watch/watch-health.ts'
import { createStreamPosition } from './ack-state.ts'
import { BlockedModels } from './blocked-models.ts'
import { createConfirm } from './confirm-news.ts'
import { FormKeeper } from './form-keeper.ts'
import { createOwnFaults } from './own-faults.ts'
import { createCut, createRelayFeed } from './relay-feed.ts'
import { pluginOptions, RAW_TEXT_SQL } from './replication-form.ts'
import type { StreamSession } from './session-api.ts'
import { whileWaiting } from './session-leftovers.ts'
import { StreamTrace } from './session-trace.ts'
import { SlotNews } from './slot-news.ts'
import type { PreparedStream } from './slot-preparation.ts'
import type { ReplicationSourceOptions } from './source-options.ts'
import type { SlotHealth } from './source-status.ts'

/** Creates it; `onProgress` is called as positions move. */
export function createStreamSession(
  options: ReplicationSourceOptions,
  onProgress: () => void,
): StreamSession {
  const { goal, logger, registry, slotBudget, relay, lastChanges } = options
  const position = createStreamPosition(options)
  const onCut = createCut(options, () => connection)
  const guard = new PublicationGuard({
    ...{ registry, logger, judge: options.judgeTable, slot: goal.slot },
    ...{ publication: goal.publication, ceiling: position.ceiling },
    lastChanges: lastChanges && ((models) => describeLastChanges(lastChanges, position, models)),
    listener: {
      ...{ onDrift, onRecovery, onProgress, onCut, lastChanges },
      ...{ onTables: (tables) => blocked.takeTables(tables), onEvidence: () => watch.look() },
    },
  })
  const blocked = new BlockedModels({
    onBlocked: options.onBlocked,
    onTables: (tables) => relay?.tellTables(tables),
    onCut: options.onCut,
  })
  let assembler = newAssembler()
  let connection: ReplicationConnection | null = null
  /** The facts the stream began with. */
  let baseline: SourceFacts | null = null
  let slotHealth: SlotHealth | null = null
  const stall = new StallWatch({ goal, logger, stalledAfterMs: options.stalledAfterMs })
  const watchHealth = new WatchHealth()
  const grace = new BudgetGrace()
  const forms = new FormKeeper(options)
  let trace = new StreamTrace()
  let receivedBytes = 0
  const faults = createOwnFaults(logger, () => position.tear())
  const identities = new IdentityKeeper({ ...options, guard: faults.guard })
  const slotNews = new SlotNews({ slot: goal.slot, budget: slotBudget, logger })
  const drifts = new DriftWatch({ registry, take: (bytes) => take(bytes, 0, bytes.length) })

  function newAssembler(): TransactionAssembler {
    const output: AssemblerOutput = {
      publish(part) {
        position.delivers(part.transaction.commitLsn)
        faults.handOn(() => options.publish(part))
      },
      onDrift,
      onRecovery,
      onPartialRows: () => watch.look(),
      onTable: (model, oid) => guard.seeTable(model, oid),
      onPartialTruncate: (model) => guard.doubt(model),
      onMessage(message) {
        if (!guard.takeMessage(message) && options.onMessage(message)) position.deliversMessage(message)
      },
      onBegin: () => position.transactionBegins(),
      onCommit(endLsn) {
        position.transactionEnds(endLsn)
        guard.noteProgress(position.isCatchingUp)
        blocked.reaches(position.reachedLsn)
        if (isWaitedFor) onProgress()
      },
    }
    return createTransactionAssembler(registry, output, { softDelete: options.softDelete })
  }

  function onDrift(model: string, drift: RowcastError): void {
    const level = drift.code === 'SOURCE_TABLE_NOT_REPLICABLE' ? 'warn' : 'error'
    logger[level](drift.message, { code: drift.code, model })
    options.onDrift(model, drift)
  }

  function onRecovery(model: string): void {
    logger.info(`The changes of ${model} can be read again.`, { model })
    // What could not be read lies before it.
    options.onPassed(position.safeLsn)
    options.onRecovery(model)
  }

  /** Nobody waits for progress once the process has caught up. */
  let isWaitedFor = true

  const watch = createSlotWatch({
    ...{ ...options, guard: faults.guard },
    intervalMs: options.watchIntervalMs,
    onFacts,
    onFailedLook,
    async settle(query, { modelTables, mayEmit, skips, slot }) {
      const passed = slot?.confirmedLsn ?? LSN_ZERO
      const marks = skips.filter((skip) => skip <= passed)
      await dropSkipMarks(query, goal.slot, marks)
      if (drifts.isDue) await drifts.look(query, modelTables)
      return guard.settle(query, mayEmit)
    },
    beat: (query) => guard.beat(query),
  })

  function onFailedLook(error: RowcastError): void {
    const news = watchHealth.failed(error)
    if (news === null) logger.debug(`A look at the slot failed. ${error.message}`, { code: error.code })
    else logger.warn(news.message, { code: news.code, reason: error.code })
    onProgress()
  }

  /** What the watch saw, while the stream lasts; ends the stream when it is no longer worth anything. */
  function onFacts(facts: SourceFacts): SlotReading | null {
    const { slot, serverLsn } = facts
    if (watchHealth.succeeded()) logger.info('Slot, publication and tables can be looked at again.')
    // A new connection may reach another server than the stream's: behind a proxy, or after a failover.
    if (connection === null || slot === null || slot.activePid !== connection.serverPid) return null
    position.noteServerLsn(serverLsn)
    stall.observe({ safeLsn: position.reachedLsn, serverLsn, receivedBytes, nowMs: performance.now() })
    onProgress()
    drifts.reaches(position.reachedLsn)
    slotHealth = slotNews.note(facts)
    identities.look(facts.identityFaults)
    const drift = baseline === null ? null : judgeDrift(baseline, facts, goal)
    const verdict = judgeFacts(facts, goal) ?? drift ?? forms.judge(facts.modelTables)
    // Without a publication no model is worse off than another.
    const end = verdict ?? guard.look(facts.modelTables, serverLsn, position.safeLsn)
    if (end !== null) connection.abort(end)
    else if (slotBudget !== null && grace.isOver(slot, slotBudget, facts.maySnapshot, performance.now()))
      connection.abort(overBudget(slot, slotBudget, goal))
    position.confirm()
    return {
      serverLsn,
      safeLsn: position.safeLsn,
      releasedLsn: position.releasedLsn,
      retainedBytes: slot.retainedBytes ?? 0,
      restartBytes: slot.restartBytes ?? 0,
      maySnapshot: facts.maySnapshot,
    }
  }

  function take(bytes: Buffer, start: number, end: number): void {
    if (relay === undefined) assembler.take(decodeMessage(bytes, start, end), end - start)
    else relay.take(bytes, start, end)
  }

  const handler: Omit<StreamHandler, 'onStarted'> = {
    onWalData(bytes: Buffer, start: number, end: number) {
      receivedBytes += end - start
      if (trace.take(bytes, start, end)) watch.look()
      take(bytes, start, end)
      trace.taken(bytes, start)
    },
    onKeepalive(walEnd) {
      if (relay === undefined) {
        position.keepalive(walEnd)
        options.onPassed(position.safeLsn)
      } else relay.keepalive(walEnd)
      position.noteServerLsn(walEnd)
      drifts.reaches(position.reachedLsn)
      guard.noteProgress(position.isCatchingUp)
      if (isWaitedFor) onProgress()
      isWaitedFor = position.isCatchingUp
    },
    onNotice(notice: ServerMessage) {
      logger.warn(`PostgreSQL says: ${notice.message}`, { sqlstate: notice.code })
      // From version 18 on this is all that a stream hears of a publication that is gone.
      watch.look()
    },
    confirmedLsn: createConfirm({ position, logger, look: () => watch.look() }),
    writtenLsn: () => position.safeLsn,
  }

  function begin({ continuity, facts, identity, slotConfirmedLsn }: PreparedStream): void {
    // What was delivered in part is recognised by its position, which after a gap means something else.
    if (continuity.kind !== 'continuous') assembler = newAssembler()
    assembler.reset({ systemId: identity.systemId, timeline: identity.timeline }, continuity.sharedLsn)
    registry.clear()
    position.begin(identity, continuity, slotConfirmedLsn)
    isWaitedFor = position.isCatchingUp
    drifts.reset()
    baseline = facts
    slotHealth = slotNews.note(facts)
    stall.reset()
    identities.begin(facts.serverVersion)
    // What it began with was looked at on its own connection.
    watchHealth.succeeded()
    watch.start()
  }

  return {
    position,
    watchHealth,
    identities,
    look: () => watch.look(),
    publication: guard,
    relayFeed: createRelayFeed({
      relay,
      position,
      guard,
      blocked,
      connectionNow: () => connection,
      onProgress,
    }),
    get slotHealth() {
      return slotHealth
    },
    get stalledMs() {
      return stall.stalledMs
    },
    get hasDelivered() {
      return trace.hasDelivered
    },
    async stream(current, found, onStarted) {
      const beyond = blocked.passOver(found, trace.wholeLsn)
      const prepared = beyond ?? found
      connection = current
      trace = trace.next(prepared.identity)
      const form = forms.begin(prepared.facts.modelTables)
      if (form.isRaw) await current.query(RAW_TEXT_SQL)
      await current.startStream(
        {
          slot: goal.slot,
          startLsn: prepared.continuity.floorLsn,
          options: pluginOptions(goal.publication, form),
        },
        {
          ...handler,
          onStarted() {
            begin(prepared)
            // Before the guard: a gap of the stream says more than one of a model.
            const isFresh = onStarted(prepared)
            guard.begin({ ...prepared, found: prepared.facts.modelTables, isFresh })
            if (beyond !== null) blocked.giveUp()
            const money = moneyScaleMessage(prepared.facts.moneyScale)
            if (money !== null) take(money, 0, money.length)
          },
        },
      )
    },
    nameFault: faults.name,
    adapt: (error) => forms.adapt(error, trace.table),
    explain(error) {
      const named = trace.explain(error)
      if (named === null) return error
      blocked.find(
        named,
        trace.relationOids.flatMap((oid) => registry.entryOf(oid)?.model?.name ?? []),
      )
      return named
    },
    async ended(current, signal) {
      const reason = await current.closed
      await whileWaiting(position, signal)
      return reason
    },
    end() {
      watch.stop()
      identities.stop()
      stall.reset()
      relay?.end()
      connection = null
    },
  }
}
