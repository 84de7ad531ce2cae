/**
 * Nested faults, with events of other tasks between theirs. If the recording does not show which came first, every
 * possible result is allowed, and no other.
 */
import { describe, expect, test } from 'vitest'
import {
  ARRAY,
  create,
  guest,
  insertEmpty,
  line,
  MEMSLOT,
  messages,
  range,
  replayLines,
  returns,
  unmap,
  WORD,
} from '../support/trace-lines'

const STORE = 0x42000000
const MISS = 0x40000000
const REFUSED_STORE = 0x0a000000
const SLOT = ARRAY + 24n // of gfn 3
const R = 0x100n
const C = 0x80n
const W = 2n

const commit = (old = 0, memslot = 1, flags = 0): string =>
  line(9, 'memslot_commit', {
    old,
    new: memslot,
    change: old === 0 ? 0 : 3,
    base_gfn: 0,
    npages: 0x4000,
    rmap: ARRAY,
    flags,
  })
const fault = (dsisr: number, pid = 1, gpa = 0x70010): string =>
  line(pid, 'nested_fault', { l1_lpid: 5, gpa4: gpa, dsisr, dar: gpa, trap: 0xe00 })
const walk = (perm = 7, rc = 0x180, pid = 1, ret = '0'): string =>
  line(pid, 'nested_walk', {
    ret,
    ngpa: 0x70010,
    raddr: ret === '0' ? 0x30010 : 0,
    perm,
    rc,
    pshift: ret === '0' ? 16 : 0,
  })
const ends = (ret = '0', pid = 1): string => line(pid, 'nested_fault_ret', { ret })
const host = (word = WORD, pid = 1): string => create(pid, 1, word, 0x30010)
const shadow = (word = WORD, pid = 1): string => create(pid, 2, word, 0x70000, SLOT)
const inserts = (pid = 1): string[] => insertEmpty(pid, SLOT, (5n << 52n) | 0x70000n)
const age = (clr: bigint, old: bigint = 0n): string =>
  line(9, 'rmap_update_rc', { rmapp: SLOT, old, clr, set: 0, hpa: 0x20000000, nbytes: 1 })
const setRc = (nested: number, writing: number, pid = 1): string =>
  line(pid, 'set_rc', { nested, writing, gpa: nested === 0 ? 0x30010 : 0x70010, lpid: nested === 0 ? 1 : 5 })
const setRcRet = (ret: number, pid = 1): string => line(pid, 'set_rc_ret', { ret })
const hostTaken = (word = WORD): string[] => [unmap(9, 1, word, 0x30000, MEMSLOT), range(9, 0x30000, 0x20000000)]

/** The memslot, the guest, and gfn 3 mapped in L1's own table. */
const L1 = [commit(), guest(1, 'nested_update', 5, 2), host(), returns(1)]
/** The same, with the shadow leaf that a store created. */
const MAPPED = [L1, fault(STORE), walk(), shadow(), inserts(), returns(1), ends()].flat()
const ENTRY = (5n << 52n) | 0x70000n | 1n

const check = (...lines: (string | string[])[]): string[] =>
  messages(replayLines(...lines.map((part) => (typeof part === 'string' ? part : part))))

