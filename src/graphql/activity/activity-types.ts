/** Stage 7, graphql. The object types of `rowcastStatus` and `rowcastActivity`. */
import type { ChangeAction } from '../../changes/change.ts'
import type { SlotHealth } from '../../source/session/source-status.ts'
import type { ServiceBuilder, ServiceModel } from '../service-types.ts'
import { WRITTEN_ACTION } from '../subscription/shared-types.ts'
import type { ActivityLog, ActivityNews, ActivitySample, LoggedChange } from './activity-log.ts'
import type { ChangeDiff, FieldDiff, ShownValue } from './change-diff.ts'

/** A change with what of it may be shown. */
export interface ShownChange extends LoggedChange {
  readonly diff: ChangeDiff
}

/** News with the changes that the viewer may see. */
export interface ShownNews extends ActivityNews {
  readonly shown: readonly ShownChange[]
}

/** Defines the types on a builder. */
export function defineActivityTypes(
  builder: ServiceBuilder,
  log: ActivityLog,
  models: readonly ServiceModel[],
) {
  const status = defineStatus(builder, log, models)
  const sample = defineSample(builder)
  const change = defineChange(builder)
  const activity = builder.objectRef<ShownNews>('RowcastActivity').implement({
    description: 'What came since the message before; in the first one, what is kept.',
    fields: (t) => ({
      status: t.field({
        type: status,
        nullable: false,
        description: 'How the stream of changes is doing now.',
        resolve: () => log,
      }),
      changes: t.field({
        type: [change],
        nullable: { list: false, items: false },
        description: 'Changes that the viewer may see, oldest first.',
        resolve: ({ shown }) => [...shown],
      }),
      skipped: t.exposeInt('skipped', {
        nullable: false,
        description: 'Changes that came as well: too many to be kept until this message.',
      }),
      samples: t.field({
        type: [sample],
        nullable: { list: false, items: false },
        description: 'Seconds, oldest first; at most five minutes of them.',
        resolve: ({ samples }) => [...samples],
      }),
    }),
  })
  return { status, activity }
}

function defineStatus(builder: ServiceBuilder, log: ActivityLog, models: readonly ServiceModel[]) {
  const slot = defineSlot(builder)
  const model = defineModel(builder, log)
  const { status } = log.source
  return builder.objectRef<ActivityLog>('RowcastStatus').implement({
    description: 'The replication stream at this moment.',
    fields: (t) => ({
      state: t.string({
        nullable: false,
        description: '`idle`, `connecting`, `standby`, `streaming`, `waiting` or `stopped`.',
        resolve: () => status().state,
      }),
      isReady: t.boolean({
        nullable: false,
        description: 'Whether changes flow and none from before is still to come.',
        resolve: () => status().isReady,
      }),
      startedAt: t.field({
        type: 'DateTime',
        nullable: false,
        description: 'Since when changes are counted.',
        resolve: () => log.startedAt,
      }),
      publication: t.string({ nullable: false, resolve: () => status().publication }),
      slot: t.string({ nullable: false, resolve: () => status().slot }),
      slotHealth: t.field({
        type: slot,
        nullable: true,
        description: 'The slot at the last look; null before the first.',
        resolve: () => status().slotHealth,
      }),
      serverLsn: t.string({
        nullable: true,
        description: 'The latest known WAL position of PostgreSQL.',
        resolve: () => status().positions.serverLsn,
      }),
      confirmedLsn: t.string({
        nullable: true,
        description: 'What PostgreSQL has been allowed to forget.',
        resolve: () => status().positions.confirmedLsn,
      }),
      lagBytes: t.float({
        nullable: false,
        description: 'WAL written and not read yet.',
        resolve: () => status().positions.lagBytes,
      }),
      errorCode: t.string({
        nullable: true,
        description: 'What keeps changes from flowing.',
        resolve: () => status().lastError?.code,
      }),
      errorHint: t.string({
        nullable: true,
        description: 'What to do about it.',
        resolve: () => status().lastError?.hint,
      }),
      models: t.field({
        type: [model],
        nullable: { list: false, items: false },
        description: 'The live models.',
        resolve: () => [...models],
      }),
    }),
  })
}

function defineSlot(builder: ServiceBuilder) {
  return builder.objectRef<SlotHealth>('RowcastSlotHealth').implement({
    description: 'The replication slot, as PostgreSQL sees it.',
    fields: (t) => ({
      walStatus: t.exposeString('walStatus', {
        nullable: true,
        description: '`reserved`, `extended`, `unreserved` or `lost`.',
      }),
      retainedBytes: t.exposeFloat('retainedBytes', {
        nullable: true,
        description: 'WAL that PostgreSQL keeps because of the slot.',
      }),
      safeWalBytes: t.exposeFloat('safeWalBytes', {
        nullable: true,
        description: 'WAL that may still be written before the slot is in danger; null: no limit is set.',
      }),
      budgetBytes: t.exposeFloat('budgetBytes', { nullable: true, description: '`slotBudget`, if set.' }),
      activePid: t.exposeInt('activePid', { nullable: true, description: 'Process id of its reader.' }),
    }),
  })
}

