/** Text for a terminal: counts, and lines that fit. */

/** A count with its thousands apart: `12,204`. */
export function count(number: number): string {
  return number.toLocaleString('en-US')
}

/** A count and what is counted: `1 line`, `2 lines`. */
export function counted(number: number, one: string, many = `${one}s`): string {
  return `${count(number)} ${number === 1 ? one : many}`
}

/** Breaks a text between words, so that no line has more than `width` columns; all but the first are indented. */
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
