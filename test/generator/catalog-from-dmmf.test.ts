import { readFile } from 'node:fs/promises'
import { beforeAll, describe, expect, test } from 'vitest'
import type { ModelCatalog } from '../../src/catalog/model-catalog.ts'
import { catalogFromDmmf } from '../../src/generator/catalog-from-dmmf.ts'
import { outline } from './outline.ts'
import { readGenerateInput } from './prisma-generate.ts'

async function readCatalog(schema: string): Promise<ModelCatalog> {
  const input = await readGenerateInput(schema)
  return catalogFromDmmf(input.dmmf.datamodel, input.datamodel)
}

const DATASOURCE = `
datasource db {
  provider = "postgresql"
  schemas  = ["public", "side", "other"]
}
generator client {
  provider        = "prisma-client"
  output          = "./client"
  previewFeatures = ["views"]
}
`

describe('the sample schema', () => {
  let catalog: ModelCatalog
  beforeAll(async () => {
    catalog = await readCatalog(await readFile('prisma/schema.prisma', 'utf8'))
  }, 60_000)

  test('tables, columns, keys, relations, labels', () => {
    expect(outline(catalog)).toMatchInlineSnapshot(`
      "model Account = public.Account key(id) unique(provider, providerAccountId)
        id String @Uuid default
        userId String @Uuid
        provider String @VarChar
        providerAccountId String
        scopes String[] default
        accessToken String? OMITTED
        linkedAt DateTime @Timestamptz default
        user -> User "AccountToUser" (userId) -> (id)
      model AuditEvent = audit.events key(id)
        id BigInt default
        actorId/actor_id String? @Uuid
        action enum AuditAction
        subject String
        details Json default
        occurredAt/occurred_at DateTime @Timestamptz default
        actor -> User? "AuditEventToUser" (actorId) -> (id)
      model Comment = public.Comment key(id)
        id Int default
        postId Int
        authorId String? @Uuid
        parentId Int?
        body String
        createdAt DateTime @Timestamptz default
        post -> Post "CommentToPost" (postId) -> (id)
        author -> User? "CommentToUser" (authorId) -> (id)
        parent -> Comment? "replies" (parentId) -> (id)
        replies -> Comment[] "replies"
      model Membership = public.team_memberships key(userId, teamId)
        userId/user_id String @Uuid
        teamId/team_id String @Uuid
        isOwner/is_owner Boolean default
        share Decimal @Decimal default
        joinedOn/joined_on DateTime @Date default
        user -> User "MembershipToUser" (userId) -> (id)
        team -> Team "MembershipToTeam" (teamId) -> (id)
      model Post = public.Post key(id)
        id Int default
        authorId String @Uuid
        reviewerId String? @Uuid
        teamId String? @Uuid
        title String @VarChar
        body String default
        status enum PostStatus default
        draftNotes String?
        viewCount BigInt default
        rating Float?
        layout Json?
        publishedAt DateTime?
        createdAt DateTime @Timestamptz default
        updatedAt DateTime @Timestamptz default
        deletedAt DateTime? @Timestamptz
        author -> User "author" (authorId) -> (id)
        reviewer -> User? "reviewer" (reviewerId) -> (id)
        team -> Team? "PostToTeam" (teamId) -> (id)
        comments -> Comment[] "CommentToPost"
        tags -> Tag[] "PostToTag"
      model Session = public.sessions key(id) unique(tokenHash)
        id String @Uuid default
        userId/user_id String @Uuid
        tokenHash/token_hash Bytes unique OMITTED
        userAgent/user_agent String?
        createdAt/created_at DateTime @Timestamptz default
        lastSeenAt/last_seen_at DateTime? @Timestamptz
        expiresAt/expires_at DateTime @Timestamptz default
        user -> User "SessionToUser" (userId) -> (id)
      model Tag = public.Tag key(id) unique(name)
        id Int default
        name String @VarChar unique
        color String? @Char
        posts -> Post[] "PostToTag"
      model Team = public.Team key(id) unique(slug)
        id String @Uuid default
        name String @VarChar
        slug String @VarChar unique
        plan enum Plan?
        createdAt DateTime @Timestamptz default
        memberships -> Membership[] "MembershipToTeam"
        posts -> Post[] "PostToTeam"
      model User = public.users key(id) unique(email)
        id String @Uuid default
        email String @VarChar unique
        fullName/full_name String? @VarChar
        role enum Role default
        balance Decimal @Decimal default
        storageBytes/storage_bytes BigInt default
        signInCount/sign_in_count Int default
        reputation Float default
        isActive/is_active Boolean default
        birthDate/birth_date DateTime? @Date
        settings Json default
        profile Json?
        avatar Bytes?
        tags String[] default
        passwordHash/password_hash String? OMITTED
        createdAt/created_at DateTime @Timestamptz default
        updatedAt/updated_at DateTime @Timestamptz default
        deletedAt/deleted_at DateTime? @Timestamptz
        sessions -> Session[] "SessionToUser"
        accounts -> Account[] "AccountToUser"
        posts -> Post[] "author"
        reviewedPosts -> Post[] "reviewer"
        comments -> Comment[] "CommentToUser"
        memberships -> Membership[] "MembershipToUser"
        auditEvents -> AuditEvent[] "AuditEventToUser"
      enum AuditAction = audit.AuditAction: SIGNED_IN CHANGED REMOVED
      enum Plan = public.Plan: FREE TEAM ENTERPRISE
      enum PostStatus = public.PostStatus: DRAFT/draft IN_REVIEW/in-review PUBLISHED/published
      enum Role = public.user_role: MEMBER EDITOR ADMIN/administrator
      join PostToTag = public._PostToTag: A Post, B Tag"
    `)
  })

  test('comments without their markers', () => {
    const { User } = catalog.models
    expect(User?.documentation).toBe('A person with a sign-in.')
    const comment = (name: string) => User?.fields.find((field) => field.name === name)?.documentation
    expect(comment('balance')).toBe('Prepaid credit in euros, to the cent.')
    expect(comment('passwordHash')).toBe(
      'Argon2 hash of the password; absent for people who sign in elsewhere.',
    )
    expect(comment('id')).toBeNull()
    expect(User?.relations.find((relation) => relation.name === 'posts')?.documentation).toBe(
      'Posts the person wrote.',
    )
    expect(catalog.enums['Role']?.documentation).toBe('What a person may do on the whole site.')
    expect(catalog.enums['Role']?.values.at(-1)?.documentation).toBe(
      'Stored under the name it had before the roles were reworked.',
    )
  })
})

