/**
 * The report as one HTML file: it needs no network and opens from disk. This is its frame; the data and the script of
 * the page are put into it, and the script draws the rest.
 */
import type { ReportData } from './collect'

/**
 * The file.
 *
 * @param script the page's script: `dist/report-page.global.js`
 */
export function reportHtml(data: ReportData, script: string): string {
  // In a script element, "<" of data could end it or begin a comment.
  const json = JSON.stringify(data).replaceAll('<', '\\u003c')
  const code = script.replaceAll('</script', '<\\/script').replaceAll('<!--', '<\\!--')
  return `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:">
<link rel="icon" href="data:,">
<title>${escapeHtml(data.name)}: nested-rmap report</title>
<style>${CSS}</style>
</head>
<body>
${BODY}
<noscript><p>This report is drawn by its own script, which the browser does not run.</p></noscript>
<script type="application/json" id="data">${json}</script>
<script>${code}</script>
</body>
</html>
`
}

function escapeHtml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
}

const BODY = `<header>
<h1 id="title"></h1>
<p id="verdict"></p>
</header>
<main>
<section id="figures" aria-labelledby="figures-title">
<h2 id="figures-title">The recording</h2>
<dl id="totals"></dl>
<ul id="left-out"></ul>
</section>
<section id="over-time" aria-labelledby="time-title">
<h2 id="time-title">Entries over time</h2>
<p class="hint">All entries of all slots. Click, or use the slider below, to go to a moment.</p>
<div id="timeline" class="chart"></div>
</section>
<section id="stepper" aria-labelledby="stepper-title">
<h2 id="stepper-title">Step by step</h2>
<div class="controls" role="group" aria-label="Go to a step">
<button id="first" type="button" title="First step (Home)">«<span class="sr">First step</span></button>
<button id="back" type="button" title="One step back (left arrow)">‹<span class="sr">Back</span></button>
<label>Step <input id="step" type="number" min="1" inputmode="numeric"></label> <span id="of"></span>
<button id="forward" type="button" title="One step on (right arrow)">›<span class="sr">Forward</span></button>
<button id="last" type="button" title="Last step (End)">»<span class="sr">Last step</span></button>
<button id="longest" type="button" title="The step at which a list first reached the greatest length (L)">Longest list</button>
<button id="difference" type="button" title="Next step with a difference (D)">Next difference</button>
</div>
<label class="wide">Steps <input id="slider" type="range" min="1"></label>
<form id="search" class="controls" role="search">
<label>Find <select id="search-kind"><option value="gfn">gfn</option><option value="lpid">LPID</option><option value="line">line</option></select></label>
<label><span class="sr">What to find</span><input id="search-text" type="text" size="12" placeholder="0x3db0" autocomplete="off" spellcheck="false" title="A number, in hex (0x...) or decimal (/)"></label>
<button type="submit" title="Next step with it (N)">Next</button>
<button id="previous" type="button" title="The one before (P)">Previous</button>
<output id="found" aria-live="polite"></output>
</form>
<p id="what" aria-live="polite"></p>
<div id="pictures"></div>
<details><summary>What is a step; keys</summary>
<p>A step is something that happens to slots or guests: an insert, a range removal (the host takes a page away), ageing
or dirty harvest reaching a slot, a guest made or dropped, L1 invalidating, a memslot freed. The creation and clearing of
leaves, which make up most events of a recording, are checked by the replay but are no steps of their own.</p>
<p>Keys: <kbd>←</kbd> <kbd>→</kbd> a step, <kbd>Page Up</kbd> <kbd>Page Down</kbd> a hundred, <kbd>Home</kbd>
<kbd>End</kbd>, <kbd>L</kbd> longest list, <kbd>D</kbd> next difference, <kbd>/</kbd> find, <kbd>N</kbd> <kbd>P</kbd> next
and previous match. On the map the arrows move a frame from slot to slot, <kbd>Enter</kbd> finds the steps of that one.</p>
</details>
</section>
<section id="slots" aria-labelledby="map-title">
<h2 id="map-title">Slots at this step</h2>
<div class="controls">
<button id="zoom-out" type="button" title="Smaller (minus)">−<span class="sr">Zoom out</span></button>
<label>Zoom <input id="zoom" type="range" min="2" max="32" step="1" value="10"></label>
<button id="zoom-in" type="button" title="Larger (plus)">+<span class="sr">Zoom in</span></button>
<span id="legend"></span>
</div>
<div id="map-frame"><canvas id="map" tabindex="0" role="img" aria-describedby="map-text"></canvas></div>
<p class="hint">Rows of 32 gfns. Blank: never used. Framed: what this step is about. A line: gfns between are left out.</p>
<p id="map-text" aria-live="polite"></p>
</section>
<section id="lengths" aria-labelledby="lengths-title">
<h2 id="lengths-title">List lengths</h2>
<div id="histogram" class="chart"></div>
</section>
</main>
`

