/** A real Chromium for tests: the one that is installed. Nothing is downloaded. */
import { existsSync } from 'node:fs'
import { type Browser, chromium } from 'playwright-core'

const CANDIDATES = [
  process.env['CHROMIUM_PATH'],
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
]

/** Path of the browser found; null, with one printed line, where there is none. */
export function findBrowser(): string | null {
  const found = CANDIDATES.find((path) => path !== undefined && existsSync(path))
  if (found !== undefined) return found
  process.stdout.write('No Chromium was found (set CHROMIUM_PATH): the browser tests are skipped.\n')
  return null
}

/** Starts it headless, with no connections of its own. */
export function launchBrowser(executablePath: string): Promise<Browser> {
  return chromium.launch({
    executablePath,
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  })
}
