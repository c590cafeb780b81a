/** What the examples of the docs take as given. A block that declares one of these itself has its own. */
import type { PrismaClient } from '../../prisma/generated/client/client.ts'
import type { RowcastModels } from '../../prisma/generated/rowcast.ts'
import type { ContextFunction, defineConfig as define, Rowcast, ServiceConfig } from '../../src/index.ts'

interface Viewer {
  readonly id: string
  readonly isStaff: boolean
  readonly expiresAt: Date
}

declare global {
  const prisma: PrismaClient
  const rowcast: Rowcast<RowcastModels>
  const shared: Pick<ServiceConfig<RowcastModels, PrismaClient>, 'catalog' | 'createPrisma'>
  const defineConfig: typeof define
  const context: ContextFunction
  interface AppContext {
    readonly viewer: Viewer
  }
  function findViewer(authorization: string | undefined): Promise<Viewer | null>
  function isStillKnown(viewer: Viewer): Promise<boolean>
  function loadCursor(): Promise<string | null>
  function saveCursor(cursor: string): Promise<void>
  function sendWelcomeMail(email: string): Promise<void>
  function refreshSearchIndex(post: RowcastModels['Post']['row']): Promise<void>
}
