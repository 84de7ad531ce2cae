/** Text for a terminal: counts, and lines that fit the width. */

/** A count with separators of thousands: `12,204`. */
export function count(number: number): string {
  return number.toLocaleString('en-US')
}

/** A count with its noun: `1 line`, `2 lines`. */
export function counted(number: number, one: string, many = `${one}s`): string {
  return `${count(number)} ${number === 1 ? one : many}`
}

/** Breaks a text between words into lines of at most `width` columns. Lines after the first are indented. */
export function wrap(text: string, width: number, indent: string): string {
  const lines: string[] = []
  let line = ''
  for (const word of text.split(/(?<=\S) /)) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line)
      line = indent + word
    } else {
      line = line === '' ? word : `${line} ${word}`
    }
  }
  return [...lines, line].join('\n')
}
