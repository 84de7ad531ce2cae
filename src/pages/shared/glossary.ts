/// <reference lib="dom" />
/// <reference lib="dom.iterable" />
/** Opens the page's glossary (see `html.ts`) from every element that offers it. */
import { byId } from './dom'

/** Wires the elements with `data-glossary`. */
export function openGlossary(): void {
  for (const element of document.querySelectorAll('[data-glossary]')) {
    element.addEventListener('click', () => byId<HTMLDialogElement>('glossary').showModal())
  }
}
