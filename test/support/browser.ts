/** A real Chromium for tests: the one that is installed. Nothing is downloaded. */
import { existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { type Browser, chromium, type Page } from 'playwright-core'

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
export function launchBrowser(executablePath: string, more: readonly string[] = []): Promise<Browser> {
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
      ...more,
    ],
  })
}

/** Starts it, and stops it at the end of the test. */
export async function openBrowser(): Promise<Browser & AsyncDisposable> {
  const browser = await launchBrowser(findBrowser() ?? '')
  return Object.assign(browser, { [Symbol.asyncDispose]: () => browser.close() })
}

const AXE = createRequire(import.meta.url).resolve('axe-core/axe.min.js')

/**
 * What axe-core finds wrong with a page, by WCAG 2.2 A and AA and its own best practices; one line each.
 * @param within a part of the page
 */
export async function findAccessibilityFaults(page: Page, within = 'html'): Promise<readonly string[]> {
  await page.evaluate(readFileSync(AXE, 'utf8'))
  return page.evaluate(async (selector) => {
    const { axe } = globalThis as unknown as { axe: { run(selector: string): Promise<AxeResults> } }
    const { violations } = await axe.run(selector)
    return violations.flatMap(({ id, nodes }) => nodes.map(({ target }) => `${id}: ${target.join(' ')}`))
  }, within)
}

interface AxeResults {
  readonly violations: readonly {
    readonly id: string
    readonly nodes: readonly { readonly target: readonly string[] }[]
  }[]
}
