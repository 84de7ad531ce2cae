/**
 * Types for the addresses, frame numbers and LPIDs of the model, with their units and ranges (spec 1).
 *
 *     nested gpa --guest table--> gpa --host table--> hpa        gfn = gpa >> page shift
 *        (of an L2)               (of L1)         (of the host)
 *
 * All are JavaScript numbers, which are exact because addresses have at most 53 bits. Words have 64 bits and are BigInts.
 */

/** L1's number for a nested guest: an integer in 1..4095. 0 is reserved for the host (spec 11). */
export type Lpid = number

/** An L2 guest real address, in bytes: an integer in 0..2^52-1. */
export type NestedGpa = number

/** An L1 guest real address, in bytes: an integer in 0..2^52-1. */
export type Gpa = number

/** An L1 guest frame number: an L1 address in units of L0's base page, `gpa >> pageShift`. */
export type Gfn = number

/** A host real address, in bytes: an integer in 0..2^53-1. */
export type Hpa = number

/** A host real address in units of 4 KiB, whatever the page shift: an integer in 0..2^41-1. */
export type HostFrame = number

/** log2 of L0's base page size in bytes: 16 (64 KiB pages) or 12 (4 KiB pages). */
export type PageShift = 16 | 12

/** log2 of a leaf's size in bytes: a base page, 2 MiB or 1 GiB. */
export type LeafShift = PageShift | 21 | 30

/** The largest LPID: 12 bits (spec 2). */
export const MAX_LPID = 0xfff

/** The largest guest real address, of L1 or of an L2, in bytes: 52 bits (spec 2). */
export const MAX_GPA = 2 ** 52 - 1

/** The largest host real address, in bytes: 53 bits (spec 4). */
export const MAX_HPA = 2 ** 53 - 1