describe('allowed', () => {
  test.each<[string, (string | string[])[]]>([
    ['a store', [MAPPED]],
    ['a load: the changed bit is not set', [L1, fault(MISS), walk(), shadow(WORD & ~C), inserts(), returns(1), ends()]],
    ['a read-only guest leaf', [L1, fault(MISS), walk(1), shadow(WORD & ~(C | 3n)), inserts(), returns(1), ends()]],
    [
      'a guest leaf without referenced and changed',
      [L1, fault(STORE), walk(7, 0), shadow(WORD & ~(R | C)), inserts(), returns(1), ends()],
    ],
    ['no translation', [L1, fault(MISS), walk(0, 0, 1, '-2'), ends('2')]],
    ['a store that L1 does not allow', [L1, fault(STORE), walk(5), ends('2')]],
    [
      'refused: the shadow leaf is cleared',
      [MAPPED, fault(REFUSED_STORE), walk(5), unmap(1, 2, WORD, 0x70010), ends()],
    ],
    [
      'refused, but the host clears the shadow leaf first',
      [
        MAPPED,
        fault(REFUSED_STORE),
        hostTaken(),
        line(9, 'rmap_take', { slotp: SLOT, old: ENTRY, idx: 3 }),
        unmap(9, 2, WORD, 0x70000),
        line(9, 'rmap_take_node', { node: 0, next: 0, gp: 1, rmap: 0 }),
        walk(5),
        ends(),
      ],
    ],
    [
      'a host leaf that the fault creates',
      [
        commit(),
        guest(1, 'nested_update', 5, 2),
        fault(STORE),
        walk(),
        host(),
        returns(1),
        shadow(),
        inserts(),
        returns(1),
        ends(),
      ],
    ],
    [
      'the host clears the host leaf before the fault reads it: the creation of the word 0 fails',
      [L1, fault(STORE), walk(), hostTaken(), shadow(0n), returns(1, '-11'), ends()],
    ],
    [
      'the host clears the host leaf after the fault reads it',
      [L1, fault(STORE), walk(), hostTaken(), shadow(), returns(1, '-11'), ends()],
    ],
    [
      'ageing after the fault reads the host leaf',
      [L1, fault(STORE), walk(), age(R), shadow(), inserts(), returns(1), ends()],
    ],
    [
      'ageing before the fault reads the host leaf',
      [L1, fault(STORE), walk(), age(R), shadow(WORD & ~R), inserts(), returns(1), ends()],
    ],
    [
      'harvest after the fault reads the host leaf',
      [L1, fault(STORE), walk(), age(C), shadow(), inserts(), returns(1), ends()],
    ],
    [
      'another CPU has set the host leaf before the fault, and its creation returns later',
      [
        commit(),
        guest(1, 'nested_update', 5, 2),
        host(WORD, 2),
        fault(STORE),
        walk(),
        shadow(),
        inserts(),
        returns(1),
        ends(),
        returns(2),
      ],
    ],
    [
      'another CPU sets the host leaf after the walk, and its creation returns later',
      [
        commit(),
        guest(1, 'nested_update', 5, 2),
        fault(STORE),
        walk(),
        host(WORD, 2),
        shadow(),
        inserts(),
        returns(1),
        ends(),
        returns(2),
      ],
    ],
    [
      'another CPU makes the host leaf writable',
      [
        commit(),
        guest(1, 'nested_update', 5, 2),
        host(WORD & ~(W | C)),
        returns(1),
        fault(MISS),
        walk(),
        host(WORD, 2),
        shadow(WORD & ~C),
        inserts(),
        returns(1),
        ends(),
        returns(2),
      ],
    ],
    [
      'ageing while bits are OR-ed in: the bit is in doubt',
      [
        MAPPED,
        fault(REFUSED_STORE),
        walk(),
        shadow(),
        age(R, ENTRY),
        returns(1),
        ends(),
        fault(REFUSED_STORE),
        walk(5),
        unmap(1, 2, WORD & ~R, 0x70010),
        ends(),
      ],
    ],
    [
      'the same: the bit may be set, too',
      [
        MAPPED,
        fault(REFUSED_STORE),
        walk(),
        shadow(),
        age(R, ENTRY),
        returns(1),
        ends(),
        fault(REFUSED_STORE),
        walk(5),
        unmap(1, 2, WORD, 0x70010),
        ends(),
      ],
    ],
    [
      'ageing, then set-rc',
      [
        MAPPED,
        age(R, ENTRY),
        fault(0x40000),
        walk(),
        setRc(0, 0),
        setRcRet(1),
        setRc(1, 0),
        setRcRet(1),
        ends(),
        fault(REFUSED_STORE),
        walk(5),
        unmap(1, 2, WORD, 0x70010),
        ends(),
      ],
    ],
    [
      'the host clears the leaves before set-rc reads the host leaf',
      [
        MAPPED,
        fault(0x40000),
        walk(),
        setRc(0, 0),
        hostTaken(),
        line(9, 'rmap_take', { slotp: SLOT, old: ENTRY, idx: 3 }),
        unmap(9, 2, WORD, 0x70000),
        line(9, 'rmap_take_node', { node: 0, next: 0, gp: 1, rmap: 0 }),
        setRcRet(0),
        ends(),
      ],
    ],
    [
      'the host clears the leaves after set-rc reads the host leaf',
      [
        MAPPED,
        fault(0x40000),
        walk(),
        setRc(0, 0),
        hostTaken(),
        line(9, 'rmap_take', { slotp: SLOT, old: ENTRY, idx: 3 }),
        unmap(9, 2, WORD, 0x70000),
        line(9, 'rmap_take_node', { node: 0, next: 0, gp: 1, rmap: 0 }),
        setRcRet(1),
        setRc(1, 0),
        setRcRet(0),
        ends(),
      ],
    ],
    ['set-rc, but L1 must set the bit in its own leaf', [MAPPED, fault(0x40000), walk(7, 0x80), ends('2')]],
    ['a guest leaf below the base page', [L1, fault(MISS), walk().replace('pshift=0x10', 'pshift=0xc'), ends('-22')]],
    ['an emulated device', [L1, fault(MISS), walk().replace('raddr=0x30010', 'raddr=0x900000010'), ends('2')]],
    [
      'a memslot that is being deleted',
      [L1, fault(MISS), walk(), ends('2'), line(9, 'memslot_free', { base_gfn: 0, npages: 0x4000, rmap: ARRAY })],
    ],
    [
      'a store to a read-only memslot',
      [commit(0, 1, 2), guest(1, 'nested_update', 5, 2), fault(STORE), walk(), ends()],
    ],
    [
      'L1 has no table for the guest: L0 reads the partition entry',
      [L1, fault(MISS), guest(1, 'nested_update', 5, 2), ends('2'), fault(MISS), walk(0, 0, 1, '-2'), ends('2')],
    ],
    [
      'L1 was running before the recording: the host leaves are not known',
      [guest(1, 'nested_update', 5, 2), fault(STORE), walk(), shadow(), inserts(), returns(1), ends()],
    ],
  ])('%s', (_name, lines) => {
    expect(check(...lines)).toEqual([])
  })
})

