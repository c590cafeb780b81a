/**
 * `npm run test:containers`: the tests of run-matrix.ts on `postgres:14` to `postgres:18` in containers, or on the majors
 * named as arguments. `--smoke` runs a few of them. ROWCAST_TEST_CONTAINER_IMAGE names another image than `postgres`.
 */
import { getContainerRuntimeClient } from 'testcontainers'
import { listVersionedTests, parseMajors, runMajors } from './major-runs.ts'

const SMOKE_TESTS = [
  'test/catalog/row-images.pg.test.ts',
  'test/catalog/values/type-table.pg.test.ts',
  'test/rowcast.pg.test.ts',
  'test/support/database.pg.test.ts',
]

/** Why there is no container engine, in few words; null where there is one. */
async function findEngineFault(): Promise<string | null> {
  try {
    await getContainerRuntimeClient()
    return null
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

async function run(args: readonly string[]): Promise<number> {
  const fault = await findEngineFault()
  if (fault !== null) {
    process.stderr.write(`No container engine is reachable, so no test ran: ${fault.split('\n')[0]}\n`)
    return 1
  }
  const image = process.env['ROWCAST_TEST_CONTAINER_IMAGE'] || 'postgres'
  const isGreen = await runMajors({
    title: `containers of ${image}`,
    majors: parseMajors(args.filter((arg) => arg !== '--smoke')),
    files: args.includes('--smoke')
      ? SMOKE_TESTS
      : listVersionedTests().filter((file) => !file.startsWith('test/embedded/')),
    environment: { ROWCAST_TEST_CONTAINER_IMAGE: image },
  })
  return isGreen ? 0 : 1
}

process.exitCode = await run(process.argv.slice(2))
