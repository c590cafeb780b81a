import { chmod, chown, mkdir, readdir, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { claimFirstFolder, claimFolder } from '../../src/embedded/claim-folder.ts'
import {
  chooseDataFolder,
  type DataFolderFacts,
  listDataFolderParents,
} from '../../src/embedded/data-folder.ts'
import { openFolder } from '../support/postgres.ts'

const FACTS: DataFolderFacts = {
  projectFolder: '/home/ada/shop',
  isRoot: false,
  uid: 1000,
  homeFolder: '/home/ada',
  temporaryFolder: '/tmp',
  env: {},
}

test('the project comes first, then the place for data of the user or the system, then the temporary folder', () => {
  const [inProject, ofUser, temporary] = listDataFolderParents(FACTS)
  expect(inProject).toBe('/home/ada/shop/.rowcast')
  expect(ofUser).toMatch(/^\/home\/ada\/\.local\/share\/rowcast\/shop-[0-9a-f]{12}$/)
  expect(temporary).toMatch(/^\/tmp\/rowcast-1000\/shop-[0-9a-f]{12}$/)
  expect(listDataFolderParents({ ...FACTS, isRoot: true, uid: 0 })[1]).toMatch(/^\/var\/lib\/rowcast\/shop-/)
  expect(listDataFolderParents({ ...FACTS, env: { XDG_DATA_HOME: '/data' } })[1]).toMatch(
    /^\/data\/rowcast\/shop-/,
  )
})

test('two projects of the same name keep their data apart; odd names stay one folder', () => {
  const other = listDataFolderParents({ ...FACTS, projectFolder: '/home/eve/shop' })[2]
  expect(other).not.toBe(listDataFolderParents(FACTS)[2])
  expect(listDataFolderParents({ ...FACTS, projectFolder: '/srv/a b;c' })[2]).toMatch(/\/a_b_c-[0-9a-f]{12}$/)
})

test('an ordinary project keeps its data in .rowcast, at every call', async () => {
  await using folder = await openFolder()
  const chosen = chooseDataFolder(folder.path, 18)
  expect(chosen).toEqual({ folder: join(folder.path, '.rowcast', 'postgres-18'), isInProject: true })
  expect(chooseDataFolder(folder.path, 18)).toEqual(chosen)
  expect(await readdir(folder.path)).toEqual(['.rowcast'])
})

test('a claimed folder is open to a server of another user under a strict umask too, and closed to other writers', async () => {
  await using folder = await openFolder()
  const umask = process.umask(0o077)
  onTestFinished(() => {
    process.umask(umask)
  })
  const deep = join(folder.path, 'a', 'b', 'c')
  const user = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 }
  expect(claimFolder(deep, user)).toBe(true)
  for (const path of [deep, join(folder.path, 'a')]) expect((await stat(path)).mode & 0o777).toBe(0o755)
  await chmod(deep, 0o777)
  expect(claimFolder(deep, null)).toBe(true)
  expect((await stat(deep)).mode & 0o777).toBe(0o755)
  const ours = join(folder.path, 'ours')
  expect(claimFolder(ours, null)).toBe(true)
  expect((await stat(ours)).mode & 0o777).toBe(0o700)
})

test('when no folder can be used, all that were tried are named', async () => {
  await using folder = await openFolder()
  const file = join(folder.path, 'file')
  await writeFile(file, '')
  const candidates = [join(file, 'first'), join(file, 'second')]
  expect(() => claimFirstFolder(candidates, null)).toThrow(
    expect.objectContaining({
      code: 'EMBEDDED_NO_FOLDER',
      message: expect.stringContaining(candidates.join(', ')),
    }),
  )
  expect(claimFirstFolder([...candidates, folder.path], null)).toBe(folder.path)
})

test('a file in the way or a folder of somebody else is not claimed', async ({ skip }) => {
  await using folder = await openFolder()
  const file = join(folder.path, 'file')
  await writeFile(file, '')
  expect(claimFolder(file, null)).toBe(false)
  expect(claimFolder(join(file, 'below'), null)).toBe(false)
  const theirs = join(folder.path, 'theirs')
  await mkdir(theirs)
  if (process.getuid?.() !== 0) skip('giving a folder away takes root')
  await chown(theirs, 12_345, 12_345)
  expect(claimFolder(theirs, null)).toBe(false)
})
