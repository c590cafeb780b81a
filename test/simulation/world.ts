/** A world: one database, processes of rowcast one after another or beside each other, clients, and what befalls them. */

import type { Role } from '../../src/broker/broker-options.ts'
import type { ModelCatalog, RelationSpec } from '../../src/catalog/model-catalog.ts'
import type { Logger } from '../../src/logger.ts'
import type { Random } from '../chaos/random.ts'
import { buildField, buildModel } from '../support/catalog-builder.ts'
import { MemoryEngine, REAL_WORLD } from '../support/memory-broker/memory-engine.ts'
import { anyAskedChanges } from './asked-changes.ts'
import { Client, Violation } from './client.ts'
import { ConflatingClient } from './conflating-client.ts'
import { type Alteration, Database, type OpenTransaction, type Slot } from './database.ts'
import { befall, pickFault } from './faults.ts'
import type { FoldingParts } from './folding-client.ts'
import { IncludingViewer } from './including-viewer.ts'
import { ListViewer } from './list-viewer.ts'
import { createModelClient, type ModelClient } from './model-client.ts'
import { Reader, type ReaderSettings } from './reader.ts'
import { RightsViewer } from './rights-viewer.ts'
import { type Purpose, randomOf, type Script, type ScriptedFault } from './script.ts'
import type { Server } from './server.ts'
import { SessionClient } from './session-client.ts'
import { Site } from './site.ts'
import { TotalsViewer } from './totals-viewer.ts'
import { TransactionsViewer } from './transactions-viewer.ts'
import { Viewer } from './viewer.ts'
import { anyList, anyView, type ListOfRows, type View } from './views.ts'
import { inOwnTurn, VirtualTime } from './virtual-time.ts'

/** What a world came to. */
export interface Outcome {
  /** What it did, chance included: it does the same again. */
  readonly script: Script
  readonly violation: string | null
  readonly timeline: readonly string[]
  readonly changes: number
  readonly delivered: number
  /** Events that viewers folded into what they have. */
  readonly folded: number
  readonly resyncs: number
  readonly faults: number
  readonly steps: number
}

const MODELS = ['Red', 'Blue']
const START_MS = Date.UTC(2026, 0, 1)
const SLOT = 'rowcast_app'
const ALTERATIONS: readonly Alteration[] = ['add', 'rename', 'drop', 'retype']
const NUMBERED_LSN_MAX = 2n ** 52n
/** How long everything may take to go on once nothing befalls it any more. */
const HEALING_MS = 180_000
const NEVER_MS = 1e9
/** How long a viewer stays with one of several gateways. */
const GATEWAY_MS = 4_000

/** A Red has a Blue where its `n` is the key of one. */
const RELATION = { relationName: 'BlueToRed', isRequired: true, isOmitted: false, documentation: null }
const RELATIONS: Readonly<Record<string, readonly RelationSpec[]>> = {
  Red: [{ ...RELATION, name: 'blue', model: 'Blue', isList: false, fields: ['n'], references: ['id'] }],
  Blue: [{ ...RELATION, name: 'reds', model: 'Red', isList: true, fields: [], references: [] }],
}

const CATALOG: ModelCatalog = {
  formatVersion: 1,
  models: Object.fromEntries(
    MODELS.map((name) => [
      name,
      buildModel(
        [
          buildField('id', 'Int'),
          buildField('n', 'Int'),
          buildField('name', 'String', { isRequired: false }),
        ],
        { name, table: name.toLowerCase(), relations: RELATIONS[name] ?? [] },
      ),
    ]),
  ),
  enums: {},
  joinTables: [],
}

const ROLES_ALONE: readonly Role[] = ['all']
const ROLES_SCALED: readonly (readonly Role[])[] = [
  ['tap', 'gateway'],
  ['tap', 'gateway', 'gateway'],
  ['all'],
  ['tap', 'tap', 'gateway'],
]

/** Among the clients, those that ask for some of the changes. */
const ASKING = [7, 8]
/** Among the clients, the one that asks for all there is. */
const WORKER = 5
/** The one that has totals, or rights that code answers for, and the one whose session is a row. */
const OTHER_VIEWER = 4
const SESSION_VIEWER = 5
/** The one that lets what a later change replaces be left out. */
const CONFLATING = 6

type AnyViewer = Viewer | ListViewer | TransactionsViewer | TotalsViewer | SessionClient | ConflatingClient

