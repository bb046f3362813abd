import type { Browser, Page } from 'playwright-core'

/** Only to end what hangs: a software GPU on a busy machine takes its time. */
export const TIMEOUT = 240_000 // ms

/** A page with what it said on its console, and what it drew on the way. */
export interface WatchedPage {
  readonly page: Page
  /** Errors and warnings of the page and its workers. */
  readonly complaints: string[]
}

export async function openPage(
  browser: Browser,
  url: string,
  prepare?: (page: Page) => Promise<unknown>,
): Promise<WatchedPage> {
  const page = await browser.newPage()
  page.setDefaultTimeout(TIMEOUT)
  const complaints: string[] = []
  page.on('pageerror', (error) => complaints.push(String(error)))
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) complaints.push(message.text())
  })
  await prepare?.(page)
  await page.goto(url)
  return { page, complaints }
}

/** 8-bit RGB, rows from the top. */
export interface Picture {
  readonly width: number
  readonly height: number
  readonly data: number[]
}

/** Installs `pictureOf` and keeps every preview that the canvas shows. */
export async function watchCanvas(page: Page): Promise<void> {
  await page.addInitScript(() => {
    const pictureOf = () => {
      // A copy, for reading the page's own canvas again and again would draw a warning.
      const { width, height } = document.querySelector('canvas')!
      const copy = new OffscreenCanvas(width, height).getContext('2d', { willReadFrequently: true })!
      copy.drawImage(document.querySelector('canvas')!, 0, 0)
      const { data } = copy.getImageData(0, 0, width, height)
      return { width, height, data: [...data].filter((_, i) => i % 4 < 3) }
    }
    const previews: unknown[] = []
    Object.assign(globalThis, { pictureOf, previews })
    document.addEventListener('DOMContentLoaded', () => {
      const canvas = document.querySelector('canvas')!
      new MutationObserver(() => {
        const { preview } = canvas.dataset
        if (preview) previews.push({ step: Number(preview), ...pictureOf() })
      }).observe(canvas, { attributeFilter: ['data-preview'] })
    })
  })
}

declare const pictureOf: () => Picture
declare const previews: (Picture & { step: number })[]

export const readPicture = (page: Page): Promise<Picture> => page.evaluate(() => pictureOf())
export const readPreviews = (page: Page): Promise<(Picture & { step: number })[]> => page.evaluate(() => previews)
