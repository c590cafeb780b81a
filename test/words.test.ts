/** The words of CONTRIBUTING.md: those that a reader would have to look up are found here. */
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'

const ROOT = join(import.meta.dirname, '..')
/** Where people read: code with its comments and messages, docs, tests, the SDL, dashboards and what runs in containers. */
const READ =
  /^(?:src|page|test|bench|tools|examples|prisma|docs|dashboards|\.ci)\/(?:.*\.(?:ts|tsx|mjs|md|prisma|graphql|css|html|ya?ml|sh)|[^/]*\.json|[a-z-]+)$|^(?:README|CONTRIBUTING|SECURITY)\.md$|^schema\.graphql$|^(?:Dockerfile|docker-compose\.ya?ml)$/
/** Rules that name the words, what is printed by a machine, texts that are somebody else's. */
const LEFT_OUT =
  /^(?:CONTRIBUTING\.md|test\/words\.test\.ts|test\/client\/live-list\.pg\.test\.ts)$|^test\/vectors\//
const AVOIDED: Readonly<Record<string, RegExp>> = {
  'hint or repair': /\b(?:un)?mend(?:s|ed|ing)?\b/i,
  'deliver, report or notify': /\b(?:tells?|telling)\b|\bretold\b|(?<!not )\btold\b/i,
  'child table': /\bheirs?\b/i,
  mode: /\bwish(?:es|ed)?\b/i,
  'again, restart or resync': /\banew\b/i,
  'position, index or path':
    /\b(?:at|naming|past|which) (?:the|a|that|which|another) place\b(?! of)|\b(?:change|transaction|entry|cursor|row)'s place\b|(?<!in the )\bplaces? of (?:a|the) (?:change|transaction|cursor)\b|\bplaces between\b|\bplace (?:among the changes|in (?:the|its) transaction)\b|\b(?:next|describe|entry|index)Place\b/i,
  'the same within a name': /[a-z](?:Told|Heirs?|Wish|Mend|Anew)(?![a-z])/,
}
/** A stream is one of replication, of Redis, of the protocol or of results; a log one of lines or the one that is retained. */
const UNQUALIFIED =
  /\/(?:(?:stream|position|log(?!-line-))(?:-[a-z-]+)?|relay)\.ts$|^src\/(?!source\/|broker\/).*\/relay-/
/** Of the broker's stream of entries, and of the stream of changes that sets follow. */
const QUALIFIED_BY_FOLDER: ReadonlySet<string> = new Set([
  ...['keys', 'reader', 'trimmer', 'writer'].map((name) => `src/broker/stream-${name}.ts`),
  ...['stream-follower', 'stream-watchers', 'log-transactions'].map((name) => `src/sets/${name}.ts`),
])
/** A method that takes something and gives nothing back. */
const PUTS_IN = /^ +(?:readonly )?take(?:\([^)]*\): void|: \([^)]*\) => void)/m

interface Place {
  readonly path: string
  readonly line: number
  readonly text: string
}

/** The lines of `files` with a word to be avoided, and what to say instead. */
function findAvoided(files: readonly { path: string; text: string }[]): (Place & { say: string })[] {
  return files.flatMap(({ path, text }) =>
    text
      .split('\n')
      .flatMap((line, index) =>
        Object.entries(AVOIDED).flatMap(([say, word]) =>
          word.test(line) ? [{ path, line: index + 1, text: line.trim(), say }] : [],
        ),
      ),
  )
}

describe('the words', () => {
  it('are those of PostgreSQL, Prisma and GraphQL', () => {
    const paths = execFileSync('git', ['ls-files'], { cwd: ROOT, encoding: 'utf8' })
      .split('\n')
      .filter((path) => READ.test(path) && !LEFT_OUT.test(path))
    expect(paths.length).toBeGreaterThan(500)
    const files = paths.map((path) => ({ path, text: readFileSync(join(ROOT, path), 'utf8') }))
    expect(findAvoided(files)).toEqual([])
  })

  it('call an epoch what is of the broker, and a file by what it is a stream, a position or a log of', () => {
    const sources = execFileSync('git', ['ls-files', 'src'], { cwd: ROOT, encoding: 'utf8' })
      .split('\n')
      .filter((path) => path.endsWith('.ts'))
    expect(sources.filter((path) => UNQUALIFIED.test(path) && !QUALIFIED_BY_FOLDER.has(path))).toEqual([])
    const others = sources.filter((path) => !/^src\/(?:broker\/|errors\.ts|service-health\.ts)/.test(path))
    const lines = others.flatMap((path) =>
      readFileSync(join(ROOT, path), 'utf8')
        .split('\n')
        .filter((line) =>
          /epoch/i.test(line.replace(/extract\(epoch|PG_EPOCH_MS|knows the epoch\. Source/g, '')),
        )
        .map((line) => `${path}: ${line.trim()}`),
    )
    expect(lines).toEqual([])
  })

  it('call what takes something out a take, and never what puts something in', () => {
    const sources = execFileSync('git', ['ls-files', 'src'], { cwd: ROOT, encoding: 'utf8' }).split('\n')
    const puttingIn = sources
      .filter((path) => path.endsWith('.ts'))
      .filter((path) => PUTS_IN.test(readFileSync(join(ROOT, path), 'utf8')))
    expect(puttingIn).toEqual([])
    expect('  take(message: Message, byteLength: number): void {').toMatch(PUTS_IN)
    expect('  take(\n    request: IncomingMessage,\n  ): void {').toMatch(PUTS_IN)
  })

  it.each([
    'Mend: none',
    'it is told',
    'its heirs',
    'as we wish',
    'begins anew',
    'isToldOfStop',
    'naming the place',
  ])('find %s', (text) => {
    expect(findAvoided([{ path: 'a.md', text: `one\n${text}` }])).toMatchObject([{ path: 'a.md', line: 2 }])
  })
})
