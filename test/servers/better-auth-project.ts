/** A project with Better Auth in it, whose models and fields have other names in the Prisma schema: users are persons, sessions logins. */
import { betterAuth } from 'better-auth'
import { prismaAdapter } from 'better-auth/adapters/prisma'
import { toNodeHandler } from 'better-auth/node'
import { admin, bearer, organization } from 'better-auth/plugins'
import { buildSchema } from 'graphql'
import { authSessions, type RealtimeOptions, realtime } from '../../src/better-auth/realtime.ts'
import { addChanges } from '../../src/graphql/kit/schema-kit.ts'
import { silentLogger } from '../../src/logger.ts'
import { createRowcast } from '../../src/rowcast.ts'
import { createServer } from '../../src/server/create-server.ts'
import type { TestDatabase } from '../support/database.ts'
import { slotOf } from '../support/live-rowcast.ts'
import { generateSchemaProject } from '../support/schema-project.ts'

/** What `npx auth generate` writes for these options, with another table of rows that belong to nobody. */
const MODELS = `
model Person {
  id            String    @id
  name          String
  mail          String    @unique
  emailVerified Boolean   @default(false)
  image         String?
  createdAt     DateTime  @default(now())
  updatedAt     DateTime  @default(now()) @updatedAt
  role          String?
  banned        Boolean?  @default(false)
  banReason     String?
  banExpires    DateTime?
  logins        Login[]
  accounts      Account[]
  members       Member[]
  invitations   Invitation[]
}

model Login {
  id                   String   @id
  expiresAt            DateTime
  sid                  String   @unique
  createdAt            DateTime @default(now())
  updatedAt            DateTime @updatedAt
  ipAddress            String?
  userAgent            String?
  personId             String
  person               Person   @relation(fields: [personId], references: [id], onDelete: Cascade)
  impersonatedBy       String?
  activeOrganizationId String?
}

model Account {
  id                    String    @id
  accountId             String
  providerId            String
  userId                String
  user                  Person    @relation(fields: [userId], references: [id], onDelete: Cascade)
  accessToken           String?
  refreshToken          String?
  idToken               String?
  accessTokenExpiresAt  DateTime?
  refreshTokenExpiresAt DateTime?
  scope                 String?
  password              String?
  createdAt             DateTime  @default(now())
  updatedAt             DateTime  @updatedAt
}

model Verification {
  id         String   @id
  identifier String
  value      String
  expiresAt  DateTime
  createdAt  DateTime @default(now())
  updatedAt  DateTime @default(now()) @updatedAt
}

model Organization {
  id          String       @id
  name        String
  slug        String       @unique
  logo        String?
  createdAt   DateTime
  metadata    String?
  members     Member[]
  invitations Invitation[]
}

model Member {
  id             String       @id
  organizationId String
  organization   Organization @relation(fields: [organizationId], references: [id], onDelete: Cascade)
  userId         String
  user           Person       @relation(fields: [userId], references: [id], onDelete: Cascade)
  role           String       @default("member")
  createdAt      DateTime
}

model Invitation {
  id             String       @id
  organizationId String
  organization   Organization @relation(fields: [organizationId], references: [id], onDelete: Cascade)
  email          String
  role           String?
  status         String       @default("pending")
  expiresAt      DateTime
  createdAt      DateTime     @default(now())
  inviterId      String
  inviter        Person       @relation(fields: [inviterId], references: [id], onDelete: Cascade)
}
`

