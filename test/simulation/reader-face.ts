/** What a process of rowcast offers to whoever subscribes: the library's own face, over a bus and a Prisma Client of the model. */
import type { Scaling } from '../../src/broker/broker-options.ts'
import type { InProcessBus } from '../../src/bus/bus.ts'
import { BusObservers } from '../../src/bus/bus-observer.ts'
import { createMessageHub } from '../../src/bus/message-hub.ts'
import type { StreamPresence } from '../../src/bus/replication-presence.ts'
import type { ModelCatalog, ModelTypeMap } from '../../src/catalog/model-catalog.ts'
import type { RowcastError } from '../../src/errors.ts'
import type { Guard } from '../../src/guard.ts'
import { RegisteredModels } from '../../src/registered-models.ts'
import { askEarlier } from '../../src/rowcast-parts.ts'
import { withRelatedRows } from '../../src/rowcast-related.ts'
import { followSessions } from '../../src/rowcast-sessions.ts'
import { type ChangeFace, createChangeFace } from '../../src/rowcast-subscriptions.ts'
import { HeldPages } from '../../src/sets/held-pages.ts'
import type { SessionRows } from '../../src/sets/session-rows.ts'
import type { SetsBus } from '../../src/sets/sets-bus.ts'
import { readSnapshot } from '../../src/source/db/snapshot.ts'
import { VisibilityGate } from '../../src/source/db/visibility.ts'
import type { DriverTarget } from '../../src/wire/driver-target.ts'
import type { ModelClient } from './model-client.ts'
import { sessionOf } from './session-client.ts'

/** It. */
export type ReaderFace = ChangeFace<ModelTypeMap, unknown> & {
  readonly bus: SetsBus
  readonly prisma: ModelClient
  /** Whose sessions are rows. */
  readonly sessions: SessionRows
}

/** What it is made of. */
export interface ReaderFaceParts {
  readonly ownBus: InProcessBus
  readonly guard: Guard
  readonly catalog: ModelCatalog
  readonly presence: StreamPresence
  readonly scaling: Scaling
  readonly target: DriverTarget
  readonly prisma: ModelClient
  readonly answerTimeoutMs: number
  readonly reader: {
    hasOldImages(model: string): boolean
    faults(): ReadonlyMap<string, RowcastError>
    whenReady(): Promise<void>
    isFollowing(): boolean
  }
}

const HELD_BYTES = 10_000_000
const MESSAGES_MAX = 100

/** As `createParts` has it, without what a world has no use for. */
export function createReaderFace(parts: ReaderFaceParts): ReaderFace {
  const { ownBus, guard, catalog, presence, scaling, target, prisma, answerTimeoutMs, reader } = parts
  const held = new HeldPages(HELD_BYTES)
  const visibility = new VisibilityGate({
    readSnapshot: () => readSnapshot(prisma, target),
    prepare: () => askEarlier(ownBus, target),
  })
  const softDeleteOf = () => undefined
  const bus = withRelatedRows(ownBus, {
    ...{ prisma, visibility, guard, held, softDeleteOf, answerTimeoutMs, schema: 'public' },
    observers: new BusObservers(guard),
    isShared: scaling.broker !== null,
  })
  const models = new RegisteredModels(catalog)
  for (const spec of Object.values(catalog.models)) models.add(spec, {})
  const face = createChangeFace<ModelTypeMap, unknown>(
    {
      ...{ catalog, models, bus, held, presence, visibility, hub: createMessageHub(MESSAGES_MAX, guard) },
      ...{
        options: { prisma, answerTimeoutMs },
        scaling,
        guard,
        names: { schema: 'public', publication: 'rowcast' },
      },
    },
    {
      get faults() {
        return reader.faults()
      },
      hasOldImages: (model) => reader.hasOldImages(model),
      reader: { whenReady: () => reader.whenReady() },
    },
  )
  const sessions = followSessions(
    { catalog, models, bus, guard, visibility, target, options: { prisma } },
    (model) => !reader.isFollowing() || reader.faults().has(model),
    { model: models.specOf('Blue'), of: sessionOf },
  )
  return { ...face, bus, prisma, sessions }
}
