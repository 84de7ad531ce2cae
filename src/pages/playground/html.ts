/** The playground as one HTML file: the HTML and CSS of the page. The script fills it. */
import { pageHtml } from '../shared/html'

/** Builds the HTML file. @param script the page's script, bundled */
export function playgroundHtml(script: string): string {
  return pageHtml({ title: 'nested-rmap playground', css: CSS, body: BODY, script })
}

const BODY = `<header>
<div><h1>Nested reverse map playground</h1>
<p class="hint">A model of Linux KVM's nested rmap, step by step. <button type="button" class="link" data-glossary>Glossary</button></p></div>
<div class="row">
<label>Preset <select id="preset"></select></label>
<button id="clear" type="button" title="Begin with an empty L1">Clear</button>
<button id="share" type="button" title="Copy the address of this sequence at this step">Copy link</button>
<button id="code" type="button" title="The steps up to here as a TypeScript program">TypeScript</button>
<button id="svg" type="button" title="Download the picture of the lists as SVG">SVG</button>
<button id="png" type="button" title="Download the picture of the lists as PNG">PNG</button>
</div>
</header>
<main>
<div class="column" id="see">
<section id="step" aria-labelledby="step-title">
<div class="row" role="group" aria-label="Steps">
<button id="first" type="button" title="Before the first step (Home)">«<span class="sr">First</span></button>
<button id="undo" type="button" title="Undo: one step back (left arrow, Ctrl+Z)">‹ Undo</button>
<button id="redo" type="button" class="primary" title="Redo: one step forward (right arrow, Ctrl+Y)">Next ›</button>
<button id="last" type="button" title="Last step (End)">»<span class="sr">Last</span></button>
<span id="position" class="hint"></span>
</div>
<div id="explanation" aria-live="polite"></div>
</section>
<section id="lists" aria-labelledby="lists-title">
<h2 id="lists-title">Reverse map: rmap slots and their lists</h2>
<div id="pictures" class="pictures"></div>
</section>
<section id="memory" aria-labelledby="memory-title">
<h2 id="memory-title">L1's memory: the rmap slot of each gfn</h2>
<div id="grid" class="mono" role="group" aria-label="gfns; arrow keys move, Enter selects"></div>
<p id="gfn-text" class="hint" aria-live="polite"></p>
</section>
<section id="guests" aria-labelledby="guests-title">
<h2 id="guests-title">Nested guests: L1's table and L0's shadow table</h2>
<div id="tables"></div>
</section>
</div>
<div class="column" id="side">
<section id="act" aria-labelledby="act-title">
<h2 id="act-title">Run an operation</h2>
<form id="target" class="row" aria-label="Operands">
<label>LPID <input id="lpid" type="number" min="0" max="4095" value="1"></label>
<label>nested gpa <input id="gpa" class="mono" value="0x10000" size="10" spellcheck="false" autocomplete="off"></label>
<label>gfn <input id="gfn" class="mono" value="0x7" size="6" spellcheck="false" autocomplete="off"></label>
<label>page <select id="shift"></select></label>
<span class="row" role="group" aria-label="Permissions of L1's leaf"><label><input id="allow-r" type="checkbox" checked> r</label><label><input id="allow-w" type="checkbox" checked> w</label><label><input id="allow-x" type="checkbox" checked> x</label></span>
</form>
<p id="refused" class="bad" role="alert"></p>
<fieldset><legend>L2, the nested guest</legend><div class="row" id="ops-l2"></div></fieldset>
<fieldset><legend>L1, the guest hypervisor</legend><div class="row" id="ops-l1"></div></fieldset>
<fieldset><legend>L0, the host</legend><div class="row" id="ops-l0"></div></fieldset>
<details><summary>Settings (a change runs all steps again)</summary>
<form id="settings" class="settings">
<label>Page size of L0 <select id="page-shift"><option value="16">64 KiB</option><option value="12">4 KiB</option></select></label>
<label>Host memory <select id="host-pages"><option value="base">base pages</option><option value="2m">2 MiB pages</option></select></label>
<label>Placement <select id="placement"><option value="head">first gfn of the host leaf (today)</option><option value="faulting">faulting gfn (2018)</option></select></label>
<label><input id="lpid-zero" type="checkbox"> allow LPID 0, as Linux does</label>
</form></details>
<details><summary>Keys</summary><p><kbd>←</kbd> <kbd>→</kbd> one step, <kbd>Home</kbd> <kbd>End</kbd>, <kbd>Ctrl</kbd>+<kbd>Z</kbd> undo,
<kbd>Ctrl</kbd>+<kbd>Y</kbd> redo. In L1's memory the arrows move from gfn to gfn, <kbd>Enter</kbd> selects the gfn as the operand.</p></details>
</section>
<section id="invariants" aria-labelledby="invariants-title">
<h2 id="invariants-title">Invariants</h2>
<ul id="invariant-list" class="plain"></ul>
</section>
<section id="counters" aria-labelledby="counters-title">
<h2 id="counters-title">Counters</h2>
<dl id="counter-list"></dl>
</section>
<section id="history" aria-labelledby="history-title">
<h2 id="history-title">Steps</h2>
<ol id="steps" class="scroll"></ol>
</section>
</div>
</main>
<dialog id="program" aria-labelledby="program-title">
<h2 id="program-title">This sequence as TypeScript</h2>
<textarea id="program-text" class="mono" readonly rows="18" cols="90" spellcheck="false" aria-label="Program"></textarea>
<form method="dialog" class="row"><button id="program-copy" type="button">Copy</button><button id="program-save" type="button">Download</button><button>Close</button></form>
</dialog>
<p id="said" class="sr" role="status"></p>
`

