/** Pictures for the documentation, where `npm run screenshots` asks for them: on a phone, a tablet and a desk, light and dark. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Page } from 'playwright-core'

/** Where they are written to; undefined in tests. */
const FOLDER = process.env['ROWCAST_SCREENSHOTS']

/** Whether they are asked for. */
export const ARE_SCREENSHOTS_WANTED = FOLDER !== undefined

const VIEWPORTS = [
  { width: 390, height: 780 },
  { width: 768, height: 900 },
  { width: 1440, height: 860 },
]

/**
 * Takes `<name>-<width>-<light or dark>.webp` of each; nothing where none are asked for.
 * @param settle called before each: what is to be seen may have moved
 */
export async function takeScreenshots(
  page: Page,
  name: string,
  { settle, height }: { readonly settle?: () => PromiseLike<void>; readonly height?: number } = {},
): Promise<void> {
  if (FOLDER === undefined) return
  for (const viewport of VIEWPORTS) {
    await page.setViewportSize({ ...viewport, ...(height === undefined ? {} : { height }) })
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' })
      await settle?.()
      const picture = await toWebp(page, await page.screenshot())
      await writeFile(join(FOLDER, `${name}-${viewport.width}-${colorScheme}.webp`), picture)
    }
  }
}

/** A third of a PNG; the browser has the encoder. */
async function toWebp(page: Page, png: Buffer): Promise<Buffer> {
  const blank = await page.context().browser()?.newPage()
  if (blank === undefined) throw new Error('The browser is gone.')
  try {
    const url = await blank.evaluate(async (base64) => {
      const image = new Image()
      image.src = `data:image/png;base64,${base64}`
      await image.decode()
      const canvas = Object.assign(document.createElement('canvas'), {
        width: image.width,
        height: image.height,
      })
      canvas.getContext('2d')?.drawImage(image, 0, 0)
      return canvas.toDataURL('image/webp', 0.9)
    }, png.toString('base64'))
    return Buffer.from(url.slice(url.indexOf(',') + 1), 'base64')
  } finally {
    await blank.close()
  }
}
