/** The HTML that both pages share. A page is one HTML file: it needs no network and opens from disk. */

/** The parts of a page. */
export interface PageParts {
  readonly title: string
  readonly css: string
  readonly body: string
  /** Written as JSON into the element `data`, for the script. */
  readonly data?: unknown
  /** The page's script, bundled. */
  readonly script: string
}

/** Builds the HTML file. */
export function pageHtml({ title, css, body, data, script }: PageParts): string {
  // In a script element a "<" of the data could end the element or begin a comment.
  const json = data === undefined ? '' : JSON.stringify(data).replaceAll('<', '\\u003c')
  const code = script.replaceAll('</script', '<\\/script').replaceAll('<!--', '<\\!--')
  return `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data: blob:">
<link rel="icon" href="data:,">
<title>${escapeHtml(title)}</title>
<style>${BASE_CSS}${css}</style>
</head>
<body>
${body}
${GLOSSARY}
<noscript><p>This page needs JavaScript, which the browser does not run.</p></noscript>
${json === '' ? '' : `<script type="application/json" id="data">${json}</script>\n`}<script>${code}</script>
</body>
</html>
`
}

/** Escapes text for HTML. */
export function escapeHtml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;')
}

/** The glossary of both pages. `glossary.ts` opens it. */
const GLOSSARY = `<dialog id="glossary" aria-labelledby="glossary-title">
<h2 id="glossary-title">Glossary</h2>
<dl>
<dt>L0, L1, L2</dt><dd>The host hypervisor; a guest of it that is a hypervisor itself; a guest of that guest (nested guest).</dd>
<dt>LPID</dt><dd>L1's number for a nested guest, 1 to 4095. The hardware uses another number, the shadow LPID.</dd>
<dt>gpa, gfn</dt><dd>A guest real address of L1, and its frame number in base pages of L0 (64 KiB or 4 KiB). A nested gpa is a guest real address of an L2.</dd>
<dt>hpa</dt><dd>A host real address.</dd>
<dt>memslot</dt><dd>A range of L1's gfns that is backed by host memory.</dd>
<dt>rmap slot</dt><dd>The 64-bit word of one gfn in a memslot: 0 (no entry), odd (one entry), or even (the address of the first list node).</dd>
<dt>entry</dt><dd>LPID and nested gpa of a shadow leaf that maps the page, in 52 bits. The tag (bit 0) tells an entry from a pointer.</dd>
<dt>guest table</dt><dd>L1's page table for one L2: nested gpa to gpa. L0 only reads it.</dd>
<dt>shadow table, shadow leaf</dt><dd>L0's own page table for one L2: nested gpa to hpa. A shadow leaf is an entry of it that maps a page. Faults create them.</dd>
<dt>host table, host leaf</dt><dd>L0's page table for L1: gpa to hpa. A host leaf is an entry of it that maps a page.</dd>
<dt>stale entry</dt><dd>An entry whose shadow leaf does not exist any more, or maps another page. This is legal and common: a walk skips it.</dd>
<dt>rmap range removal, walk</dt><dd>The host takes a page away: it detaches the lists of the page's gfns and clears every shadow leaf of them that maps the page.</dd>
<dt>tlbie</dt><dd>The request with which L1 tells L0 that it has changed a guest table. L0 clears shadow leaves. It does not change the rmap.</dd>
<dt>mmuSeq</dt><dd>The number of invalidations by the host so far (KVM: mmu_invalidate_seq). If it changes during a fault, the fault is retried.</dd>
</dl>
<form method="dialog"><button>Close</button></form>
</dialog>`

const BASE_CSS = `
:root { color-scheme: light dark; --back: #fff; --fore: #1d2129; --dim: #535c69; --line: #cfd5de; --card: #f6f7f9;
  --accent: #0b62c4; --second: #b65c00; --bad: #b3261e; --good: #1a7340; --stale: #7a4d00; --empty: #e3e6eb; --new-back: #e0f3e6; --bad-back: #fbe4e2; }
@media (prefers-color-scheme: dark) { :root { --back: #14171c; --fore: #e4e7ec; --dim: #a5afbc; --line: #39414d;
  --card: #1c2027; --accent: #6cb2ff; --second: #ffab5c; --bad: #ff8a80; --good: #6fd08c; --stale: #d9a441; --empty: #2a303a; --new-back: #16331f; --bad-back: #3d1714; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: .7rem 1rem 1rem; background: var(--back); color: var(--fore); font: 14px/1.45 system-ui, sans-serif; }
h1 { font-size: 1.25rem; margin: 0; overflow-wrap: anywhere; line-height: 1.3; }
h2 { font-size: 1rem; margin: 0 0 .4rem; } h3 { font-size: .85rem; margin: .7rem 0 .3rem; color: var(--dim); }
p { margin: 0 0 .4rem; }
section { background: var(--card); border: 1px solid var(--line); border-radius: .5rem; padding: .6rem .8rem; min-width: 0; }
button, input, select, textarea { font: inherit; color: inherit; background: var(--back); border: 1px solid var(--line); border-radius: .35rem;
  padding: .2rem .5rem; }
button { cursor: pointer; } button:disabled { opacity: .45; cursor: default; } button:hover:enabled { border-color: var(--accent); }
button.primary { border-color: var(--accent); color: var(--accent); font-weight: 600; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
input[type=range] { padding: 0; accent-color: var(--accent); min-width: 0; } input[type=checkbox] { accent-color: var(--accent); }
.sr { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
.hint { color: var(--dim); font-size: .85rem; } .good { color: var(--good); } .bad { color: var(--bad); }
.row { display: flex; flex-wrap: wrap; align-items: center; gap: .35rem .5rem; }
.scroll { overflow: auto; } .mono { font-family: ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace; font-size: 12.5px; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; } th, td { text-align: left; padding: .1rem .7rem .1rem 0; }
th { color: var(--dim); font-weight: 500; font-size: .85rem; }
details { color: var(--dim); } summary { cursor: pointer; } kbd { border: 1px solid var(--line); border-radius: .25rem; padding: 0 .3rem; }
dialog { border: 1px solid var(--line); border-radius: .5rem; background: var(--card); color: var(--fore); max-width: min(46rem, 94vw); max-height: 90vh; }
dialog::backdrop { background: rgb(0 0 0 / .45); }
dialog dt { font-weight: 600; } dialog dd { margin: 0 0 .5rem; }
a, .link { color: var(--accent); } .link { background: none; border: 0; padding: 0; text-decoration: underline; }
.pictures svg { display: block; max-width: 100%; height: auto; border-radius: .35rem; }
`