const TABLES = `
CREATE TABLE "Person" (id text PRIMARY KEY, name text NOT NULL, mail text NOT NULL UNIQUE, "emailVerified" bool NOT NULL DEFAULT false,
  image text, "createdAt" timestamp(3) NOT NULL DEFAULT now(), "updatedAt" timestamp(3) NOT NULL DEFAULT now(), role text,
  banned bool DEFAULT false, "banReason" text, "banExpires" timestamp(3));
CREATE TABLE "Login" (id text PRIMARY KEY, "expiresAt" timestamp(3) NOT NULL, sid text NOT NULL UNIQUE,
  "createdAt" timestamp(3) NOT NULL DEFAULT now(), "updatedAt" timestamp(3) NOT NULL, "ipAddress" text, "userAgent" text,
  "personId" text NOT NULL REFERENCES "Person" ON DELETE CASCADE, "impersonatedBy" text, "activeOrganizationId" text);
CREATE TABLE "Account" (id text PRIMARY KEY, "accountId" text NOT NULL, "providerId" text NOT NULL,
  "userId" text NOT NULL REFERENCES "Person" ON DELETE CASCADE, "accessToken" text, "refreshToken" text, "idToken" text,
  "accessTokenExpiresAt" timestamp(3), "refreshTokenExpiresAt" timestamp(3), scope text, password text,
  "createdAt" timestamp(3) NOT NULL DEFAULT now(), "updatedAt" timestamp(3) NOT NULL);
CREATE TABLE "Verification" (id text PRIMARY KEY, identifier text NOT NULL, value text NOT NULL, "expiresAt" timestamp(3) NOT NULL,
  "createdAt" timestamp(3) NOT NULL DEFAULT now(), "updatedAt" timestamp(3) NOT NULL DEFAULT now());
CREATE TABLE "Organization" (id text PRIMARY KEY, name text NOT NULL, slug text NOT NULL UNIQUE, logo text,
  "createdAt" timestamp(3) NOT NULL, metadata text);
CREATE TABLE "Member" (id text PRIMARY KEY, "organizationId" text NOT NULL REFERENCES "Organization" ON DELETE CASCADE,
  "userId" text NOT NULL REFERENCES "Person" ON DELETE CASCADE, role text NOT NULL DEFAULT 'member', "createdAt" timestamp(3) NOT NULL);
CREATE TABLE "Invitation" (id text PRIMARY KEY, "organizationId" text NOT NULL REFERENCES "Organization" ON DELETE CASCADE, email text NOT NULL,
  role text, status text NOT NULL DEFAULT 'pending', "expiresAt" timestamp(3) NOT NULL, "createdAt" timestamp(3) NOT NULL DEFAULT now(),
  "inviterId" text NOT NULL REFERENCES "Person" ON DELETE CASCADE);
`

/** Better Auth over the database, with `realtime()` among its plugins; nothing is live yet. */
export async function openAuth(database: TestDatabase, models?: RealtimeOptions['models']) {
  const { catalog, createPrisma } = await generateSchemaProject('better-auth', { text: MODELS })
  const prisma = createPrisma(database.url)
  const rowcast = createRowcast({ prisma, catalog, slot: slotOf(database), logger: silentLogger })
  const auth = betterAuth({
    baseURL: 'http://localhost:3000',
    secret: 'QmPz7xK2vL9wR4tY8uN3sD6fG1hJ5kB0',
    telemetry: { enabled: false },
    logger: { disabled: true },
    rateLimit: { enabled: false },
    emailAndPassword: { enabled: true },
    database: prismaAdapter(prisma, { provider: 'postgresql' }),
    user: { modelName: 'person', fields: { email: 'mail' } },
    session: { modelName: 'login', fields: { token: 'sid', userId: 'personId' } },
    plugins: [bearer(), admin(), organization(), realtime({ rowcast, models })],
  })
  return { auth, catalog, prisma, rowcast }
}

/** The whole: tables, Better Auth, and a server of rowcast with its sessions. */
export async function openAuthProject(database: TestDatabase) {
  await database.query(TABLES)
  const models = ['user', 'session', 'account', 'organization', 'member', 'invitation']
  const { auth, prisma, rowcast } = await openAuth(database, models)
  await auth.$context
  await auth.api.realtimeEnable()
  rowcast.start()
  const exposed = Object.fromEntries(rowcast.models.map((model) => [model, {}]))
  const schema = addChanges(buildSchema('type Query { hello: String }'), rowcast, { models: exposed })
  const server = createServer({
    ...authSessions(auth),
    otherRequests: toNodeHandler(auth),
    ...{ schema, logger: silentLogger, port: 0, health: () => ({ isReady: true, details: {} }) },
  })
  const { url } = await server.listen()
  return {
    ...{ auth, rowcast, schema, server, url },
    async [Symbol.asyncDispose]() {
      await server.close()
      await rowcast.stop()
      await prisma.$disconnect()
    },
  }
}

/** Somebody who has signed up, and what they show of it. */
export async function signUp(auth: Awaited<ReturnType<typeof openAuth>>['auth'], name: string) {
  const body = { name, email: `${name.toLowerCase()}@example.com`, password: 'correct horse battery' }
  const { headers, response } = await auth.api.signUpEmail({ body, returnHeaders: true })
  const cookie = headers
    .getSetCookie()
    .map((each) => each.split(';')[0])
    .join('; ')
  return { id: response.user.id, token: response.token ?? '', cookie, headers: new Headers({ cookie }) }
}
