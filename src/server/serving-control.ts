/** Stage 8, server. What applications hold of whatever serves GraphQL. Types only, and none of the packages that serve it. */
import type { OpenConnections } from './open-connections.ts'

/** What is asked of whatever serves GraphQL while it lives. */
export interface ServingControl {
  /** Asks the session of every open connection now whether it still holds; resolves once all have answered. */
  revalidateSessions(): Promise<void>
  /** Open connections of clients. */
  connections(): OpenConnections
  /** Takes no one new from now on: /health/ready says no, upgrades are refused. What is open goes on. */
  refuse(): void
  /** Resolves when no operation is running any more, or after `drainTimeoutMs`. */
  drain(): Promise<void>
}

/** As Yoga takes plugins, whatever copy of it. */
export interface ForeignYogaPlugin {
  onPluginInit(init: { addPlugin(plugin: object): void }): void
}
