// Sample rows for the demo: a small magazine with four people. `prisma db seed` runs this file; the demo calls
// `seed` itself.
import { createHash, randomBytes } from 'node:crypto'
import { pathToFileURL } from 'node:url'
import { PrismaPg } from '@prisma/adapter-pg'
import { PrismaClient } from './generated/client/client.ts'

/**
 * Writes the sample rows in one transaction, or nothing where the database has users already.
 * Returns whether it wrote.
 */
export async function seed(prisma: PrismaClient): Promise<boolean> {
  return prisma.$transaction(async (transaction) => {
    if ((await transaction.user.count()) > 0) return false
    const team = await transaction.team.create({
      data: { name: 'The Lantern', slug: 'lantern', plan: 'TEAM' },
    })
    await transaction.team.create({ data: { name: 'Night Desk', slug: 'night-desk' } })
    const people = await createPeople(transaction, team.id)
    await createArticles(transaction, team.id, people)
    await transaction.auditEvent.createMany({
      data: [
        {
          actorId: people.ada,
          action: 'SIGNED_IN',
          subject: 'Session',
          details: { from: 'Firefox on Linux' },
        },
        {
          actorId: people.ada,
          action: 'CHANGED',
          subject: 'Team:lantern',
          details: { plan: ['FREE', 'TEAM'] },
        },
        { action: 'REMOVED', subject: 'Session', details: { reason: 'expired' } },
      ],
    })
    return true
  })
}

type Transaction = Parameters<Parameters<PrismaClient['$transaction']>[0]>[0]

/** The ids of the sample's people. */
interface People {
  readonly ada: string
  readonly grace: string
  readonly linus: string
}

async function createPeople(transaction: Transaction, teamId: string): Promise<People> {
  const ada = await transaction.user.create({
    data: {
      email: 'ada@example.com',
      fullName: 'Ada Lovelace',
      role: 'ADMIN',
      balance: '1250.50',
      storageBytes: 7_516_192_768n,
      signInCount: 42,
      reputation: 0.97,
      birthDate: new Date('1990-12-10'),
      settings: { theme: 'dark', digest: { weekly: true } },
      profile: { github: 'ada', languages: ['en', 'fr'] },
      avatar: smallPicture(),
      tags: ['founder', 'mathematics'],
      passwordHash: '$argon2id$v=19$m=65536,t=3,p=4$c2FtcGxl$bm90LWEtcmVhbC1oYXNo',
      accounts: { create: { provider: 'github', providerAccountId: '1815', scopes: ['read:user'] } },
      sessions: { create: { tokenHash: tokenHash(), userAgent: 'Firefox on Linux' } },
      memberships: { create: { teamId, isOwner: true, share: '60' } },
    },
  })
  const grace = await transaction.user.create({
    data: {
      email: 'grace@example.com',
      fullName: 'Grace Hopper',
      role: 'EDITOR',
      balance: '80',
      signInCount: 7,
      reputation: 0.88,
      tags: ['navy', 'compilers'],
      accounts: { create: { provider: 'google', providerAccountId: '1906-12-09' } },
      memberships: { create: { teamId, share: '39.5' } },
    },
  })
  const linus = await transaction.user.create({
    data: { email: 'linus@example.com', fullName: 'Linus Tester', tags: ['reader'] },
  })
  await transaction.user.create({ data: { email: 'suspended@example.com', isActive: false } })
  return { ada: ada.id, grace: grace.id, linus: linus.id }
}

async function createArticles(transaction: Transaction, teamId: string, people: People): Promise<void> {
  const engine = await transaction.post.create({
    data: {
      title: 'Notes on the Analytical Engine',
      body: 'It weaves algebraic patterns as the loom weaves flowers and leaves.',
      status: 'PUBLISHED',
      publishedAt: new Date('2026-10-01T08:30:00Z'),
      viewCount: 12_408n,
      rating: 4.75,
      layout: { columns: 2, cover: 'loom.jpg' },
      authorId: people.ada,
      reviewerId: people.grace,
      teamId,
      tags: { create: [{ name: 'mathematics', color: '#3b6ea5' }, { name: 'history' }] },
    },
  })
  await transaction.post.create({
    data: {
      title: 'A compiler is a translator',
      status: 'IN_REVIEW',
      draftNotes: 'Shorten the part about subroutines.',
      authorId: people.grace,
      reviewerId: people.ada,
      teamId,
      tags: { connect: [{ name: 'history' }], create: [{ name: 'compilers', color: '#7a4f9a' }] },
    },
  })
  await transaction.post.create({ data: { title: 'Untitled', authorId: people.ada } })
  const question = await transaction.comment.create({
    data: { postId: engine.id, authorId: people.linus, body: 'Did it ever run?' },
  })
  await transaction.comment.create({
    data: { postId: engine.id, authorId: people.ada, parentId: question.id, body: 'Only on paper.' },
  })
}

/** A PNG of one grey pixel. */
function smallPicture(): Uint8Array<ArrayBuffer> {
  const png = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNoAAAAggCBd81ytgAAAABJRU5ErkJggg=='
  return new Uint8Array(Buffer.from(png, 'base64'))
}

function tokenHash(): Uint8Array<ArrayBuffer> {
  return new Uint8Array(createHash('sha256').update(randomBytes(32)).digest())
}

const startedFile = process.argv[1]
if (startedFile !== undefined && import.meta.url === pathToFileURL(startedFile).href) {
  const connectionString = process.env['DATABASE_URL']
  if (connectionString === undefined) throw new Error('Set DATABASE_URL to the database to seed.')
  const prisma = new PrismaClient({ adapter: new PrismaPg({ connectionString }) })
  try {
    console.info((await seed(prisma)) ? 'Sample rows written.' : 'There are users already: nothing written.')
  } finally {
    await prisma.$disconnect()
  }
}
