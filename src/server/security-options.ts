/** Stage 8, server. The rows of the options that say who may use the server, and how much of it. */

import {
  is,
  isCount,
  isCountOrText,
  isFlag,
  isFunction,
  isObject,
  maybe,
  type OptionRows,
  option,
  type ValueCheck,
} from '../option.ts'
import { shownValue } from '../printable.ts'
import { isManifest } from './execution/manifest-form.ts'
import { DEFAULT_LIMITS, type ServerLimits } from './limits/limits.ts'
import type { PersistedDocumentsOptions, ServerSecurity } from './limits/server-security.ts'

const COUNT = maybe(isCount(1))
const LIMITS = {
  ...Object.fromEntries(Object.keys(DEFAULT_LIMITS).map((name) => [name, COUNT])),
  ipv6PrefixLength: maybe(isCount(1, 128)),
}

/** A list, or its one element. */
const listOf = (test: (value: unknown) => boolean, wrong: (value: unknown) => string) =>
  maybe(
    is<readonly string[]>(
      (value) => [value].flat().every(test),
      (value) =>
        [value]
          .flat()
          .filter((each) => !test(each))
          .map(wrong)
          .join(' '),
    ),
  )

const MANIFEST_FAULT =
  'has neither texts by their names nor the operations of a manifest of version 1, or one name for two texts'

/** The rows. */
export const SECURITY = {
  introspection: option({
    check: maybe(isFlag),
    byDefault: 'as `graphiql`',
    meaning: 'whether clients may read the schema',
  }),
  context: option({
    check: maybe(isFunction<NonNullable<ServerSecurity['context']>>()),
    byDefault: 'everybody, `{}`',
    meaning: 'who a client is: [security](security.md)',
  }),
  allowedOrigins: option({
    check: listOf(isOrigin, (origin) => `\`allowedOrigins\` has ${shownValue(origin)}, which is no origin.`),
    hint: 'Write scheme, host and port only, as in "https://app.example.com".',
    byDefault: 'none',
    meaning: 'pages of other sites that may use the server',
  }),
  allowCredentials: option({
    check: maybe(isFlag),
    byDefault: '`false`',
    meaning: 'whether those pages may send cookies over HTTP',
  }),
  trustedProxyCount: option({
    check: maybe(isCountOrText(0)),
    env: 'TRUSTED_PROXY_COUNT',
    byDefault: '0',
    meaning: 'proxies that append to X-Forwarded-For: [proxies](proxies.md)',
  }),
  allowedHosts: option({
    check: listOf(isHost, (host) => `\`allowedHosts\` has ${shownValue(host)}, which is no name of a host.`),
    hint: 'Write the name alone, as in "app.example.com", ".example.com" for all names below it, or "*" for all.',
    byDefault: 'all with a `context`, none without',
    meaning:
      'names under which clients may ask, beside addresses, localhost and `host`; `.example.com` for all below one, `*` for all',
  }),
  persistedDocuments: option({
    check: maybe(
      isObject(
        {
          manifest: is<PersistedDocumentsOptions['manifest']>(isManifestOrFile, MANIFEST_FAULT),
          onlyPersisted: maybe(isFlag),
        } satisfies Record<keyof PersistedDocumentsOptions, unknown>,
        'is not an object',
      ) as ValueCheck<PersistedDocumentsOptions>,
    ),
    hint: 'Write persistedDocuments: { manifest, onlyPersisted?: boolean }, with what GraphQL Code Generator, Relay or Apollo wrote.',
    byDefault: 'none',
    meaning:
      '`{ manifest, onlyPersisted }`: documents by their names, and whether others are refused (in production they are): [persisted-documents](persisted-documents.md)',
  }),
  limits: option({
    check: maybe(isObject(LIMITS, 'is not an object') as ValueCheck<Partial<ServerLimits>>),
    byDefault: '',
    meaning:
      'bounds of the server, of what it reads as well (`queryRowsMax`: 10,000, `queryReadBytesMax`: 16 MiB, `queryTimeoutMs`: 10 s): [security](security.md)',
  }),
} satisfies OptionRows<ServerSecurity>

function isOrigin(value: unknown): boolean {
  if (value === '*') return true
  return typeof value === 'string' && URL.canParse(value) && new URL(value).origin === value.toLowerCase()
}

/** What a file has in it is looked at when it is read. */
function isManifestOrFile(value: unknown): boolean {
  if (typeof value === 'string') return value !== ''
  return value instanceof URL ? value.protocol === 'file:' : isManifest(value)
}

function isHost(value: unknown): boolean {
  if (value === '*') return true
  const name = typeof value === 'string' && value.startsWith('.') ? value.slice(1) : value
  if (typeof name !== 'string' || name === '') return false
  return URL.canParse(`http://${name}`) && new URL(`http://${name}`).hostname === name.toLowerCase()
}
