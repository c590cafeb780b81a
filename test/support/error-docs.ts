/** docs/operations.md, printed from the error table: every code, what it means, what to do. */
import { ERRORS, type ErrorEntry } from '../../src/errors.ts'

const GROUPS: readonly (readonly [prefix: string, title: string])[] = [
  ['SOURCE_', 'The database'],
  ['WIRE_', 'The replication connection'],
  ['PGOUTPUT_', 'The replication protocol'],
  ['CATALOG_', 'Models and tables'],
  ['CONFIG_', 'Configuration'],
  ['CLI_', 'Command line'],
  ['EMBEDDED_', 'The embedded PostgreSQL of `rowcast dev`'],
  ['GENERATOR_', '`prisma generate`'],
  ['GRAPHQL_', 'GraphQL'],
  ['SERVER_', 'The server'],
  ['BROKER_', 'The broker'],
  ['', 'What clients meet, and others'],
]

const RETRIES = {
  never: 'needs a person',
  backoff: 'tried again by itself',
  gap: 'changes may be missing: subscriptions end with RESYNC_REQUIRED',
} as const

const ENDS = {
  cursor: 'ends a subscription, with the `cursor` to go on after',
  last: 'ends a subscription, which goes on after its last cursor',
  resync: 'ends a subscription: query the rows again',
} as const

/** The page. */
export function formatErrorDocs(): string {
  const left = new Map<string, ErrorEntry>(Object.entries(ERRORS))
  const sections = GROUPS.map(([prefix, title]) => {
    const codes = [...left.keys()].filter((code) => code.startsWith(prefix)).sort()
    const rows = codes.map((code) => {
      const entry = left.get(code)
      left.delete(code)
      return entry === undefined ? '' : formatRow(code, entry)
    })
    return rows.length === 0
      ? ''
      : `## ${title}\n\n| Code | Means | Hint | |\n|---|---|---|---|\n${rows.join('\n')}\n`
  })
  return [HEAD, ...sections.filter((section) => section !== '')].join('\n')
}

function formatRow(code: string, { means, hint, retry, isPublic, clientSees, ends }: ErrorEntry): string {
  const shown = isPublic
    ? ['shown to clients']
    : clientSees === undefined
      ? []
      : [`clients see \`${clientSees}\``]
  const notes = [RETRIES[retry], ...shown, ...(ends === undefined ? [] : [ENDS[ends]])].join('; ')
  return `| \`${code}\` | ${cell(means)} | ${cell(hint)} | ${notes} |`
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('\n', ' ')
}

const HEAD = `<!-- Printed by \`npm run docs:errors\` from src/errors.ts. Do not edit. -->
# Operations

Health: \`GET /health/live\` (the process answers), \`GET /health/ready\` (200 only while changes flow; the body has the state, the lag, what the slot
holds, and the code of what is in the way). \`rowcast status\` and \`rowcast doctor\` say the same at a terminal. What can happen, and what rowcast
does about it: [failure-modes](failure-modes.md).

Every error has a code. Messages name the place and the hint of the case at hand, which is more exact than the one here.
`