describe('not allowed', () => {
  test.each<[string, (string | string[])[], RegExp]>([
    [
      'the changed bit after a load',
      [L1, fault(MISS), walk(), shadow(), inserts(), returns(1), ends()],
      /0xc000000020000107 of 2\^16.*kernel: 0xc000000020000187/,
    ],
    [
      'a bit that ageing has cleared before the walk',
      [L1, age(R), fault(STORE), walk(), shadow(), inserts(), returns(1), ends()],
      /0xc000000020000087/,
    ],
    [
      'a host leaf that the host cleared before the walk',
      [L1, hostTaken(), fault(STORE), walk(), shadow(), inserts(), returns(1), ends()],
      /0x0{16} of 2\^16/,
    ],
    [
      'a creation of the word 0 that succeeds',
      [L1, fault(STORE), walk(), hostTaken(), shadow(0n), returns(1), ends()],
      /no host leaf allows the access, so -11/,
    ],
    [
      'forwarded to L1, although L1 allows the access',
      [L1, fault(STORE), walk(), ends('2')],
      /a shadow leaf is created for the nested fault of line 5; kernel: 2/,
    ],
    [
      'a second host leaf',
      [L1, fault(STORE), walk(), host(), returns(1), shadow(), inserts(), returns(1), ends()],
      /the host leaf allows the access/,
    ],
    [
      'refused, but the shadow leaf is not cleared',
      [MAPPED, fault(REFUSED_STORE), walk(5), ends()],
      /was refused, so the shadow leaf at 0x70010 is cleared/,
    ],
    [
      'a shadow leaf is cleared without a reason',
      [MAPPED, unmap(1, 2, WORD, 0x70000)],
      /no reason to clear a shadow leaf of LPID 5; kernel: clears 0x70000$/,
    ],
    [
      'set-rc in a leaf that is not present',
      [L1, fault(0x40000), walk(), setRc(0, 0), setRcRet(1), setRc(1, 0), setRcRet(1), ends()],
      /ret 0 for the set_rc/,
    ],
    [
      'another address',
      [L1, fault(STORE), walk(), create(1, 2, WORD, 0x80000, SLOT), returns(1, '-11'), ends()],
      /at 0x70000.*kernel: .* at 0x80000/,
    ],
    [
      'another rmap slot',
      [L1, fault(STORE), walk(), create(1, 2, WORD, 0x70000, SLOT + 8n), returns(1, '-11'), ends()],
      /rmapp 0xc008000000000018; kernel: .*20$/,
    ],
    ['a walk for another address', [L1, fault(STORE, 1, 0x90010), walk()], /ngpa 0x90010; kernel: 0x70010/],
    [
      'a sample of mmuSeq that is older than a successful one',
      [
        L1.map((text) => text.replace('mmu_seq=0x0', 'mmu_seq=0x2')),
        fault(STORE),
        walk(),
        shadow().replace('mmu_seq=0x0', 'mmu_seq=0x1'),
        inserts(),
        returns(1),
        ends(),
      ],
      /mmuSeq was 0x2 before line 7/,
    ],
    [
      'another root',
      [
        L1,
        fault(STORE),
        walk(),
        shadow(),
        inserts(),
        returns(1),
        ends(),
        fault(REFUSED_STORE),
        walk(),
        shadow().replace('pgtable=0x1', 'pgtable=0x2'),
        returns(1),
        ends(),
      ],
      /root at 0x1; kernel: 0x2/,
    ],
  ])('%s', (_name, lines, message) => {
    expect(check(...lines).join('\n')).toMatch(message)
  })
})
