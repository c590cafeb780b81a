/**
 * What `rowcast/better-auth` needs of Better Auth, by its shape: nothing of Better Auth is imported, so that whatever version the application
 * has is the only one. Better Auth, "Create a plugin", and the types of 1.4 and later.
 */

/** A field of one of its tables. */
export interface AuthField {
  /** What the ORM calls it. @default the key it stands under */
  readonly fieldName?: string | undefined
  /** False where Better Auth itself gives the value to nobody. */
  readonly returned?: boolean | undefined
  readonly references?: { readonly model: string; readonly field: string } | undefined
}

/** One of its tables, under the key that Better Auth knows it by: `user`, `session`, `member`. */
export interface AuthTable {
  /** What the ORM calls it. */
  readonly modelName: string
  readonly fields: Readonly<Record<string, AuthField>>
}

/** All of them, those of plugins included, as the application configures them. */
export type AuthTables = Readonly<Record<string, AuthTable>>

/** What a plugin is given when Better Auth starts. */
export interface AuthContext {
  readonly tables: object
}

/** Who has logged in, as `auth.api.getSession` answers. */
export interface AuthViewer {
  readonly user: {
    readonly id: string | number
    readonly banned?: boolean | null | undefined
    readonly banExpires?: Date | null | undefined
  }
  readonly session: { readonly id: string | number; readonly expiresAt: Date }
}

/** What `betterAuth()` returns, as far as it is needed. */
export interface AuthInstance<Viewer extends AuthViewer = AuthViewer> {
  readonly options: { readonly plugins?: readonly object[] | undefined }
  readonly $context: Promise<unknown>
  readonly api: {
    getSession(request: {
      readonly headers: Headers
      readonly query: { readonly disableCookieCache: true; readonly disableRefresh: true }
    }): Promise<Viewer | null>
  }
}
