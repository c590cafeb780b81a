// Sample changes for `rowcast dev --traffic`: a small, steady life of readers who sign in, write, edit and
// leave. Gentle on the database, bounded in what it keeps, and gone again when it ends.
import { createHash, randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { PrismaClient } from './generated/client/client.ts'

/** How lively it is. */
export interface TrafficOptions {
  /** Mean time between two steps. @default 800 */
  readonly stepIntervalMs?: number | undefined
  /** Readers that exist at a time; the oldest leave first, with all that is theirs. @default 12 */
  readonly readersMax?: number | undefined
}

/** Everything that traffic writes belongs to readers with such an address, or names this as its subject. */
const EMAIL_SUFFIX = '@traffic.example.com'
const AUDIT_SUBJECT = 'Traffic'
const AUDIT_EVENTS_MAX = 50

const FIRST_NAMES = ['Alma', 'Bruno', 'Chiara', 'Dirk', 'Elif', 'Farid', 'Greta', 'Hugo', 'Ines', 'Jonas']
const LAST_NAMES = ['Arnold', 'Berg', 'Costa', 'Demir', 'Engel', 'Ferrari', 'Gruber', 'Haas']
const TITLES = ['On commas', 'A walk at dusk', 'Why bridges hum', 'Bread, slowly', 'The last ferry']
const REMARKS = ['Well put.', 'I am not so sure.', 'More of this, please.', 'Is there a source?', 'Lovely.']

/** Writes changes until the signal aborts, then removes what it made. */
export async function runTraffic(
  prisma: PrismaClient,
  signal: AbortSignal,
  options: TrafficOptions = {},
): Promise<void> {
  const { stepIntervalMs = 800, readersMax = 12 } = options
  await removeTraffic(prisma)
  try {
    for (let step = 0; !signal.aborted; step += 1) {
      await takeStep(prisma, step, readersMax)
      // Between half and one and a half of the mean, so that it does not tick.
      await pause(stepIntervalMs * (0.5 + Math.random()), signal)
    }
  } finally {
    await removeTraffic(prisma)
  }
}

/** Removes every row that traffic made; the database takes what belongs to its readers along. */
export async function removeTraffic(prisma: PrismaClient): Promise<void> {
  await prisma.$transaction([
    prisma.auditEvent.deleteMany({ where: { subject: AUDIT_SUBJECT } }),
    prisma.user.deleteMany({ where: { email: { endsWith: EMAIL_SUFFIX } } }),
  ])
}

type Step = (prisma: PrismaClient, reader: Reader) => Promise<unknown>

interface Reader {
  readonly id: string
  readonly isActive: boolean
  readonly deletedAt: Date | null
}

/** What a reader does, as often as it stands here. */
const STEPS: readonly Step[] = [
  ...[signIn, signIn, browse, browse, browse],
  ...[changeProfile, changeProfile, topUp, topUp],
  ...[writePost, comment, comment, comment, editPost, publish, publish],
  ...[signOut, closeAccount, reopenAccount],
]

async function takeStep(prisma: PrismaClient, step: number, readersMax: number): Promise<void> {
  const readers = await prisma.user.findMany({
    where: { email: { endsWith: EMAIL_SUFFIX } },
    orderBy: { createdAt: 'asc' },
    select: { id: true, isActive: true, deletedAt: true },
  })
  const [oldest] = readers
  if (oldest === undefined || readers.length < 3 || (step % 6 === 0 && readers.length < readersMax)) {
    await join(prisma)
  } else if (readers.length >= readersMax) {
    await leave(prisma, oldest)
  } else {
    await pick(STEPS)(prisma, pick(readers))
  }
}

/** One transaction over three tables: subscribers see its changes together and numbered. */
async function join(prisma: PrismaClient): Promise<void> {
  const first = pick(FIRST_NAMES)
  const last = pick(LAST_NAMES)
  const email = `${first}.${last}.${randomBytes(3).toString('hex')}${EMAIL_SUFFIX}`.toLowerCase()
  await prisma.$transaction(async (transaction) => {
    const { id } = await transaction.user.create({
      data: {
        email,
        fullName: `${first} ${last}`,
        tags: ['reader'],
        settings: { theme: pick(['dark', 'light']) },
      },
    })
    await transaction.account.create({
      data: {
        userId: id,
        provider: pick(['github', 'google']),
        providerAccountId: randomBytes(6).toString('hex'),
      },
    })
    await transaction.session.create({ data: newSession(id) })
  })
}

async function leave(prisma: PrismaClient, { id }: Reader): Promise<void> {
  await prisma.user.delete({ where: { id } })
}

async function signIn(prisma: PrismaClient, { id }: Reader): Promise<void> {
  await prisma.$transaction([
    prisma.session.create({ data: newSession(id) }),
    prisma.user.update({ where: { id }, data: { signInCount: { increment: 1 } } }),
    prisma.auditEvent.create({
      data: { actorId: id, action: 'SIGNED_IN', subject: AUDIT_SUBJECT, details: { from: 'traffic' } },
    }),
  ])
  const stale = await prisma.auditEvent.findMany({
    where: { subject: AUDIT_SUBJECT },
    orderBy: { id: 'desc' },
    skip: AUDIT_EVENTS_MAX,
    select: { id: true },
  })
  if (stale.length > 0)
    await prisma.auditEvent.deleteMany({ where: { id: { in: stale.map(({ id }) => id) } } })
}

async function browse(prisma: PrismaClient, { id }: Reader): Promise<void> {
  await prisma.session.updateMany({ where: { userId: id }, data: { lastSeenAt: new Date() } })
}

async function signOut(prisma: PrismaClient, { id }: Reader): Promise<void> {
  await prisma.session.deleteMany({ where: { userId: id } })
}

async function changeProfile(prisma: PrismaClient, { id }: Reader): Promise<void> {
  const tags = ['reader', pick(['poetry', 'trains', 'gardens', 'chess'])]
  await prisma.user.update({
    where: { id },
    data: { tags, fullName: `${pick(FIRST_NAMES)} ${pick(LAST_NAMES)}` },
  })
}

async function topUp(prisma: PrismaClient, { id }: Reader): Promise<void> {
  const euros = (Math.random() * 20).toFixed(2)
  await prisma.user.update({ where: { id }, data: { balance: { increment: euros } } })
}

async function closeAccount(prisma: PrismaClient, { id, deletedAt }: Reader): Promise<void> {
  if (deletedAt === null) {
    await prisma.user.update({ where: { id }, data: { deletedAt: new Date(), isActive: false } })
  }
}

async function reopenAccount(prisma: PrismaClient, { id, deletedAt }: Reader): Promise<void> {
  if (deletedAt !== null)
    await prisma.user.update({ where: { id }, data: { deletedAt: null, isActive: true } })
}

async function writePost(prisma: PrismaClient, { id }: Reader): Promise<void> {
  await prisma.post.create({ data: { authorId: id, title: pick(TITLES), body: 'First lines.' } })
}

async function editPost(prisma: PrismaClient, reader: Reader): Promise<void> {
  const post = await ownPost(prisma, reader)
  if (post !== null) await prisma.post.update({ where: { id: post.id }, data: { draftNotes: pick(REMARKS) } })
}

async function publish(prisma: PrismaClient, reader: Reader): Promise<void> {
  const post = await ownPost(prisma, reader)
  if (post === null) return
  await prisma.post.update({
    where: { id: post.id },
    data: { status: 'PUBLISHED', publishedAt: new Date(), viewCount: { increment: 1 } },
  })
}

async function comment(prisma: PrismaClient, { id }: Reader): Promise<void> {
  // Only under posts of traffic's own, so that it goes when they go.
  const post = await prisma.post.findFirst({
    where: { author: { email: { endsWith: EMAIL_SUFFIX } } },
    orderBy: { id: 'desc' },
    select: { id: true },
  })
  if (post !== null)
    await prisma.comment.create({ data: { postId: post.id, authorId: id, body: pick(REMARKS) } })
}

function ownPost(prisma: PrismaClient, { id }: Reader): Promise<{ id: number } | null> {
  return prisma.post.findFirst({ where: { authorId: id }, orderBy: { id: 'desc' }, select: { id: true } })
}

function newSession(userId: string) {
  const tokenHash = new Uint8Array(createHash('sha256').update(randomBytes(32)).digest())
  return { userId, tokenHash, userAgent: pick(['Firefox on Linux', 'Safari on iPhone', 'Chrome on Windows']) }
}

function pick<T>(choices: readonly T[]): T {
  const choice = choices[Math.floor(Math.random() * choices.length)]
  if (choice === undefined) throw new Error('There is nothing to pick from.')
  return choice
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => undefined)
}
