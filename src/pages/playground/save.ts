/// <reference lib="dom" />
/** Saves text and pictures: as a file, or on the clipboard. Nothing is sent over the network. */
import { byId } from '../shared/dom'

/** Saves text as a file. */
export function saveText(name: string, type: string, text: string): void {
  saveBlob(name, new Blob([text], { type }))
}

/** Saves an SVG picture as PNG, at twice its size. @throws Error when the browser cannot draw it */
export async function savePng(name: string, svg: string): Promise<void> {
  const image = new Image()
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(svg)}`
  await image.decode()
  const canvas = document.createElement('canvas')
  canvas.width = image.naturalWidth * 2
  canvas.height = image.naturalHeight * 2
  const context = canvas.getContext('2d')!
  context.scale(2, 2)
  context.drawImage(image, 0, 0)
  const blob = await new Promise<Blob | null>((done) => canvas.toBlob(done, 'image/png'))
  if (blob === null) throw new Error('the browser could not write the image')
  saveBlob(name, blob)
}

/** Copies text to the clipboard. @param what names it in the message to the reader */
export async function copy(text: string, what: string): Promise<void> {
  try {
    await navigator.clipboard.writeText(text)
    say(`${what} copied.`)
  } catch {
    say(`${what} could not be copied: the browser does not allow it here.`)
  }
}

/** Shows a message, which a screen reader reads aloud. */
export function say(text: string): void {
  byId('said').textContent = text
}

function saveBlob(name: string, blob: Blob): void {
  const link = document.createElement('a')
  link.href = URL.createObjectURL(blob)
  link.download = name
  link.click()
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000)
  say(`${name} saved.`)
}