const CSS = `
:root { color-scheme: light dark; --back: #fff; --fore: #1d2129; --dim: #5b6472; --line: #cfd5de; --card: #f6f7f9;
  --accent: #0b62c4; --second: #b65c00; --bad: #b3261e; --good: #1a7340; --empty: #e3e6eb; --track: #fff; }
@media (prefers-color-scheme: dark) { :root { --back: #14171c; --fore: #e4e7ec; --dim: #9aa4b2; --line: #39414d;
  --card: #1c2027; --accent: #6cb2ff; --second: #ffab5c; --bad: #ff8a80; --good: #6fd08c; --empty: #2a303a; --track: #14171c; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1rem; max-width: 100rem; background: var(--back); color: var(--fore);
  font: 15px/1.45 system-ui, sans-serif; }
h1 { font-size: 1.4rem; margin: 0; overflow-wrap: anywhere; }
h2 { font-size: 1.05rem; margin: 0 0 .5rem; }
header p { margin: .25rem 0 1rem; font-weight: 600; }
.good { color: var(--good); } .bad { color: var(--bad); } .hint { margin: 0 0 .5rem; color: var(--dim); font-size: .85rem; }
main { display: grid; gap: 1rem; grid-template-columns: minmax(0, 1fr); }
section { background: var(--card); border: 1px solid var(--line); border-radius: .5rem; padding: .8rem 1rem; min-width: 0; }
@media (min-width: 96rem) { /* below, a node's line needs all of the width */
  main { grid-template-columns: minmax(0, 2fr) minmax(0, 1fr); }
  #figures, #over-time { grid-column: 1 / -1; }
  #stepper { grid-row: span 2; }
}
dl { display: grid; grid-template-columns: repeat(auto-fill, minmax(9rem, 1fr)); gap: .6rem 1rem; margin: 0; }
dt { color: var(--dim); font-size: .8rem; } dd { margin: 0; font-size: 1.1rem; font-variant-numeric: tabular-nums; }
ul { margin: .6rem 0 0; padding-left: 1.2rem; } ul:empty { display: none; }
.controls { display: flex; flex-wrap: wrap; align-items: center; gap: .4rem .6rem; margin: 0 0 .6rem; }
button, input, select { font: inherit; color: inherit; background: var(--back); border: 1px solid var(--line); border-radius: .35rem;
  padding: .25rem .55rem; }
button { cursor: pointer; } button:disabled { opacity: .45; cursor: default; }
button:hover:enabled { border-color: var(--accent); }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
input[type=number] { width: 7.5rem; } input[type=range] { padding: 0; accent-color: var(--accent); }
.wide { display: flex; align-items: center; gap: .6rem; margin-bottom: .6rem; } .wide input { flex: 1; min-width: 0; }
.sr { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
#what { margin: .4rem 0; font-weight: 600; min-height: 1.45em; overflow-wrap: anywhere; }
pre { margin: 0; padding: .6rem; overflow-x: auto; background: var(--back); border: 1px solid var(--line); border-radius: .35rem;
  font: 12.5px/1.4 ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace; }
pre .new { color: var(--good); font-weight: 600; } pre .gone { color: var(--bad); } pre .stale { color: var(--dim); }
pre .same { color: var(--accent); }
h3 { font-size: .85rem; margin: .7rem 0 .25rem; color: var(--dim); }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; } th, td { text-align: left; padding: .15rem .9rem .15rem 0; }
.scroll { max-height: 20rem; overflow: auto; } th { color: var(--dim); font-weight: 500; font-size: .85rem; }
.mark { border-left: .3rem solid var(--bad); padding-left: .6rem; }
details { margin-top: .8rem; color: var(--dim); } kbd { border: 1px solid var(--line); border-radius: .25rem; padding: 0 .3rem; }
#map-frame { overflow: auto; max-height: 60vh; border: 1px solid var(--line); border-radius: .35rem; background: var(--track); }
canvas { display: block; } #map-text { margin: .4rem 0 0; min-height: 1.45em; font-size: .9rem; }
#legend { display: inline-flex; flex-wrap: wrap; gap: .2rem .7rem; font-size: .85rem; }
#legend i { display: inline-block; width: .9em; height: .9em; margin-right: .3em; border: 1px solid var(--line); vertical-align: -.1em; }
.chart svg { display: block; width: 100%; height: auto; } svg text { fill: var(--dim); font-size: 12px; }
.axis { stroke: var(--line); } .curve { fill: none; stroke: var(--accent); stroke-width: 1.5; vector-effect: non-scaling-stroke; }
.area { fill: var(--accent); opacity: .15; } .cursor { stroke: var(--second); stroke-width: 2; } .tick { stroke: var(--bad); stroke-width: 2; }
.now { fill: var(--accent); } .peak { fill: var(--second); } .outside { fill: var(--dim); opacity: .12; }
@media print { .controls, .wide, details { display: none; } }
`
