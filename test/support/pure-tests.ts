/**
 * Which unit tests can share a process, one file after the other: those whose text names nothing that a process has one of. `npm test`
 * runs them so, in the project `together`: half of what such a file takes is a process of its own that imports the library again.
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

/** Paths below the root, as the configuration of Vitest names them. */
export function listPureTests(root: string): readonly string[] {
  return readdirSync(join(root, 'test'), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.test.ts') && !/\.(?:pg|package)\.test\.ts$|node_modules/.test(file))
    .map((file) => `test/${file}`)
    .filter((file) => {
      const text = readFileSync(join(root, file), 'utf8')
      return !OF_THE_PROCESS.some((words) => words.test(text))
    })
    .sort()
}
