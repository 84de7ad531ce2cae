/**
 * An oracle for an emulator that has page tables of its own. The model walks them, so nothing is copied into a GuestTable;
 * after each step the emulator's shadow table is compared with the model's.
 */
import { LeafFlag, Vm, type GuestWalker } from 'nested-rmap'

const PAGE = 0x10000
const LPID = 5

/** The emulator: pages by number, in L1's table for the L2 and in the shadow table. Replace it by yours. */
class Emulator implements GuestWalker {
  readonly pages = new Map<number, number>()
  readonly shadow = new Map<number, number>()

  walk(gpa: number): ReturnType<GuestWalker['walk']> {
    const to = this.pages.get(Math.floor(gpa / PAGE))
    if (to === undefined) return 'no-translation'
    return { l1Gpa: to * PAGE + (gpa % PAGE), shift: 16, permissions: LeafFlag.READ | LeafFlag.WRITE }
  }

  access(page: number): string {
    const to = this.pages.get(page)
    if (this.shadow.has(page)) return 'present'
    if (to === undefined) return 'forward-to-l1'
    this.shadow.set(page, to)
    return 'mapped'
  }

  /** The host takes a page of L1 away. */
  takeAway(taken: number): void {
    for (const [page, to] of this.shadow) if (to === taken) this.shadow.delete(page)
  }
}

const emulator = new Emulator()
const model = new Vm()
model.addMemslot({ baseGfn: 0, npages: 16 })
model.setGuestTable(LPID, emulator)

for (let step = 0; step < 2000; step++) {
  const page = (step * 7) % 24
  if (step % 5 === 0) {
    emulator.pages.set(page, (step * 3) % 16) // L1 maps the page elsewhere, and tells L0
    emulator.shadow.delete(page)
    model.tlbie({ kind: 'page', lpid: LPID, gpa: page * PAGE, shift: 16 })
  } else if (step % 11 === 0) {
    emulator.takeAway(step % 16)
    model.unmap(step % 16)
  } else {
    const [mine, { outcome }] = [emulator.access(page), model.fault({ lpid: LPID, gpa: page * PAGE, access: 'read' })]
    if (mine !== outcome) throw new Error(`step ${step}: the model says ${outcome}, the emulator ${mine}`)
  }
  const expected = Array.from(model.guest(LPID)?.shadow ?? [], ({ gpa }) => gpa / PAGE).join()
  const mine = [...emulator.shadow.keys()].sort((a, b) => a - b).join()
  if (mine !== expected) throw new Error(`step ${step}: the model has the pages ${expected}, the emulator ${mine}`)
}
console.log('2000 steps, no difference', model.check()) // => 2000 steps, no difference []
