import type { RankImage } from '../src/index.ts'

/** What the page says of a failure: what is wrong, and what to do. */
export interface Failure {
  readonly message: string
  readonly hint?: string
}

function element<T extends HTMLElement>(id: string): T {
  return document.getElementById(id) as T
}

export const form = element<HTMLFormElement>('form')
export const cancelButton = element<HTMLButtonElement>('cancel')

const drawButton = element<HTMLButtonElement>('draw')
const status = element('status')
const progress = element<HTMLProgressElement>('progress')
const figure = element('figure')
const canvas = element<HTMLCanvasElement>('picture')
const caption = element('caption')

/** From the press of a button to the picture, the error or the end. */
export function showBusy(busy: boolean): void {
  drawButton.disabled = busy
  cancelButton.hidden = !busy
  progress.hidden = !busy
}

/** @param share of what is to be done, 0 to 1; undefined while it cannot be told */
export function showProgress(text: string, share?: number): void {
  status.textContent = text
  if (share === undefined) progress.removeAttribute('value')
  else progress.value = share
}

export function showPreview(image: RankImage, step: number): void {
  paint(image, '')
  canvas.dataset.preview = String(step)
}

export function showPicture(image: RankImage, prompt: string, about: string): void {
  paint(image, about)
  delete canvas.dataset.preview
  canvas.ariaLabel = prompt
}

export function showFailure(failure: Failure | undefined): void {
  element('error').hidden = failure === undefined
  element('error-message').textContent = failure?.message ?? ''
  element('error-hint').textContent = failure?.hint ?? ''
}

function paint({ width, height, data }: RankImage, about: string): void {
  const pixels = new ImageData(width, height)
  for (let i = 0; i < width * height; i++) {
    pixels.data.set(data.subarray(3 * i, 3 * i + 3), 4 * i)
    pixels.data[4 * i + 3] = 255
  }
  canvas.width = width
  canvas.height = height
  canvas.getContext('2d')?.putImageData(pixels, 0, 0)
  caption.textContent = about
  figure.hidden = false
}
