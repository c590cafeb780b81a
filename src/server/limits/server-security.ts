/** Stage 8, server. What the config says of who may use the server. Its types need no GraphQL: a worker has none. */
import type { ContextFunction } from '../session/context.ts'
import type { ServerLimits } from './limits.ts'

/** Apollo's manifest, as `@apollo/generate-persisted-query-manifest`, Apollo Kotlin and Apollo iOS write it. */
export interface PersistedQueryManifest {
  /** `apollo-persisted-query-manifest`. */
  readonly format: string
  /** 1. */
  readonly version: number
  readonly operations: readonly {
    readonly id: string
    readonly body: string
    readonly name?: string
    readonly type?: string
  }[]
}

/** Texts by their names, as GraphQL Code Generator (`persistedDocuments`) and Relay write them, or Apollo's manifest. */
export type PersistedManifest = Readonly<Record<string, string>> | PersistedQueryManifest

/** Documents that clients may name instead of sending them. */
export interface PersistedDocumentsOptions {
  /**
   * The manifest, or the path of the JSON file with it, from the working directory, or its `file:` URL: read when the server is made.
   * @throws PERSISTED_MANIFEST_UNUSABLE
   */
  readonly manifest: PersistedManifest | string | URL
  /** Whether documents that are not in it are refused. @default true when NODE_ENV is production */
  readonly onlyPersisted?: boolean | undefined
}

/** Who may use the server, and how much of it. */
export interface ServerSecurity {
  /** Lets a client in and makes its GraphQL context. @default everybody, with an empty context */
  readonly context?: ContextFunction | undefined
  /** Bounds that differ from the defaults. */
  readonly limits?: Partial<ServerLimits> | undefined
  /**
   * Origins whose pages may use the server beside its own, for CORS and WebSocket: `https://app.example.com`,
   * or `*` for all. @default none
   */
  readonly allowedOrigins?: readonly string[] | undefined
  /** Whether browsers let those pages send cookies over HTTP. Not with `*`. @default false */
  readonly allowCredentials?: boolean | undefined
  /** Whether clients may read the schema. @default as `graphiql` */
  readonly introspection?: boolean | undefined
  /** Proxies in front that append to X-Forwarded-For. @default 0 */
  readonly trustedProxyCount?: number | undefined
  /**
   * Names under which clients may ask for the server, against DNS rebinding: `app.example.com`, `.example.com` for all
   * below it, `*` for all. Addresses, localhost and `host` need not be named. @default all with a `context`, none without
   */
  readonly allowedHosts?: readonly string[] | undefined
  /** Documents that clients may name, on all transports, and whether others are run. @default none, and all are run */
  readonly persistedDocuments?: PersistedDocumentsOptions | undefined
}