const CSS = `
body { max-width: 120rem; }
header { display: flex; flex-wrap: wrap; gap: .4rem 1.5rem; justify-content: space-between; align-items: center; margin-bottom: .6rem; }
header .hint { margin: 0; }
#preset { max-width: 16rem; }
main { display: flex; flex-direction: column; gap: .7rem; } .column { display: contents; }
#step { order: 1; } #lists { order: 2; background: var(--back); } #act { order: 3; } #memory { order: 4; } #guests { order: 5; }
#invariants { order: 6; } #counters { order: 7; } #history { order: 8; }
@media (min-width: 64rem) {
  main { display: grid; grid-template-columns: minmax(0, 1fr) 21rem; align-items: start; }
  .column { display: flex; flex-direction: column; gap: .7rem; min-width: 0; }
}
@media (min-width: 110rem) {
  main { grid-template-columns: minmax(0, 1fr) 44rem; }
  .column { display: grid; grid-template-columns: minmax(0, 1fr) minmax(0, 1fr); align-items: start; }
  #step, #lists { grid-column: 1 / -1; } #side { grid-template-rows: auto auto 1fr; }
  #act { grid-row: 1 / span 2; } #history { grid-row: 3; grid-column: 1; } #invariants { grid-row: 1; } #counters { grid-row: 2 / span 2; }
}
#step > .row { margin-bottom: .4rem; } #explanation { min-height: 7.4rem; } #explanation h2 { margin: 0 0 .2rem; }
#explanation p { margin: 0 0 .25rem; max-width: 75ch; }
.chips { display: flex; flex-wrap: wrap; gap: .25rem .4rem; margin: .2rem 0; padding: 0; list-style: none; }
.chips li { border: 1px solid var(--line); border-radius: 1rem; padding: 0 .55rem; font-size: .82rem; background: var(--back); }
.chips .outcome { border-color: var(--accent); color: var(--accent); font-weight: 600; }
.note { border-left: .25rem solid var(--second); padding-left: .5rem; }
#pictures { display: flex; flex-wrap: wrap; gap: 0 .5rem; align-items: start; } #pictures figure { margin: 0; min-width: 0; } figcaption { font-size: .85rem; color: var(--dim); margin-bottom: .15rem; }
#grid { display: grid; gap: 2px; grid-template-columns: 4.6em repeat(16, minmax(1.35em, 2.6em)); align-items: stretch; }
#grid .label { color: var(--dim); font-size: 11px; align-self: center; white-space: nowrap; } #grid .more { grid-column: 1 / -1; }
#grid button { padding: 0; height: 1.75em; border-radius: 3px; background: var(--empty); border: 1px solid transparent; font-size: 11px; line-height: 1; }
#grid button.host { border-color: var(--dim); background: var(--back); }
#grid button.one { background: #cfe2fb; color: #0d2b52; } #grid button.many { background: #0b62c4; color: #fff; font-weight: 600; }
#grid button.changed { outline: 2px solid var(--good); } #grid button[aria-pressed=true] { box-shadow: 0 0 0 2px var(--second); }
.guest { margin-bottom: .6rem; } .guest h3 { margin-top: 0; color: var(--fore); } .guest table { font-size: 12.5px; }
.guest td, .guest th { padding-right: .9rem; white-space: nowrap; } .guest tr.changed td, .guest tr.changed th { background: var(--new-back); }
.guest tr.gone td, .guest tr.gone th { background: var(--bad-back); } .guest tbody th { font-weight: 400; color: var(--fore); font-size: inherit; }
#act label { white-space: nowrap; } #lpid { width: 4.2rem; } fieldset { border: 1px solid var(--line); border-radius: .35rem; margin: .45rem 0; padding: .3rem .5rem .45rem; min-width: 0; }
legend { color: var(--dim); font-size: .85rem; padding: 0 .2rem; } fieldset button { padding: .15rem .45rem; }
#refused { margin: .3rem 0 0; } #refused:empty { display: none; } .settings { display: grid; gap: .35rem; margin: .4rem 0; }
.settings select { max-width: 100%; } #act .settings label { white-space: normal; }
.plain { list-style: none; margin: 0; padding: 0; } #invariant-list li { margin-bottom: .15rem; font-size: .88rem; } #invariant-list p { margin: 0 0 0 1.3rem; font-size: .85rem; overflow-wrap: anywhere; }
#counter-list { display: grid; grid-template-columns: minmax(0, 1fr) auto; gap: .05rem .8rem; margin: 0; font-size: .88rem; }
#counter-list dt { color: var(--dim); } #counter-list dd { margin: 0; text-align: right; font-variant-numeric: tabular-nums; } .delta { color: var(--good); }
#steps { max-height: 20rem; margin: 0; padding-left: 2rem; font-size: .88rem; } #steps button { text-align: left; vertical-align: top; border: 0; background: none; padding: .05rem .2rem; width: 100%; }
#steps li.undone button { color: var(--dim); } #steps li[aria-current] { font-weight: 600; } #steps li.refused button { color: var(--bad); }
#program-text { width: 100%; max-width: 100%; }
@media (max-width: 40rem) {
  body { padding: .5rem; } #grid { grid-template-columns: 3.6em repeat(8, minmax(0, 1fr)); } .guest { overflow-x: auto; }
  #explanation { min-height: 0; } .guest td, .guest th { padding-right: .5rem; }
}
`