/** What a viewer asks for; null for whole transactions. */
function anyAsked(random: Random): View | ListOfRows | null {
  const kind = random.pick(['view', 'view', 'list', 'transactions'])
  return kind === 'view' ? anyView(random) : kind === 'list' ? anyList(random) : null
}

function newViewer(asked: View | ListOfRows | null, parts: FoldingParts): AnyViewer {
  if (asked === null) return new TransactionsViewer(parts)
  return 'take' in asked ? new ListViewer(asked, parts) : new Viewer(asked, parts)
}

/** One of them. */
export class World {
  readonly #script: Script
  /** Of the present step. */
  #random: Random
  #step = 0
  /** Faults that have come, and steps at which something was written. */
  readonly #befallen: ScriptedFault[] = []
  readonly #written: number[] = []
  readonly #time: VirtualTime
  readonly #site: Site
  readonly #settings: Omit<ReaderSettings, 'glanceIntervalMs'>
  readonly #clients: Client[] = []
  readonly #viewers: AnyViewer[] = []
  #conflating: ConflatingClient | null = null
  /** For what is beside the clients: they are not to change by it. */
  readonly #besides: Random
  /** Milliseconds that a statement of Prisma Client takes at most. */
  readonly #statementMs: number
  readonly #hasViewers: boolean
  /** Between two looks at replica identities, each on a connection of its own: the model's never change, and each costs as much as a commit. */
  readonly #glanceIntervalMs: number
  /** Nothing befalls it any more. */
  #isCalm = false
  /** All processes; the broker joins those of a world that has one. */
  #processes: Reader[] = []
  readonly #engine: MemoryEngine | null
  readonly timeline: string[] = []
  #open: OpenTransaction[] = []
  /** Whether the standby knows the slots. */
  readonly #isSynced: boolean
  /** After how many of its steps the standby has everything. */
  readonly #replicatedShare: number
  /** How many of the open transactions end at each step. */
  #endsShare = 0.4
  /** Whether processes pause, and have clocks of their own. */
  readonly #hasMachines: boolean
  readonly #clockErrorMs: number
  /** Until then nobody writes. */
  #calmUntilMs = 0
  /** What is put right later: the moment, and how. */
  #repairs: { readonly dueMs: number; readonly repair: () => string | null }[] = []

