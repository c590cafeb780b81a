/**
 * `npm run api`: writes what each entry of the package exports, as docs/api/*.api.md, from the declarations that
 * `npm run build` made; `-- --check` only compares.
 */
import { spawnSync } from 'node:child_process'
import { copyFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Extractor, ExtractorConfig, ExtractorLogLevel } from '@microsoft/api-extractor'

const ROOT = join(import.meta.dirname, '..')
const REPORTS = join(ROOT, 'docs/api')
const PACKAGE = join(ROOT, 'package.json')
const QUIET = { default: { logLevel: ExtractorLogLevel.None } }

/** What `exports` of package.json says of one entry. */
type Entry = string | { readonly types: string }

const COMPILER_OPTIONS = {
  ...{ target: 'es2023', lib: ['es2023', 'dom', 'esnext.disposable'], strict: true, skipLibCheck: true },
  ...{ module: 'nodenext', moduleResolution: 'nodenext', allowImportingTsExtensions: true, noEmit: true },
  types: ['node'],
}

/** Writes the report of one entry into the folder. */
function extract(name: string, types: string, folder: string): void {
  const mainEntryPointFilePath = join(ROOT, types)
  const reportFileName = `${name}.api.md`
  const config = ExtractorConfig.prepare({
    configObject: {
      projectFolder: ROOT,
      mainEntryPointFilePath,
      compiler: { overrideTsconfig: { compilerOptions: COMPILER_OPTIONS, files: [mainEntryPointFilePath] } },
      apiReport: {
        enabled: true,
        reportFileName,
        reportFolder: folder,
        reportTempFolder: join(folder, 'new'),
      },
      ...{ docModel: { enabled: false }, dtsRollup: { enabled: false }, tsdocMetadata: { enabled: false } },
      messages: {
        ...{ compilerMessageReporting: QUIET, tsdocMessageReporting: QUIET },
        // Named in the report: what is part of the face without having a name there.
        extractorMessageReporting: {
          ...QUIET,
          'ae-forgotten-export': { logLevel: ExtractorLogLevel.None, addToApiReportFile: true },
        },
      },
    },
    configObjectFullPath: join(ROOT, 'api-extractor.json'),
    packageJsonFullPath: PACKAGE,
  })
  const messageCallback = (message: { handled: boolean; logLevel: string }) => {
    message.handled = message.logLevel !== ExtractorLogLevel.Error
  }
  const { succeeded } = Extractor.invoke(config, { localBuild: true, messageCallback })
  if (!succeeded) throw new Error(`The exports of ${types} could not be read.`)
}

/** Prints what differs, with git; without git there is the .new file. */
function printDifference(known: string, report: string): void {
  spawnSync('git', ['diff', '--no-index', '--no-color', known, report], { stdio: ['ignore', 2, 2] })
}

const isCheck = process.argv.includes('--check')
const { exports } = JSON.parse(await readFile(PACKAGE, 'utf8')) as { exports: Record<string, Entry> }
const folder = await mkdtemp(join(tmpdir(), 'rowcast-api-'))
try {
  const changed: string[] = []
  for (const [path, entry] of Object.entries(exports)) {
    if (typeof entry === 'string') continue
    const name = path === '.' ? 'rowcast' : `rowcast-${path.slice(2)}`
    extract(name, entry.types, folder)
    const file = `${name}.api.md`
    const report = await readFile(join(folder, file), 'utf8')
    const known = await readFile(join(REPORTS, file), 'utf8').catch(() => '')
    if (report !== known) changed.push(file)
    if (!isCheck) await copyFile(join(folder, file), join(REPORTS, file))
    else if (report !== known) {
      await writeFile(join(REPORTS, `${file}.new`), report)
      printDifference(known === '' ? '/dev/null' : join(REPORTS, file), join(REPORTS, `${file}.new`))
    }
  }
  if (isCheck && changed.length > 0) {
    process.stderr.write(
      `What the package exports is not what docs/api says: ${changed.join(', ')}.\n` +
        'Above is what differs, in full in the .new file beside it. Where it is meant: npm run api, and a line in CHANGELOG.md.\n',
    )
    process.exitCode = 1
  }
} finally {
  await rm(folder, { recursive: true })
}
