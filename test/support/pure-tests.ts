/**
 * Which tests can share a process, one file after the other: those whose text names nothing that a process has one of. `npm test`
 * runs them so, in the projects `together`, `unit-together` and `pg-together`: half of what such a file takes is a process of its own that imports the library again.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** Globals and clocks that a test may change, servers and processes that it may leave behind, memory that it may measure. */
const OF_THE_PROCESS = [
  /process\.|globalThis|console\.|fetch\(|Symbol\.for|stackTraceLimit|Date\.now|performance\.|memoryUsage|heap|gc\(/,
  /useFakeTimers|vi\.(?:mock|stub|spyOn|fn\()|beforeAll|afterAll|runInNewContext|registerHooks|mkdtemp|setFlags/,
  /child_process|node:(?:async_hooks|cluster|dgram|events|fs|http|http2|net|os|tls|v8|vm|worker)|from 'ws'/,
  /openServer|server-fixture/,
]

/** The same of tests that close what they open, as those with PostgreSQL do: servers and sockets are theirs, processes, clocks, memory and descriptors are not. */
const OF_THE_PROCESS_WITH_SERVERS = [
  /process\.|globalThis|console\.|Symbol\.for|stackTraceLimit|memoryUsage|heap|gc\(/i,
  /useFakeTimers|vi\.(?:mock|stub|spyOn)|runInNewContext|registerHooks|setFlags/,
  /child_process|node:(?:async_hooks|cluster|dgram|v8|vm|worker)|descriptor/,
]

const IS_OF_UNIT = (file: string): boolean => !/\.(?:pg|package)\.test\.ts$/.test(file)

/** Paths below the root, as the configuration of Vitest names them. */
export function listPureTests(root: string): readonly string[] {
  return listTests(root, OF_THE_PROCESS).filter(IS_OF_UNIT)
}

/** Those among the others that open servers and sockets, and close them. */
export function listSharingTests(root: string): readonly string[] {
  const pure = new Set(listPureTests(root))
  return listTests(root, OF_THE_PROCESS_WITH_SERVERS).filter((file) => IS_OF_UNIT(file) && !pure.has(file))
}

/** The same of tests with PostgreSQL. */
export function listSharingPgTests(root: string): readonly string[] {
  return listTests(root, OF_THE_PROCESS_WITH_SERVERS).filter((file) => file.endsWith('.pg.test.ts'))
}

/** Those whose text has none of the words. */
function listTests(root: string, words: readonly RegExp[]): readonly string[] {
  return readdirSync(join(root, 'test'), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.test.ts') && !file.includes('node_modules'))
    .map((file) => `test/${file}`)
    .filter((file) => {
      const text = readFileSync(join(root, file), 'utf8')
      return !words.some((word) => word.test(text))
    })
    .sort()
}
