/** The house rules that a machine can hold: who imports whom, how long a file is, what it may be called. */
import { readdirSync, readFileSync } from 'node:fs'
import { basename, dirname, join, relative } from 'node:path'
import { describe, expect, it } from 'vitest'
import { ERRORS } from '../src/errors.ts'

const ROOT = join(import.meta.dirname, '..')
const SRC = join(ROOT, 'src')

/** The spine, in order: a stage imports itself and earlier ones, never a later one. */
const STAGES = ['wire', 'pgoutput', 'catalog', 'changes', 'source', 'bus', 'sets', 'graphql', 'server']
/** Folders beside the spine, and what else of `src/` they may import. */
const BESIDE: Readonly<Record<string, readonly string[]>> = {
  generator: ['catalog'],
  embedded: ['source', 'wire'],
  broker: ['wire', 'pgoutput', 'catalog', 'changes', 'source', 'bus'],
  observe: ['wire', 'pgoutput', 'catalog', 'changes', 'source', 'bus'],
  client: [],
  adapters: ['client'],
  'better-auth': [...STAGES, 'config', ''],
  config: [...STAGES, 'broker', 'observe'],
  cli: [...STAGES, 'config', 'embedded', 'generator', ''],
}
/** Files at the top of src/ that anybody may import. */
const BASE = [
  'async-iteration.ts',
  'async-queue.ts',
  'errors.ts',
  'logger.ts',
  'log-line-budget.ts',
  'guard.ts',
  'describe-error.ts',
  'member-of.ts',
  'nearest-name.ts',
  'option.ts',
  'runtime-sentences.ts',
  'printable.ts',
  'program-fault.ts',
  'stop-parts.ts',
  'metadata-schema.ts',
  'within-time.ts',
]
/** Outside packages and the only places that may import them; a place is a folder or a file. */
const IMPORTERS: Readonly<Record<string, readonly string[]>> = {
  pg: ['wire', 'source'],
  'graphql-yoga': ['server'],
  'graphql-ws': ['server', 'client'],
  '@escape.tech/graphql-armor-max-aliases': ['server'],
  '@escape.tech/graphql-armor-max-depth': ['server'],
  '@escape.tech/graphql-armor-max-directives': ['server'],
  ws: ['server'],
  react: ['adapters/react.ts'],
  graphql: ['graphql', 'server', 'cli', 'service.ts'],
  '@pothos/core': ['graphql'],
  '@pothos/plugin-prisma': ['graphql'],
  '@prisma/client': ['catalog/prisma-runtime.ts'],
  '@redis/client': ['broker/redis/redis-connection.ts'],
  '@prisma/generator-helper': ['generator'],
  '@opentelemetry/api': ['observe/tracing.ts'],
  commander: ['cli'],
  pino: ['cli'],
  jiti: ['cli/load-config.ts'],
  valibot: ['option.ts'],
}
/** A file with less code, which one file of its own folder alone imports, stands in that one, where both leave room in one file. */
const CRUMB_LINES = 25
const JOINED_MAX = 270
/** Those that stay, and why. */
const CRUMBS: Readonly<Record<string, string>> = {
  'broker/read-count.ts': 'its test counts entries without a reader of them',
  'catalog/values/float-codecs.ts':
    'each domain of types has a file of codecs beside the table that lists them',
  'cli/bound-garbage.ts':
    'the benchmarks collect garbage as the program does, and importing the program runs it',
  'client/resuming-connection-params.ts': 'the entry that it is for has nothing but names',
  'embedded/free-port.ts': 'tests of proxies, of Redis and of what is served take a port',
  'server/result-stream-formats.ts': 'a row of it is how a transport is added',
}
/** What a file says in its header that it alone knows or does: none of it is in the code of another. */
const CLAIMS: Readonly<Record<string, RegExp>> = {
  'catalog/prisma-runtime.ts': /@prisma\/client\/runtime/,
  'graphql/builder/untyped-builder.ts':
    /(?<!type \w+ )\bas (?:PothosSchemaTypes\.|\w+\.)?(?:\w*Ref|\w*Builder)\b/,
  'graphql/graphql-version.ts': /\bversionInfo\b|createSourceEventStream|validateSubscriptionArgs/,
  'graphql/pothos-internals.ts': /\bpothosPrisma[A-Z]\w+/,
  'wire/pg-time.ts': /946_?684_?800|UTC\(2000\b/,
}
const CLAIMS_TO_BE_ALONE = /\b(?:one|only) (?:place|file) (?:that|where|which)\b/
const BANNED_NAMES = /^(utils?|helpers?|common|misc|types|lib)(\.|$)/
const LINES_MAX = 300

interface SourceFile {
  /** Path below src/, with forward slashes. */
  readonly path: string
  readonly folder: string
  readonly lines: number
  /** Without comments and empty lines. */
  readonly codeLines: number
  /** Relative imports as paths below src/. */
  readonly inside: readonly string[]
  /** Names of outside packages, without subpaths. */
  readonly outside: readonly string[]
}

function listFiles(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
    .map((entry) => join(entry.parentPath, entry.name))
}

function readSource(file: string): SourceFile {
  const text = readFileSync(file, 'utf8')
  const path = relative(SRC, file)
  const specifiers = [...text.matchAll(/(?:from|import)\s*\(?\s*'([^']+)'/g)].map((match) => match[1] ?? '')
  const inside = specifiers.filter((s) => s.startsWith('.')).map((s) => relative(SRC, join(dirname(file), s)))
  const outside = specifiers
    .filter((s) => !s.startsWith('.'))
    .map((s) =>
      s
        .split('/')
        .slice(0, s.startsWith('@') ? 2 : 1)
        .join('/'),
    )
  const folder = path.includes('/') ? (path.split('/')[0] ?? '') : ''
  const code = text.replace(/\/\*[\s\S]*?\*\//g, '').split('\n')
  const codeLines = code.filter((line) => !/^\s*(\/\/|$)/.test(line)).length
  return { path, folder, lines: text.split('\n').length, codeLines, inside, outside }
}

const files = listFiles(SRC).map(readSource)

function mayImport(from: SourceFile, to: string): boolean {
  if (BASE.includes(to) || from.folder === '') return true
  const target = to.includes('/') ? (to.split('/')[0] ?? '') : ''
  if (target === from.folder) return true
  const stage = STAGES.indexOf(from.folder)
  if (stage >= 0) return STAGES.indexOf(target) >= 0 && STAGES.indexOf(target) < stage
  return BESIDE[from.folder]?.includes(target) ?? false
}

/** Files of Prisma, of its projects, and of Pothos that comments name. */
const OF_OTHERS = ['enums.ts', 'prisma.config.ts', 'model-loader.ts']

/** The folder of a stage that a file is in; a file at the top of its stage is a part of its own. */
const partOf = (path: string): string => path.split('/').slice(0, 2).join('/')

/** Its types are text: the generated file's own. */
const EMITTING = 'generator/emit-catalog.ts'

const duplicatesOf = (names: readonly string[]): string[] => [
  ...new Set(names.filter((name, index) => names.indexOf(name) !== index)),
]

const stripComments = (text: string): string => text.replace(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, '')

describe('architecture', () => {
  it('sees the whole tree', () => {
    expect(files.length).toBeGreaterThan(40)
    const known = [...STAGES, ...Object.keys(BESIDE), '']
    expect(files.filter((file) => !known.includes(file.folder)).map((file) => file.path)).toEqual([])
  })

  it('listens with bounds only', () => {
    const makers = files.filter(({ path }) =>
      /\bcreateServer\b[^\n]*from 'node:https?'/.test(readFileSync(join(SRC, path), 'utf8')),
    )
    expect(makers.map(({ path }) => path)).toEqual(['server/http/bounded-server.ts'])
  })

  it('imports down the table of stages only', () => {
    const wrong = files.flatMap((from) =>
      from.inside.filter((to) => !mayImport(from, to)).map((to) => `${from.path} → ${to}`),
    )
    expect(wrong).toEqual([])
  })

  it('imports each outside package in its one place only', () => {
    const isAllowed = (file: SourceFile, name: string) =>
      name.startsWith('node:') ||
      (IMPORTERS[name]?.some((place) => file.path === place || file.path.startsWith(`${place}/`)) ?? false)
    const wrong = files.flatMap((file) =>
      file.outside.filter((name) => !isAllowed(file, name)).map((name) => `${file.path} → ${name}`),
    )
    expect(wrong).toEqual([])
  })

  it('keeps pgoutput free of everything outside, Node included', () => {
    expect(files.filter((f) => f.folder === 'pgoutput' && f.outside.length > 0).map((f) => f.path)).toEqual(
      [],
    )
  })

  it('reads bytes of messages in pgoutput, values in the codecs, and nothing by offsets elsewhere', () => {
    const readers = files.filter((file) => file.inside.includes('pgoutput/big-endian.ts'))
    const elsewhere = readers.filter(
      ({ path, folder }) => folder !== 'pgoutput' && !path.startsWith('catalog/values/'),
    )
    // Rows are read in one walk; a list knows where it keeps tuples.
    expect(elsewhere.map(({ path }) => path).sort()).toEqual([
      'catalog/fast-row.ts',
      'changes/packed-changes.ts',
    ])
    const tags = /const \w+ = 0x[0-9a-f]{2} \/\/ '[BCRIUDTYM]'/
    const knowing = files.filter(({ folder, path }) => {
      return !['pgoutput', 'wire'].includes(folder) && tags.test(readFileSync(join(SRC, path), 'utf8'))
    })
    expect(knowing.map(({ path }) => path)).toEqual([])
  })

  it('knows the inside of Prisma Client in one file, and that of Pothos in one', () => {
    const knowing = (inside: RegExp): readonly string[] =>
      files
        .map(({ path }) => path)
        .filter((path) => inside.test(stripComments(readFileSync(join(SRC, path), 'utf8'))))
    // What a client keeps under a name that begins with an underscore; `_count` and `_all` are words of its queries.
    const ofPrisma =
      /(?:memberOf|Reflect\.get|property)\([^,]+, '_(?!_)|\._(?!count\b|all\b)[a-z]\w+|'_[a-z]+[A-Z]/
    const ofPothos = /\bpothos(?:Prisma|Exposed|Parse|Options)[A-Z]?\w*\b['\]:]/
    expect(ofPrisma.test("memberOf(memberOf(client, '_engineConfig'), 'adapter')")).toBe(true)
    expect(ofPothos.test("extensions['pothosPrismaSelect']")).toBe(true)
    // The handle of a socket is Node's.
    expect(knowing(ofPrisma)).toEqual(['catalog/prisma-runtime.ts', 'server/limits/counted-socket.ts'])
    expect(knowing(ofPothos)).toEqual(['graphql/pothos-internals.ts'])
  })

  it('casts towards Pothos in one file, which needs no `never`', () => {
    const casting = files
      .map(({ path }) => path)
      .filter((path) => path.startsWith('graphql/'))
      .filter((path) =>
        /\bas (?:never|unknown as)\b/.test(stripComments(readFileSync(join(SRC, path), 'utf8'))),
      )
    expect(casting).toEqual([])
    const toPothos = /(?<!type \w+ )\bas (?:PothosSchemaTypes\.|\w+\.)?(?:\w*Ref|\w*Builder)\b/
    expect(
      toPothos.test('ref as InterfaceRef<Types>') && toPothos.test('x as PothosSchemaTypes.SchemaBuilder'),
    ).toBe(true)
    const towardsPothos = files
      .map(({ path }) => path)
      .filter((path) => toPothos.test(stripComments(readFileSync(join(SRC, path), 'utf8'))))
    expect(towardsPothos).toEqual(['graphql/builder/untyped-builder.ts'])
  })

  it('has no function above 70 lines of code, and none with more than four parameters: the linter counts, and nobody is left out', () => {
    const { overrides } = JSON.parse(readFileSync(join(ROOT, 'biome.json'), 'utf8')) as {
      overrides: { includes: string[]; linter?: { rules?: { complexity?: object } } }[]
    }
    const ofSources = overrides.filter(({ includes }) => includes.join() === 'src/**')
    expect(ofSources.map(({ linter }) => linter?.rules?.complexity)).toContainEqual({
      noExcessiveLinesPerFunction: { level: 'error', options: { maxLines: 70 } },
      useMaxParams: { level: 'error', options: { max: 4 } },
    })
    const leftOut = files.filter(({ path }) =>
      /biome-ignore[^\n]*(?:noExcessiveLinesPerFunction|useMaxParams)/.test(
        readFileSync(join(SRC, path), 'utf8'),
      ),
    )
    expect(leftOut.map(({ path }) => path)).toEqual([])
  })

  it('says in a header that a file is the only one where no other is', () => {
    const texts = files.map(({ path }) => ({ path, text: readFileSync(join(SRC, path), 'utf8') }))
    const headerOf = (text: string): string =>
      (/^(?:#!.*\n)?\/\*\*[\s\S]*?\*\//.exec(text)?.[0] ?? '').replace(/\s+\*?\s*/g, ' ')
    const claiming = texts.filter(({ text }) => CLAIMS_TO_BE_ALONE.test(headerOf(text)))
    expect(claiming.map(({ path }) => path).sort()).toEqual(Object.keys(CLAIMS))
    for (const [owner, known] of Object.entries(CLAIMS)) {
      const knowing = texts.filter(({ text }) => known.test(stripComments(text)))
      expect(knowing.map(({ path }) => path)).toEqual([owner])
    }
  })

  it('has no import cycles', () => {
    const imports = new Map(files.map((file) => [file.path, file.inside]))
    const done = new Set<string>()
    const cycles: string[] = []
    const visit = (path: string, trail: readonly string[]): void => {
      if (trail.includes(path)) cycles.push([...trail.slice(trail.indexOf(path)), path].join(' → '))
      if (done.has(path) || trail.includes(path)) return
      for (const next of imports.get(path) ?? []) visit(next, [...trail, path])
      done.add(path)
    }
    for (const file of files) visit(file.path, [])
    expect(cycles).toEqual([])
  })

  it('has no cycle of folders within a stage either', () => {
    const imports = new Map<string, Set<string>>()
    for (const file of files) {
      for (const to of file.inside) {
        const [stage, from, target] = [file.folder, partOf(file.path), partOf(to)]
        if (stage === '' || !to.startsWith(`${stage}/`) || from === target) continue
        imports.set(from, (imports.get(from) ?? new Set()).add(target))
      }
    }
    const leadsTo = (from: string, seen = new Set<string>()): Set<string> => {
      for (const next of imports.get(from) ?? []) if (!seen.has(next)) leadsTo(next, seen.add(next))
      return seen
    }
    expect([...imports.keys()].filter((part) => leadsTo(part).has(part))).toEqual([])
  })

  it('calls no two files, and no two exported types, by one name', () => {
    const types = files
      .filter(({ path }) => path !== EMITTING)
      .flatMap(({ path }) =>
        [
          ...readFileSync(join(SRC, path), 'utf8').matchAll(/^export (?:interface|type|class|enum) (\w+)/gm),
        ].map((match) => match[1] ?? ''),
      )
    // A program begins in a main.ts.
    const names = files.map(({ path }) => basename(path)).filter((name) => name !== 'main.ts')
    expect(duplicatesOf(names)).toEqual([])
    expect(duplicatesOf(types)).toEqual([])
  })

  it('names files that exist, in its comments', () => {
    const folders = ['src', 'test', 'bench', 'docs', 'page', 'prisma']
    const known = new Set([
      ...readdirSync(ROOT),
      ...folders.flatMap((folder) => listNames(join(ROOT, folder))),
    ])
    const named = (text: string): string[] =>
      [...text.matchAll(/\/\*\*[\s\S]*?\*\/|^\s*\/\/.*$/gm)]
        .flatMap(([comment]) => comment.match(/[\w./:@-]+/g) ?? [])
        .filter((word) => !word.includes('://'))
        .map((word) => basename(word.replace(/\.$/, '')))
        .filter((name) => /^\w.*\.(?:tsx?|md)$/.test(name))
    expect(named('/** See docs/a.md, `b.ts` and ./c/d.tsx; https://e.org/f.md is not ours. */')).toEqual([
      'a.md',
      'b.ts',
      'd.tsx',
    ])
    const wrong = files.flatMap(({ path }) =>
      named(readFileSync(join(SRC, path), 'utf8'))
        .filter((name) => !known.has(name) && !OF_OTHERS.includes(name))
        .map((name) => `${path}: ${name}`),
    )
    expect(wrong).toEqual([])
  })

  it('has no comment that says nothing but the name below it', () => {
    const empty =
      /\/\*\* (?:Creates (?:it|them)|All of (?:it|them)|Names them|Reads (?:it|them)|What (?:it needs|they need|(?:they are|it is) made of)|One of them|Makes (?:it|them))\. \*\//
    expect(empty.test('/** Creates it. */')).toBe(true)
    expect(
      files.map(({ path }) => path).filter((path) => empty.test(readFileSync(join(SRC, path), 'utf8'))),
    ).toEqual([])
  })

  it('has no barrel but src/index.ts, no catch-all names, and kebab-case throughout', () => {
    const wrong = files
      .map((file) => file.path)
      .filter((path) => {
        const isBarrel = basename(path) === 'index.ts' && path !== 'index.ts'
        const hasBadName = path
          .split('/')
          .some((name) => BANNED_NAMES.test(name) || !/^[a-z0-9-]+(\.ts)?$/.test(name))
        return isBarrel || hasBadName
      })
    expect(wrong).toEqual([])
  })

  it('coerces variables in one place only: the versions of graphql-js give them in different shapes', () => {
    const users = files.filter(({ path }) =>
      readFileSync(join(SRC, path), 'utf8').includes('getVariableValues'),
    )
    expect(users.map(({ path }) => path)).toEqual(['graphql/graphql-version.ts'])
  })

  it('decides by the sentences of other programs in the files that hold them only, each of which has a test', () => {
    const deciding =
      /\bmessage\s*\)?\.(?:match|includes|startsWith|endsWith|replace|search|indexOf|lastIndexOf|split)\(|\.(?:test|exec)\((?:\w+\.)*message\)|\bmessage [!=]== ['"`]/
    const isDeciding = (text: string): boolean => deciding.test(stripComments(text))
    expect(
      ["error.message.includes('x')", '/x/.test(error.message)', "message === 'x'"].every(isDeciding),
    ).toBe(true)
    const places = files.map(({ path }) => path)
    const found = places.filter((path) => isDeciding(readFileSync(join(SRC, path), 'utf8')))
    expect(found.sort()).toEqual([
      // Of an answer of Redis, the first word: its protocol's code.
      'broker/redis/redis-connection.ts',
      'graphql/graphql-sentences.ts',
      // Its own messages.
      'option.ts',
      'runtime-sentences.ts',
    ])
  })

  it('has each fact of the catalog in one query, which set-up, the worker and doctor share', () => {
    const knowing = (fact: RegExp): readonly string[] =>
      files
        .map(({ path }) => path)
        .filter((path) => fact.test(stripComments(readFileSync(join(SRC, path), 'utf8'))))
        .sort()
    expect(knowing(/server_version_num/)).toEqual(['source/facts/server-facts.ts'])
    expect(knowing(/max_slot_wal_keep_size'\)/)).toEqual(['source/facts/server-facts.ts'])
    expect(knowing(/rolreplication/)).toEqual(['source/facts/server-facts.ts'])
    expect(knowing(/pg_current_wal_lsn\(/)).toEqual(['source/facts/server-facts.ts'])
    expect(knowing(/wal_status AS|text\('wal_status'\)/)).toEqual([
      'source/facts/slot-state.ts',
      'source/slot/slot-inventory.ts',
    ])
    expect(knowing(/pubtruncate/)).toEqual([
      'source/facts/publication-facts.ts',
      'source/published/published-tables-sql.ts',
    ])
    // What is published depends on flags of each level; of a writer a table that is being detached counts too; a stamp is of the rows themselves.
    expect(knowing(/pg_inherits/)).toEqual([
      'sets/table-stamps.ts',
      'source/db/published-relations-sql.ts',
      'source/facts/table-tree-sql.ts',
      'source/published/published-tables-sql.ts',
    ])
  })

  it('takes the embedded PostgreSQL into no entry of the package but its program', () => {
    const { exports } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
      readonly exports: Readonly<Record<string, string | Readonly<Record<string, unknown>>>>
    }
    const sources = Object.values(exports).flatMap((each) =>
      typeof each === 'string' ? [] : [relative('src', String(each['rowcast-source']))],
    )
    const imports = new Map(files.map(({ path, inside }) => [path, inside]))
    const reach = (path: string, seen: Set<string>): Set<string> => {
      for (const next of imports.get(path) ?? []) if (!seen.has(next)) reach(next, seen.add(next))
      return seen
    }
    expect(sources).toContain('index.ts')
    for (const entry of sources) {
      const reached = [...reach(entry, new Set())]
      expect(reached.filter((path) => /^(?:embedded|cli)\//.test(path))).toEqual([])
    }
    expect([...reach('cli/main.ts', new Set())]).toContain('embedded/postgres-cluster.ts')
  })

  it('says of each file of the embedded PostgreSQL what the package lacks', () => {
    const silent = files
      .filter(({ folder }) => folder === 'embedded')
      .map(({ path }) => path)
      .filter((path) => {
        const [header = ''] = readFileSync(join(SRC, path), 'utf8').split('*/')
        return !/\b[Tt]he (?:npm )?package\b/.test(header)
      })
    expect(silent).toEqual([])
  })

  it('asks the catalog for nothing that opens the tables: it would wait for whoever locks one', () => {
    const opening =
      /\bpg_(publication_tables|get_publication_tables|partition_tree|(table|indexes|total_relation|relation)_size)\b/
    const asking = files
      .map(({ path }) => path)
      .filter((path) => opening.test(stripComments(readFileSync(join(SRC, path), 'utf8'))))
    // doctor's sizes have a lock_timeout of their own.
    expect(asking).toEqual(['cli/doctor/doctor-facts.ts'])
  })

  it('asks the wall clock for wall times only: it may be set at any moment, and measures nothing', () => {
    // When a session or a ban ends, when a transaction committed, what is shown as a time.
    const WALL_TIMES = [
      ...['better-auth/auth-session-watch.ts', 'better-auth/auth-sessions.ts', 'cli/plan.ts'],
      ...['graphql/activity/activity-log.ts', 'observe/change-counters.ts'],
      ...['observe/delivery-counters.ts', 'observe/tracing.ts'],
      ...['server/session/session-keeper.ts', 'wire/clock.ts'],
    ]
    const asking = files
      .map(({ path }) => path)
      .filter((path) =>
        /\bDate\.now\b|\bnew Date\(\)/.test(stripComments(readFileSync(join(SRC, path), 'utf8'))),
      )
    expect(asking.toSorted()).toEqual(WALL_TIMES.toSorted())
  })

  it('makes async iterators from one class and one queue: nobody writes one by hand', () => {
    const byHand =
      /\[Symbol\.asyncIterator\](?:\(\)(?::| \{)|: )|\bimplements Async(?:Generator|Iterator|Iterable)/
    expect(byHand.test('{ [Symbol.asyncIterator]: () => it }')).toBe(true)
    const found = files
      .map(({ path }) => path)
      .filter((path) => byHand.test(stripComments(readFileSync(join(SRC, path), 'utf8'))))
    expect(found).toEqual(['async-iteration.ts'])
  })

  it('keeps nothing beside objects of others but what cannot be kept in them', () => {
    // What each is of, and why it is not a member of it.
    const BESIDE_OBJECTS: Readonly<Record<string, string>> = {
      'better-auth/realtime-state.ts': 'a rowcast, a plugin of Better Auth: both are public, this is not',
      'catalog/values/exact-json.ts': 'a document of a Json column, which is shown as it is',
      'catalog/values/null-list.ts': 'a list of a row, which is shown as it is',
      'catalog/values/unrepresentable-value.ts': 'a Date of a row',
      'client/document-text.ts': 'a document of the application: its text is made once',
      'graphql/audience.ts': "the events that a subscription is given, Pothos' and the application's as well",
      'graphql/builder/builder-state.ts': 'a builder of Pothos',
      'graphql/policy/selected-models.ts': 'a field of a document, which graphql-js keeps parsed',
      'graphql/reading/paged-client.ts': 'a Prisma Client, of which each member is a model',
      'graphql/reading/read-pool.ts': 'the context of an operation',
      'graphql/reading/result-budgets.ts': 'the context of a subscription, whose results are several',
      'graphql/schema-names.ts': 'a catalog, which is generated: its names are made once',
      'graphql/subgraph/entity-selection.ts': 'a field of a document',
      'graphql/subscription/image-rows.ts': 'a row, which is shown as it is',
      'graphql/subscription/own-code.ts': 'a type of graphql-js: it is looked at once',
      'server/execution/operation-shape.ts': 'a document',
      'server/execution/slice-lists.ts': 'a field of a schema of the application: it is sliced once',
      'server/http/incoming-request.ts':
        "a request of Node's, whose constructor runs before fields are there",
      'sets/fence.ts': 'a Prisma Client of the application: it has answered from a standby',
      'wire/shared-listener.ts': 'an AbortSignal of the application',
    }
    const keeping = files
      .map(({ path }) => path)
      .filter((path) => /^(?:export )?const [^=\n]*= new Weak/m.test(readFileSync(join(SRC, path), 'utf8')))
    expect(keeping.toSorted()).toEqual(Object.keys(BESIDE_OBJECTS).toSorted())
  })

  it('prints in one place only: what escapes the text of others', () => {
    const textOf = (path: string): string => stripComments(readFileSync(join(SRC, path), 'utf8'))
    const paths = files.map(({ path }) => path)
    const printing = paths.filter((path) =>
      /\b(stdout|stderr)\b\s*[.,)]|\bstyleText\b|\bconsole\b(?!-)/.test(textOf(path)),
    )
    // The program makes its two terminals, the library logs to the console, and initdb's own words are read.
    expect(printing.toSorted()).toEqual([
      'cli/main.ts',
      'console-logger.ts',
      'embedded/initialize-data-folder.ts',
      'embedded/server-user.ts',
    ])
    // Nobody writes a style or a cursor movement of a terminal by hand.
    expect(paths.filter((path) => /\\u001b|\\x1b|\\e\[/i.test(textOf(path)))).toEqual(['cli/terminal.ts'])
    // A line break within a line would be escaped: lines are arguments.
    const broken = paths.filter((path) => /\bprint\([^)]*\\n/.test(textOf(path)))
    expect(broken).toEqual([])
  })

  it(`has no file of less than ${CRUMB_LINES} lines of code for one other alone, but for those that say why`, () => {
    const importersOf = new Map<string, SourceFile[]>()
    for (const file of files)
      for (const path of new Set(file.inside)) importersOf.set(path, [...(importersOf.get(path) ?? []), file])
    const crumbs = files.flatMap(({ path, lines, codeLines }) => {
      const [only, ...others] = importersOf.get(path) ?? []
      const isNear = only !== undefined && others.length === 0 && dirname(only.path) === dirname(path)
      return isNear && codeLines < CRUMB_LINES && only.lines + lines <= JOINED_MAX ? [path] : []
    })
    expect(crumbs.sort()).toEqual(Object.keys(CRUMBS))
  })

  it(`has no file above ${LINES_MAX} lines, but for the error table`, () => {
    const long = files.filter((file) => file.lines > LINES_MAX && file.path !== 'errors.ts')
    expect(long.map((file) => `${file.path}: ${file.lines}`)).toEqual([])
  })
})

describe('error table', () => {
  const sources = listFiles(SRC).map((file) => readFileSync(file, 'utf8'))

  it('is the one place that says what is done about a code: no other file has a list of codes', () => {
    const code = `'(?:${Object.keys(ERRORS).join('|')})'`
    const list = new RegExp(`${code}\\s*,\\s*${code}|\\n\\s*(?:${Object.keys(ERRORS).join('|')}): `)
    const isList = (text: string): boolean => list.test(stripComments(text))
    expect(isList("new Set(['CATALOG_DRIFT', 'BUG'])") && isList('{\n  BUG: 400,\n}')).toBe(true)
    const others = files.filter(({ path }) => path !== 'errors.ts')
    expect(others.filter(({ path }) => isList(readFileSync(join(SRC, path), 'utf8')))).toEqual([])
  })
  // What is generated comes and goes while other tests run.
  const tests = listFiles(join(ROOT, 'test'))
    .filter((file) => !relative(ROOT, file).includes('generated'))
    .map((file) => readFileSync(file, 'utf8'))

  it.each(Object.keys(ERRORS))('%s is thrown somewhere, shown by a test, and says what to do', (code) => {
    const { means, hint } = ERRORS[code as keyof typeof ERRORS]
    expect(means.length).toBeGreaterThan(10)
    expect(hint.length).toBeGreaterThan(10)
    const uses = sources.filter((text) => text.includes(`'${code}'`)).length
    expect(uses, `no source throws ${code}`).toBeGreaterThan(0)
    expect(
      tests.some((text) => text.includes(code)),
      `no test shows ${code}`,
    ).toBe(true)
  })
})

it('has types of every entry for projects whose TypeScript reads no `exports`, too', () => {
  const { exports, typesVersions } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
    exports: Record<string, string | { types: string }>
    typesVersions: { '*': Record<string, readonly string[]> }
  }
  const entries = Object.entries(exports).flatMap(([name, entry]) =>
    typeof entry === 'string' || name === '.' ? [] : [[name.slice(2), [entry.types]] as const],
  )
  expect(entries.length).toBeGreaterThan(4)
  expect(typesVersions['*']).toEqual(Object.fromEntries(entries))
})

/**
 * Names of files at any depth, but those of packages, which are not in every checkout, and generated ones, which other tests make
 * and remove meanwhile.
 */
function listNames(folder: string): readonly string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    if (!entry.isDirectory()) return [entry.name]
    return ['node_modules', 'generated'].includes(entry.name) ? [] : listNames(join(folder, entry.name))
  })
}
