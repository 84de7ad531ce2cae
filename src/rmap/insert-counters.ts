/** Inserts by outcome, and the cost of their scans (spec 12). */
export class InsertCounters {
  /** Inserts that found the rmap slot empty. */
  empty = 0
  /** Inserts that turned a single entry into a list. */
  second = 0
  /** Inserts that made a list longer. */
  list = 0
  /** Inserts that found their entry present. */
  duplicate = 0
  /** Entries that Linux would have compared: on a miss all of the list, on a hit those up to and including the match. */
  scanSteps = 0
  /** Most entries that an rmap slot ever had, including those that LPID 0 hides. */
  longestList = 0
  /** Bytes of the indexes now. A list of more than 16 nodes has one instead of scans: 16 to 24 bytes an entry. */
  indexBytes = 0
}
