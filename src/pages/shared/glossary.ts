/// <reference lib="dom" />
/// <reference lib="dom.iterable" />
/** Opens the page's glossary (see `html.ts`). */
import { byId } from './dom'

/** Makes every element with `data-glossary` open the glossary when it is clicked. */
export function openGlossary(): void {
  for (const element of document.querySelectorAll('[data-glossary]')) {
    element.addEventListener('click', () => byId<HTMLDialogElement>('glossary').showModal())
  }
}