describe('what the sample does not have', () => {
  let catalog: ModelCatalog
  beforeAll(async () => {
    catalog = await readCatalog(`${DATASOURCE}
      /// @rowcast.omit
      model Secret {
        id Int @id
        @@schema("public")
      }
      model Zebra {
        id      Int @id
        herd    Horse[] @relation("herd")
        friends Zebra[] @relation("friends")
        friendOf Zebra[] @relation("friends")
        spot    Spot[]
        @@schema("side")
      }
      model Horse {
        // view Zebra { would be a trap for a reader of the text
        note   String @default("view Horse {")
        a      Int
        b      Int @default(autoincrement())
        place  Unsupported("point")
        old    Int @ignore
        kind   Kind?
        kinds  Kind[] @default([TALL])
        rider  Int @unique /// beside the field @rowcast.omit
        moved  DateTime @updatedAt
        x1     Int
        x2     Int
        id     Int @id
        /// @rowcast.omit
        /// Kept apart.
        herd   Zebra[] @relation("herd")
        @@unique([x1, x2])
        @@unique([a, b])
        @@schema("other")
      }
      model Keyless {
        code String @unique
        @@schema("public")
      }
      model Gone {
        x Int
        @@ignore
        @@schema("public")
      }
      view Spot {
        id      Int @unique
        zebraId Int
        zebra   Zebra @relation(fields: [zebraId], references: [id])
        @@schema("side")
      }
      enum Kind {
        TALL  @map("very tall")
        SMALL
        @@map("horse_kind")
        @@schema("other")
      }
    `)
  }, 60_000)

  test('markers, views, unsupported and ignored columns, enum schemas, join tables', () => {
    expect(outline(catalog)).toMatchInlineSnapshot(`
      "model Horse = other.Horse key(id) unique(rider) unique(x1, x2) unique(a, b)
        note String default
        a Int
        b Int default
        kind enum Kind?
        kinds enum Kind[] default
        rider Int unique OMITTED
        moved DateTime default
        x1 Int
        x2 Int
        id Int
        herd -> Zebra[] "herd" OMITTED
      model Keyless = public.Keyless no key unique(code)
        code String unique
      model Secret = public.Secret key(id) OMITTED
        id Int
      model Zebra = side.Zebra key(id)
        id Int
        herd -> Horse[] "herd"
        friends -> Zebra[] "friends"
        friendOf -> Zebra[] "friends"
      enum Kind = other.horse_kind: TALL/very tall SMALL
      join friends = side._friends: A Zebra, B Zebra
      join herd = other._herd: A Horse, B Zebra"
    `)
  })

  test('words around a marker stay', () => {
    const { Horse } = catalog.models
    expect(Horse?.fields.find((field) => field.name === 'rider')?.documentation).toBe('beside the field')
    expect(Horse?.relations[0]?.documentation).toBe('Kept apart.')
    expect(catalog.models['Secret']?.documentation).toBeNull()
  })
})

test('a schema that names no PostgreSQL schemas leaves them open', { timeout: 60_000 }, async () => {
  const catalog = await readCatalog(`
    datasource db {
      provider = "postgresql"
    }
    model Thing {
      id    Int @id
      state State
      parts Part[]
    }
    model Part {
      id     Int @id
      things Thing[]
    }
    enum State {
      ON
    }
  `)
  expect(outline(catalog)).toMatchInlineSnapshot(`
    "model Part = -.Part key(id)
      id Int
      things -> Thing[] "PartToThing"
    model Thing = -.Thing key(id)
      id Int
      state enum State
      parts -> Part[] "PartToThing"
    enum State = -.State: ON
    join PartToThing = -._PartToThing: A Part, B Thing"
  `)
})