function defineModel(builder: ServiceBuilder, log: ActivityLog) {
  const count = (name: string, action: ChangeAction) => log.of(name).counts[action]
  return builder.objectRef<ServiceModel>('RowcastModelActivity').implement({
    description: 'One live model.',
    fields: (t) => ({
      name: t.string({ nullable: false, resolve: ({ spec }) => spec.name }),
      inserts: t.int({ nullable: false, resolve: ({ spec }) => count(spec.name, 'INSERT') }),
      updates: t.int({ nullable: false, resolve: ({ spec }) => count(spec.name, 'UPDATE') }),
      deletes: t.int({ nullable: false, resolve: ({ spec }) => count(spec.name, 'DELETE') }),
      truncates: t.int({ nullable: false, resolve: ({ spec }) => count(spec.name, 'TRUNCATE') }),
      perSecond: t.float({
        nullable: false,
        description: 'Changes a second, over the last ten.',
        resolve: ({ spec }) => log.of(spec.name).perSecond,
      }),
      subscriptions: t.int({
        nullable: false,
        description: 'Open subscriptions.',
        resolve: ({ spec }) => log.of(spec.name).subscriptions,
      }),
      lastChangeAt: t.field({
        type: 'DateTime',
        nullable: true,
        description: 'When its last change was committed; null before the first since the start.',
        resolve: ({ spec }) => log.of(spec.name).lastChangeAt,
      }),
      errorCode: t.string({
        nullable: true,
        description: 'Why its changes cannot be delivered at present.',
        resolve: ({ spec }) =>
          log.source.status().drifted.find(({ model }) => model === spec.name)?.error.code,
      }),
    }),
  })
}

function defineSample(builder: ServiceBuilder) {
  return builder.objectRef<ActivitySample>('RowcastSample').implement({
    description: 'One second.',
    fields: (t) => ({
      at: t.field({ type: 'DateTime', nullable: false, resolve: ({ at }) => at }),
      lagBytes: t.exposeFloat('lagBytes', { nullable: false, description: 'WAL written and not read yet.' }),
      delayMs: t.exposeFloat('delayMs', {
        nullable: true,
        description: 'The longest way of a change from its commit to here; null where none came.',
      }),
      changes: t.exposeInt('changes', { nullable: false, description: 'Changes of all models.' }),
    }),
  })
}

function defineChange(builder: ServiceBuilder) {
  const action = builder.enumType(WRITTEN_ACTION.name, WRITTEN_ACTION)
  const value = builder.objectRef<ShownValue>('RowcastValue').implement({
    description: 'A value as text, for people.',
    fields: (t) => ({
      name: t.exposeString('name', { nullable: false }),
      value: t.exposeString('value', { nullable: true, description: 'Null for NULL.' }),
    }),
  })
  const field = builder.objectRef<FieldDiff>('RowcastFieldDiff').implement({
    description: 'One field of a change, as text, for people.',
    fields: (t) => ({
      name: t.exposeString('name', { nullable: false }),
      old: t.exposeString('old', { nullable: true, description: 'Null for NULL, or without a row before.' }),
      new: t.exposeString('new', { nullable: true, description: 'Null for NULL, or without a row after.' }),
    }),
  })
  return builder.objectRef<ShownChange>('RowcastChange').implement({
    description: 'A change of any model, for people.',
    fields: (t) => ({
      sequence: t.exposeInt('sequence', { nullable: false, description: 'Its number since the start.' }),
      model: t.string({ nullable: false, resolve: ({ diff }) => diff.model }),
      action: t.field({
        type: action,
        nullable: false,
        resolve: ({ diff }) => diff.action,
      }),
      key: t.field({
        type: [value],
        nullable: { list: false, items: false },
        description: 'The primary key.',
        resolve: ({ diff }) => [...diff.key],
      }),
      hasOld: t.boolean({
        nullable: false,
        description: 'Whether the row before is known.',
        resolve: ({ diff }) => diff.hasOld,
      }),
      hasNew: t.boolean({ nullable: false, resolve: ({ diff }) => diff.hasNew }),
      fields: t.field({
        type: [field],
        nullable: { list: false, items: false },
        description: 'What differs; all that is known where the row is new or gone.',
        resolve: ({ diff }) => [...diff.fields],
      }),
      committedAt: t.field({
        type: 'DateTime',
        nullable: false,
        resolve: ({ change }) => change.transaction.committedAt,
      }),
      transactionId: t.string({
        nullable: false,
        description: 'PostgreSQL’s transaction id.',
        resolve: ({ change }) => String(change.transaction.xid),
      }),
    }),
  })
}