  constructor(script: Script, time: VirtualTime) {
    const random = randomOf(script, 0, 'world')
    this.#script = script
    this.#random = random
    this.#time = time
    const database = new Database(random.fork(), MODELS)
    const most = random.pick([0, 1, 5, 40])
    const isWithBrokerByChance = random.chance(0.6)
    const isWithBroker = script.isScaled ?? isWithBrokerByChance
    const weather = { latencyMs: [0, most] as const, brokenShare: random.pick([0, 0.1, 0.5]) }
    this.#site = new Site(database, random.fork(), weather)
    database.note = (text) => this.#note(text)
    database.createSlot(SLOT)
    database.visibleAfterMs = random.pick([0, 0, 20, 500])
    this.#isSynced = random.chance(0.7)
    this.#replicatedShare = random.pick([0.02, 0.3, 1])
    this.#settings = {
      slot: SLOT,
      retainBytes: random.pick([0, 2_000, 1_000_000]),
      isBinary: random.chance(0.5),
      queueLengthMax: random.pick([1, 3, 1_000]),
      logBytesMax: random.pick([2_000, 20_000, 1_000_000]),
      brokerBytes: random.pick([5_000, 50_000, 10_000_000]),
    }
    this.#besides = randomOf(script, 0, 'viewers')
    this.#glanceIntervalMs = randomOf(script, -5, 'viewers').chance(0.2) ? 1_000 : NEVER_MS
    this.#statementMs = this.#besides.pick([0, 1, 5, 40])
    // The transactions of sets are numbered below 2^53.
    const isFollowable = database.endLsn < NUMBERED_LSN_MAX
    this.#hasViewers = isFollowable && script.viewers?.length !== 0 && this.#besides.chance(0.6)
    if (this.#hasViewers) Object.assign(database, { idMax: 4, numberMax: 5 })
    this.#hasMachines = random.chance(0.3)
    this.#clockErrorMs = random.pick([0, 2_000, 3_600_000])
    this.#engine = isWithBroker ? this.#newEngine(random.fork(), most) : null
    for (const role of this.#engine === null ? ROLES_ALONE : random.pick(ROLES_SCALED)) this.#begin(role)
    for (let index = 0; index < random.integer(1, 4); index += 1) {
      const settings = { name: `client ${index}`, model: random.pick(MODELS), pace: random.pick([0, 1, 5]) }
      const own = { random: random.fork(), log: (text: string) => this.#note(text) }
      if (script.clients?.includes(index) !== false) this.#clients.push(new Client(settings, this.#site, own))
    }
    if (script.clients?.includes(WORKER) !== false) this.#addWorker()
    for (const index of ASKING) if (script.clients?.includes(index) !== false) this.#addAsking(index)
    if (this.#hasViewers) this.#addViewers()
    const { viewers } = script
    if (viewers?.includes(CONFLATING) !== false) this.#addConflating()
  }

  /** From a source of its own: the other clients stay as they are. */
  #addWorker(): void {
    const random = randomOf(this.#script, -3, 'viewers')
    const settings = {
      name: 'worker',
      model: random.pick(MODELS),
      pace: random.pick([0, 1, 5]),
      isWorker: true,
    }
    this.#clients.push(
      new Client(settings, this.#site, { random: random.fork(), log: (text) => this.#note(text) }),
    )
  }

  /** Likewise. */
  #addAsking(index: number): void {
    const random = randomOf(this.#script, -index, 'viewers')
    const settings = {
      ...{ name: `client ${index}`, model: random.pick(MODELS), pace: random.pick([0, 1, 5]) },
      ...{ isWorker: random.chance(0.3), asked: anyAskedChanges(random) },
    }
    const parts = { random: random.fork(), log: (text: string) => this.#note(text) }
    this.#clients.push(new Client(settings, this.#site, parts))
  }

  #addViewers(): void {
    const random = this.#besides.fork()
    const { viewers } = this.#script
    for (let index = 0; index < random.integer(1, 4); index += 1) {
      const view = anyAsked(random)
      const parts = this.#partsOf(index, view, random)
      if (viewers?.includes(index) !== false) this.#viewers.push(newViewer(view, parts))
    }
    if (viewers?.includes(OTHER_VIEWER) !== false) this.#addOther()
    if (viewers?.includes(SESSION_VIEWER) !== false) this.#addSession()
  }

  /** One of another kind, from a source of its own: those before stay as they are. */
  #addOther(): void {
    const own = randomOf(this.#script, -1, 'viewers')
    const view = anyView(own)
    const parts = this.#partsOf(OTHER_VIEWER, view, own)
    const kind = own.pick(['totals', 'rights', 'including'])
    if (kind === 'totals') this.#viewers.push(new TotalsViewer(view, parts))
    else if (kind === 'including') {
      const where = view.model === 'Blue' ? view.where : {}
      this.#viewers.push(new IncludingViewer({ ...view, where }, parts))
    } else if (kind === 'rights') {
      const where = view.model === 'Red' && own.chance(0.5) ? view.where : {}
      const asked = { ...view, model: 'Red', where }
      this.#viewers.push(new RightsViewer(asked, { ...parts, title: JSON.stringify(asked) }))
    }
  }

  #addSession(): void {
    const random = randomOf(this.#script, -2, 'viewers')
    if (!random.chance(0.5)) return
    const log = (text: string): void => this.#note(text)
    this.#viewers.push(new SessionClient({ name: 'the session', site: this.#site, random, log }))
  }

  #addConflating(): void {
    const random = randomOf(this.#script, -4, 'viewers')
    if (!random.chance(0.3)) return
    const parts = { name: 'the one that conflates', model: random.pick(MODELS), site: this.#site, random }
    const client = new ConflatingClient({ ...parts, log: (text) => this.#note(text) })
    this.#viewers.push(client)
    this.#conflating = client
  }

  #partsOf(index: number, view: View | ListOfRows | null, random: Random): FoldingParts {
    return {
      ...{ name: `viewer ${index}`, title: JSON.stringify(view), paceMs: random.pick([0, 1, 30]) },
      ...{ site: this.#site, catalog: CATALOG, random: random.fork() },
      isStrict: this.#script.isStrict === true,
      log: (text) => this.#note(text),
    }
  }

  get #server(): Server {
    return this.#site.server
  }

  get #database(): Database {
    return this.#site.database
  }

  /** Where clients are sent: to one that is ready, if any. */
  get #reader(): Reader | null {
    const able = this.#processes.filter(({ role }) => role !== 'tap')
    const awake = able.filter(({ isPaused }) => !isPaused)
    const serving = awake.length > 0 ? awake : able
    // What a status says takes longer than all else here.
    if (serving.length <= 1) return serving[0] ?? null
    return serving.find(({ source }) => source.status().isReady) ?? serving.at(-1) ?? null
  }

  /** Where a viewer is sent: of several gateways that are ready to each in turn, with the cursor of the one before. */
  #readerOf(viewer: number, usual: Reader | null): Reader | null {
    const gateways = this.#processes.filter(({ role, isPaused }) => role === 'gateway' && !isPaused)
    if (gateways.length < 2) return usual
    const turn = Math.floor(this.#time.nowMs / GATEWAY_MS) + viewer
    const gateway = gateways[turn % gateways.length] as Reader
    return gateway === usual || gateway.source.status().isReady ? gateway : usual
  }

  /** Lets it run, and heal. */
  run(): void {
    const random = randomOf(this.#script, 0, 'pause')
    this.#endsShare = random.pick([0.4, 0.4, 0.03])
    const lastMs = random.pick([2_000, 20_000, 90_000])
    const faultShare = random.pick([0, 0.02, 0.1])
    const { steps, writes } = this.#script
    for (let nowMs = 0; steps === undefined ? nowMs < lastMs : this.#step < steps; this.#step += 1) {
      const pauseMs = this.#take('pause').integer(1, this.#random.pick([5, 50, 2_000]))
      this.#advance(pauseMs)
      nowMs += pauseMs
      if (writes?.includes(this.#step) !== false) {
        this.#written.push(this.#step)
        this.#take('write')
        this.#writeSomething()
      }
      this.#befall(faultShare)
      this.#repairDue(false)
    }
    this.#take('heal')
    this.#heal()
  }

  /** The step's random source for a purpose is that of everything from now on. */
  #take(purpose: Purpose): Random {
    this.#random = randomOf(this.#script, this.#step, purpose)
    for (const { database } of this.#site.servers) database.random = this.#random
    return this.#random
  }

  /** What was done so far, as a script. */
  get #done(): Script {
    const { seed, clients, viewers, isStrict } = this.#script
    const all = Array.from({ length: Math.max(CONFLATING, WORKER, ...ASKING) + 1 }, (_, index) => index)
    return {
      ...(isStrict === true && { isStrict }),
      ...{ seed, isScaled: this.#engine !== null, steps: this.#step, faults: this.#befallen },
      ...{ writes: this.#written, clients: clients ?? all, viewers: viewers ?? all },
    }
  }

  outcome(violation: string | null): Outcome {
    const sum = (of: (client: Client) => number) => this.#clients.reduce((total, each) => total + of(each), 0)
    return {
      ...{ script: this.#done, violation, timeline: this.timeline, changes: this.#database.ledger.length },
      ...{ delivered: sum(({ received }) => received), resyncs: sum(({ resyncs }) => resyncs) },
      ...{ faults: this.#befallen.length, steps: this.#time.steps },
      folded: this.#viewers.reduce((total, { received }) => total + received, 0),
    }
  }

  #advance(ms: number): void {
    const endMs = this.#time.nowMs + ms
    let reader = this.#reader
    for (let looked = -1; this.#time.nowMs < endMs; ) {
      this.#time.run(Math.min(20, endMs - this.#time.nowMs))
      const hasRun = this.#time.steps !== looked
      looked = this.#time.steps
      // Where nothing has run, all is as it was.
      if (hasRun) reader = this.#reader
      for (const client of this.#clients) client.step(reader)
      for (const [index, viewer] of this.#viewers.entries()) viewer.step(this.#readerOf(index, reader))
      if (hasRun) this.#checkAll()
    }
  }

  #checkAll(): void {
    for (const { faults } of this.#site.servers) for (const fault of faults) throw fault
    for (const { excess } of this.#processes)
      if (excess !== null) throw new Violation(`Beyond a bound: ${excess}.`)
  }

  #heal(): void {
    // What is put right may leave something to be put right: a standby that takes over, an old primary that has yet to end.
    this.#isCalm = true
    while (this.#repairs.length > 0) this.#repairDue(true)
    for (const process of this.#processes) this.#wake(process)
    // What was put right on a server that was given up is so no more.
    if (!this.#database.slots.has(SLOT)) this.#makeSlot()
    for (const model of MODELS)
      if (!this.#database.publication?.members.has(model)) this.#database.publish(model)
    for (const transaction of this.#open.splice(0)) this.#database.commit(transaction)
    for (const model of MODELS)
      while (!this.#database.fits(model) && !this.#database.restoreColumns(model)) this.#advance(20)
    this.#note('nothing befalls it any more')
    const startMs = this.#time.nowMs
    let isWritten = false
    while (this.#time.nowMs < startMs + HEALING_MS) {
      this.#advance(isWritten ? 500 : 5_000)
      if ([...this.#clients, ...this.#viewers].every(({ isComplete }) => isComplete)) {
        if (isWritten) return
        for (const model of MODELS) this.#commitOne(model)
        isWritten = true
      }
    }
    const missing = [...this.#clients, ...this.#viewers]
      .filter(({ isComplete }) => !isComplete)
      .map(({ description }) => description)
    const state = JSON.stringify(this.#reader?.source.status(), (_, value: unknown) =>
      typeof value === 'bigint' ? String(value) : value instanceof Error ? value.message : value,
    )
    throw new Violation(`Still waiting after ${HEALING_MS} ms: ${missing.join('; ')}. ${state}`)
  }

  #commitOne(model: string): void {
    const transaction = this.#database.begin()
    this.#database.write(transaction, model)
    this.#database.commit(transaction)
  }

  #writeSomething(): void {
    const random = this.#random
    const database = this.#database
    if (!this.#server.isUp || this.#time.nowMs < this.#calmUntilMs) return
    if (this.#open.length < 3 && random.chance(0.4)) this.#open.push(database.begin())
    for (const transaction of [...this.#open]) {
      if (random.chance(0.5)) database.write(transaction, random.pick(MODELS))
      if (random.chance(0.05)) database.emit(transaction, { prefix: 'app', content: 'part' })
      if (random.chance(this.#endsShare)) this.#finish(transaction)
    }
    if (random.chance(0.1)) database.noise()
    if (random.chance(0.1)) database.emitAtOnce({ prefix: 'app', content: 'at once' })
    if (random.chance(0.05)) database.checkpoint()
    if (random.chance(this.#replicatedShare)) database.replicate()
    if (this.#isSynced && random.chance(0.1)) database.synchronizeSlots()
    this.#writeToOld()
    if (this.#hasViewers) this.#truncateSomething()
  }

  #truncateSomething(): void {
    const random = randomOf(this.#script, this.#step, 'viewers')
    if (!random.chance(0.03)) return
    const database = this.#database
    const transaction = database.begin()
    const [model, other] = random.shuffle(MODELS) as [string, string]
    if (random.chance(0.5)) database.write(transaction, other)
    database.truncate(transaction, model)
    if (random.chance(0.5)) database.write(transaction, model)
    database.commit(transaction)
  }

  /** A primary that lives on takes what it is given, and nobody will ever have it. */
  #writeToOld(): void {
    const old = this.#site.branches.find(({ server }) => server.isUp)
    if (old === undefined || !this.#random.chance(0.3)) return
    const { database } = old.server
    const transaction = database.begin()
    for (let count = this.#random.integer(1, 3); count > 0; count -= 1)
      database.write(transaction, this.#random.pick(MODELS))
    database.commit(transaction)
  }

  #finish(transaction: OpenTransaction): void {
    const random = this.#random
    // A message right before the commit, which shares a position with it.
    if (random.chance(0.2)) this.#database.emitAtOnce({ prefix: 'app', content: 'before' })
    this.#open = this.#open.filter((each) => each !== transaction)
    if (random.chance(0.15)) this.#database.rollback(transaction)
    else this.#database.commit(transaction)
  }

  #befall(share: number): void {
    const { faults } = this.#script
    const random = this.#take('fault')
    const isDue = random.chance(share)
    const byChance = pickFault(random.integer(0, 999_999) / 1_000_000)
    const scripted = faults?.find(({ step }) => step === this.#step)?.fault ?? null
    const name = faults === undefined ? (isDue ? byChance : null) : scripted
    if (name === null) return
    const said = befall(this, name)
    if (said === null) return
    this.#befallen.push({ step: this.#step, fault: name })
    this.#note(`FAULT ${said}`)
  }

  #repairDue(isAll: boolean): void {
    const due = this.#repairs.filter(({ dueMs }) => isAll || dueMs <= this.#time.nowMs)
    this.#repairs = this.#repairs.filter((each) => !due.includes(each))
    for (const { repair } of due) {
      const said = repair()
      if (said !== null) this.#note(`REPAIR ${said}`)
    }
  }

  #later(repair: () => string): void {
    this.#repairs.push({ dueMs: this.#time.nowMs + this.#random.integer(0, 15_000), repair })
  }

  #note(text: string): void {
    this.timeline.push(`${this.#time.nowMs.toFixed(0).padStart(7)} ms  ${text}`)
  }

  #begin(role: Role): void {
    const note = (level: string) => (message: string) => this.#note(`  [${role}] [${level}] ${message}`)
    const logger: Logger = {
      debug: note('debug'),
      info: note('info'),
      warn: note('warn'),
      error: note('error'),
    }
    const settings = { ...this.#settings, glanceIntervalMs: this.#glanceIntervalMs }
    const own = { random: this.#random.fork(), logger, settings, engine: this.#engine, role }
    const wallAheadMs = this.#random.integer(-this.#clockErrorMs, this.#clockErrorMs)
    const machine = this.#hasMachines ? { isPaused: false, wallAheadMs } : null
    const prisma = this.#hasViewers ? this.#newModelClient() : null
    this.#processes.push(Reader.begin({ site: this.#site, catalog: CATALOG, machine, prisma, ...own }))
  }

  #newModelClient(): ModelClient {
    return createModelClient({
      ...{ site: this.#site, catalog: CATALOG, random: this.#besides.fork(), latencyMs: this.#statementMs },
      isBreaking: () => !this.#isCalm && this.#befallen.length > 0,
    })
  }

  #newEngine(random: Random, most: number): MemoryEngine {
    const hop = (): Promise<void> =>
      new Promise((resolve) => {
        setTimeout(resolve, random.integer(0, most))
      })
    const nowMs = (): number => START_MS + this.#time.nowMs
    return new MemoryEngine({ ...REAL_WORLD, nowMs, hop })
  }

  cutLink(): string | null {
    const links = this.#processes.flatMap(({ links: each }) => each)
    if (links.length === 0) return null
    this.#random.pick(links).cut()
    return 'a link is cut'
  }

  silenceLink(): string | null {
    const links = this.#processes.flatMap(({ links: each }) => each)
    if (links.length === 0) return null
    const bytes = this.#random.integer(0, 500)
    const direction = this.#random.pick(['both', 'toClient', 'toServer'] as const)
    this.#random.pick(links).fallSilent(bytes, direction)
    return `a link falls silent after ${bytes} bytes (${direction})`
  }

  crashServer(): string | null {
    if (!this.#server.isUp) return null
    this.#open = []
    this.#server.crash()
    const server = this.#server
    this.#later(() => {
      server.isUp = true
      return 'the server is up again'
    })
    return 'the server crashes'
  }

  failOver(): string {
    const old = this.#server
    // What is open there is never committed anywhere, but for what its own sessions see.
    for (const transaction of this.#open.splice(0)) this.#database.rollback(transaction)
    const branch = this.#site.failOver()
    for (const client of this.#clients) client.onFailover(branch)
    this.#conflating?.onFailover(branch)
    const end = (): string => {
      old.crash()
      return 'the old primary ends'
    }
    if (old.isUp && this.#random.chance(0.5)) this.#later(end)
    else end()
    if (!this.#database.slots.has(SLOT)) this.#later(() => this.#makeSlot())
    const lost = branch.ledger.length - branch.sharedCount
    return `a standby takes over, without the last ${lost} changes${this.#database.slots.has(SLOT) ? '' : ', and without the slot'}${old.isUp ? '; the old primary lives on' : ''}`
  }

  #makeSlot(): string {
    if (this.#database.slots.has(SLOT)) return 'the slot is there again'
    this.#database.createSlot(SLOT)
    return 'somebody makes a slot of the same name'
  }

  terminate(): string | null {
    const sessions = [...this.#server.sessions]
    if (sessions.length === 0) return null
    this.#random.pick(sessions).terminate()
    return 'a session is terminated'
  }

  replaceProcess(isCrash: boolean): string | null {
    const process = this.#random.pick(this.#processes)
    this.#wake(process)
    this.#processes = this.#processes.filter((each) => each !== process)
    void (isCrash ? process.crash() : process.stop())
    const { role } = process
    if (!this.#processes.some((each) => each.role === role)) this.#begin(role)
    return `a process (${role}) ${isCrash ? 'crashes' : 'is stopped'}`
  }

  addProcess(): string | null {
    const { role } = this.#random.pick(this.#processes)
    if (this.#processes.filter((each) => each.role === role).length > 1) return null
    this.#begin(role)
    return `one more process (${role}) begins`
  }

  #wake(process: Reader): void {
    if (process.machine !== null) this.#time.resume(process.machine)
  }

  /** As SIGSTOP does, or a hypervisor: wherever it waits for something, it goes on later. */
  pauseProcess(): string | null {
    const process = this.#random.pick(this.#processes)
    if (process.machine === null || process.isPaused) return null
    process.machine.isPaused = true
    this.#later(() => {
      this.#wake(process)
      return `the process (${process.role}) goes on`
    })
    return `a process (${process.role}) is paused`
  }

  /** Somebody sets a clock. */
  moveClock(): string | null {
    const { machine, role } = this.#random.pick(this.#processes)
    if (machine === null) return null
    const byMs = this.#random.pick([-3_600_000, -5_000, -50, 50, 5_000, 3_600_000])
    machine.wallAheadMs += byMs
    return `the clock of a process (${role}) jumps by ${byMs} ms`
  }

  /** A gap from beginning to end while nobody reads. */
  unpublishWhileDown(): string | null {
    if (!this.#server.isUp) return null
    const readers = this.#processes.filter(({ role }) => role !== 'gateway')
    this.#processes = this.#processes.filter((each) => !readers.includes(each))
    for (const process of readers) {
      this.#wake(process)
      void process.crash()
    }
    const model = this.#random.pick(MODELS)
    this.#database.unpublish(model)
    for (let count = this.#random.integer(1, 2); count > 0; count -= 1) this.#commitOne(model)
    this.#database.publish(model)
    for (let count = this.#random.integer(0, 2); count > 0; count -= 1) this.#commitOne(model)
    for (const { role } of readers) this.#begin(role)
    return `all that read crash; meanwhile ${model} leaves the publication and comes back`
  }

  /** The standby has all but what is of no interest; what the old primary said of that is no position of the new one. */
  failOverBehindNoise(): string | null {
    if (!this.#server.isUp) return null
    const database = this.#database
    database.replicate()
    if (this.#isSynced) database.synchronizeSlots()
    for (let count = this.#random.integer(1, 4); count > 0; count -= 1) database.noise()
    const delayMs = this.#random.integer(1, 300)
    this.#calmUntilMs = this.#time.nowMs + delayMs
    const repair = (): string => {
      if (this.#database !== database || !this.#server.isUp) return 'nothing: it is over'
      const said = this.failOver()
      for (const model of MODELS) this.#commitOne(model)
      return said
    }
    this.#repairs.push({ dueMs: this.#time.nowMs + delayMs, repair })
    return 'the standby has all but some noise'
  }

  /** A whole site is lost: the standby, and the broker's replica, have what they had some time before. */
  loseSite(): string | null {
    const engine = this.#engine
    if (engine === null || !this.#server.isUp) return null
    const database = this.#database
    database.replicate()
    if (this.#isSynced) database.synchronizeSlots()
    engine.replicate()
    engine.isReplicating = false
    const repair = (): string => {
      engine.isReplicating = true
      engine.failOver()
      return this.#database === database && this.#server.isUp
        ? this.failOver()
        : 'the broker is at the other site'
    }
    this.#repairs.push({ dueMs: this.#time.nowMs + this.#random.integer(50, 3_000), repair })
    return 'the other site receives nothing any more'
  }

  /** Something happens to the broker. */
  befallBroker(): string | null {
    const engine = this.#engine
    if (engine === null) return null
    return this.#random.pick([
      () => {
        engine.loseAnswers(this.#random.integer(1, 3))
        return 'answers of the broker are lost'
      },
      () => {
        engine.cut()
        return 'the connections with the broker are cut'
      },
      () => {
        engine.isReplicating = false
        this.#later(() => {
          engine.isReplicating = true
          engine.replicate()
          return "the broker's replica has everything"
        })
        return "the broker's replica lags"
      },
      () => {
        engine.failOver()
        return "the broker's replica takes over"
      },
      () => {
        engine.flush()
        return 'the broker forgets everything'
      },
      () => {
        engine.isDown = true
        engine.cut()
        this.#later(() => {
          engine.isDown = false
          return 'the broker is up again'
        })
        return 'the broker is down'
      },
      () => {
        engine.isFull = true
        this.#later(() => {
          engine.isFull = false
          return 'the broker has room again'
        })
        return 'the broker is full'
      },
    ])()
  }

  dropClient(): string | null {
    if (this.#clients.length > 0) this.#random.pick(this.#clients).drop()
    for (const viewer of this.#viewers) if (this.#besides.chance(0.5)) viewer.drop()
    return 'a client'
  }

  dropSlot(): string | null {
    const slot = this.#database.slots.get(SLOT)
    if (slot === undefined || slot.activePid !== null) return null
    this.#database.slots.delete(SLOT)
    this.#later(() => this.#makeSlot())
    return 'the slot is dropped'
  }

  /** PostgreSQL needs the room, or nobody has read it for long: it stays there, and is of no use any more. */
  giveUpSlot(): string | null {
    const slot = this.#database.slots.get(SLOT)
    if (!this.#server.isUp || slot === undefined || slot.invalidation !== null || slot.making !== null)
      return null
    const { activePid } = slot
    slot.invalidation =
      activePid === null ? this.#random.pick(['wal_removed', 'idle_timeout']) : 'wal_removed'
    if (activePid !== null) this.#server.terminate(activePid)
    return `PostgreSQL gives up the slot: ${slot.invalidation}`
  }

  /** A table leaves the publication and comes back while a slot is made, and whoever wrote to it in between is not over by then. */
  unpublishWhileSlotIsMade(): string | null {
    const database = this.#database
    const said = this.giveUpSlot()
    if (said === null) return null
    const model = this.#random.pick(MODELS)
    const first = database.begin()
    const endMs = this.#time.nowMs + 15_000
    const repair = (): string | null => {
      const isHere = this.#database === database && database.open.has(first)
      const slot = database.slots.get(SLOT)
      if (isHere && slot?.making?.isLast === false && slot.making.awaited.has(first.xid))
        return this.#unpublishDuring({ database, model, first, slot })
      if (isHere && !this.#isCalm && this.#time.nowMs < endMs) {
        this.#repairs.push({ dueMs: this.#time.nowMs + 20, repair })
        return null
      }
      if (database.open.has(first)) database.commit(first)
      return 'nothing: no slot is made'
    }
    this.#repairs.push({ dueMs: this.#time.nowMs, repair })
    return said
  }

  #unpublishDuring(during: {
    database: Database
    model: string
    first: OpenTransaction
    slot: Slot
  }): string {
    const { database, model, first, slot } = during
    const second = database.begin()
    database.commit(first)
    database.lookAtSlot(slot)
    database.unpublish(model)
    const writer = database.begin()
    for (let count = this.#random.integer(1, 3); count > 0; count -= 1) database.write(writer, model)
    database.publish(model)
    database.commit(second)
    if (this.#isCalm) database.commit(writer)
    else this.#open.push(writer)
    return `while a slot is made, ${model} leaves the publication and comes back`
  }

  unpublish(): string | null {
    const model = this.#random.pick(MODELS)
    this.#database.unpublish(model)
    this.#later(() => {
      this.#database.publish(model)
      return `${model} is published again`
    })
    return `${model} leaves the publication`
  }

  recreatePublication(): string | null {
    this.#database.recreatePublication()
    return 'the publication is dropped and made again'
  }

  recreateTable(): string | null {
    const model = this.#random.pick(MODELS)
    if (!this.#database.recreateTable(model)) return null
    this.#later(() => {
      this.#database.publish(model)
      return `the new table of ${model} is published`
    })
    return `the table of ${model} is dropped and made again`
  }

  /** Columns come, go, and are others. */
  alterTable(): string | null {
    if (!this.#server.isUp) return null
    const model = this.#random.pick(MODELS)
    const how = this.#random.pick(ALTERATIONS)
    if (!this.#database.alterTable(model, how)) return null
    this.#later(() => this.#restoreColumns(model))
    return `ALTER TABLE ${model}: ${how}`
  }

  /** Later, where somebody has the table. */
  #restoreColumns(model: string): string {
    if (!this.#database.restoreColumns(model)) {
      if (!this.#isCalm) this.#later(() => this.#restoreColumns(model))
      return `nothing: somebody has the table of ${model}`
    }
    return `the table of ${model} has its columns again`
  }

  /** Ends all processes. */
  end(): void {
    this.#time.run(10)
    for (const process of this.#processes) void process.crash()
    this.#time.run(60_000)
  }
}

/** Runs a world. */
export function runWorld(script: Script): Promise<Outcome> {
  return inOwnTurn(() => {
    using time = new VirtualTime(START_MS)
    const world = new World(script, time)
    let violation: string | null = null
    try {
      world.run()
    } catch (error) {
      violation =
        error instanceof Violation
          ? error.message
          : `The simulation failed: ${error instanceof Error ? error.stack : String(error)}`
    }
    const outcome = world.outcome(violation)
    world.end()
    return outcome
  })
}
