import { createRequire } from 'node:module'
import { defineConfig } from 'vitest/config'
import { PATIENCE_MS } from './test/support/patience-ms.ts'
import { listPureTests, listSharingPgTests, listSharingTests } from './test/support/pure-tests.ts'
import { WORKERS } from './test/support/workers.ts'

/** Tests with programs of others that `npm install` does not bring: test/peers/package.json has them. */
const PEERS = [
  'test/adapters/{*.pg,tanstack-db-ends}.test.ts',
  'test/browser/*.test.ts',
  'test/client/{caches,relay}.pg.test.ts',
  'test/observe/tracing*.test.ts',
  'test/proxies/nginx.test.ts',
  'test/server/apollo-multipart.test.ts',
  'test/server/restart-clients.pg.test.ts',
  'test/servers/*.test.ts',
]

/** What `together` and `unit-together` have of `unit`, and `pg-together` of `pg`: nothing, unless all tests run; `--project unit` finds every unit test. */
const isTogether = process.env['ROWCAST_TEST_TOGETHER'] === '1'
const TOGETHER = isTogether ? listPureTests(import.meta.dirname) : []
const UNIT_TOGETHER = isTogether ? listSharingTests(import.meta.dirname) : []
const PG_TOGETHER = isTogether ? listSharingPgTests(import.meta.dirname) : []

/** A process takes the next file only where that one may share it too: they come first, without others between them. */
const AFTER_TOGETHER = { groupOrder: 3 }

const WITH_POSTGRES = {
  globalSetup: ['test/support/shared-postgres.ts'],
  testTimeout: 120_000,
  hookTimeout: 180_000,
}

const resultsFile = process.env['ROWCAST_TEST_RESULTS']

export default defineConfig({
  // 'rowcast' itself, as the generated code imports it, is the source and not a build.
  ssr: { resolve: { conditions: ['rowcast-source', 'node', 'development|production'] } },
  // One copy of graphql: the file that Node.js gives to packages. Vite would give our files another one.
  resolve: { alias: [{ find: /^graphql$/, replacement: createRequire(import.meta.url).resolve('graphql') }] },
  test: {
    // Vitest leaves one core idle by default; half of a machine of two.
    maxWorkers: WORKERS,
    // CI reads the counts from a file; see .ci/run.
    reporters: resultsFile === undefined ? ['default'] : ['default', ['json', { outputFile: resultsFile }]],
    // vi.waitUntil and vi.waitFor wait as long.
    setupFiles: ['test/support/patience.ts'],
    expect: { poll: { timeout: PATIENCE_MS } },
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          sequence: AFTER_TOGETHER,
          include: ['test/**/*.test.ts'],
          exclude: [
            '**/node_modules/**',
            'test/**/*.{pg,package}.test.ts',
            ...PEERS,
            ...TOGETHER,
            ...UNIT_TOGETHER,
          ],
          // A net, not a measure: two busy cores take their time.
          testTimeout: 60_000,
        },
      },
      {
        extends: true,
        test: {
          name: 'together',
          include: [...TOGETHER],
          exclude: ['**/node_modules/**', ...PEERS],
          isolate: false,
          testTimeout: 60_000,
        },
      },
      {
        extends: true,
        test: {
          name: 'unit-together',
          sequence: { groupOrder: 2 },
          include: [...UNIT_TOGETHER],
          exclude: ['**/node_modules/**', ...PEERS],
          isolate: false,
          testTimeout: 60_000,
        },
      },
      {
        extends: true,
        test: {
          name: 'pg',
          sequence: AFTER_TOGETHER,
          include: ['test/**/*.pg.test.ts'],
          exclude: ['**/node_modules/**', ...PEERS, ...PG_TOGETHER],
          ...WITH_POSTGRES,
        },
      },
      {
        extends: true,
        test: {
          name: 'pg-together',
          sequence: { groupOrder: 1 },
          include: [...PG_TOGETHER],
          exclude: ['**/node_modules/**', ...PEERS],
          isolate: false,
          ...WITH_POSTGRES,
        },
      },
      {
        extends: true,
        test: {
          name: 'peers',
          include: [...PEERS, 'test/docs.test.ts'],
          ...WITH_POSTGRES,
        },
      },
      {
        extends: true,
        test: { name: 'tools', include: ['tools/*.test.ts'], testTimeout: 60_000 },
      },
      {
        extends: true,
        test: {
          name: 'package',
          include: ['test/**/*.package.test.ts'],
          globalSetup: ['test/support/shared-postgres.ts', 'test/support/packed-tarball.ts'],
          testTimeout: 240_000,
          hookTimeout: 600_000,
        },
      },
    ],
  },
})
