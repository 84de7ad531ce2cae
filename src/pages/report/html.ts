/** The report as one HTML file: the HTML and CSS of the page, and its data. The script draws the rest. */
import { escapeHtml, pageHtml } from '../shared/html'
import type { ReportData } from './data'

/** Builds the HTML file. @param script the page's script: `dist/report-page.global.js` */
export function reportHtml(data: ReportData, script: string): string {
  const title = `${data.name}: nested-rmap report`
  return pageHtml({
    title,
    css: CSS,
    body: BODY.replace('<span id="title">', (tag) => tag + escapeHtml(data.name)),
    data,
    script,
  })
}

const BODY = `<header>
<h1>Recording <span id="title"></span></h1>
<p id="about"></p>
</header>
<main>
<section id="stepper" aria-labelledby="stepper-title">
<h2 id="stepper-title" class="sr">Step by step</h2>
<div class="row">
<div class="row" role="group" aria-label="Go to a step">
<button id="first" type="button" title="First step (Home)">«<span class="sr">First step</span></button>
<button id="back" type="button" title="One step back (left arrow)">‹<span class="sr">Back</span></button>
<label>Step <input id="step" type="number" min="1" inputmode="numeric"></label> <span id="of"></span>
<button id="forward" type="button" title="One step forward (right arrow)">›<span class="sr">Forward</span></button>
<button id="last" type="button" title="Last step (End)">»<span class="sr">Last step</span></button>
<button id="longest" type="button" title="The step at which a list first had the greatest length (L)">Longest list</button>
<button id="difference" type="button" title="Next step with a difference (D)">Next difference</button>
</div>
<form id="search" class="row" role="search">
<label>Find <select id="search-kind"><option value="gfn">gfn</option><option value="lpid">LPID</option><option value="line">line</option></select></label>
<label><span class="sr">What to find</span><input id="search-text" type="text" size="10" placeholder="0x3db0" autocomplete="off" spellcheck="false" title="A number, in hex (0x...) or decimal (/)"></label>
<button type="submit" title="Next step that matches (N)">Next</button>
<button id="previous" type="button" title="Previous step that matches (P)">Previous</button>
<output id="found" aria-live="polite"></output>
</form>
</div>
<label id="slide"><span class="sr">Steps</span><input id="slider" type="range" min="1"></label>
<p id="what" aria-live="polite"></p>
<div id="pictures" class="pictures"></div>
<details><summary>Steps and keys</summary>
<p>A step is an event that concerns rmap slots or nested guests: an insert, an rmap range removal (the host takes a page
away), ageing or dirty harvest of an rmap slot, a nested guest that is created or freed, an invalidation by L1, a memslot that is freed.
Most events of a recording create or clear leaves. The replay checks them, but they are not steps.</p>
<p>Keys: <kbd>←</kbd> <kbd>→</kbd> one step, <kbd>Page Up</kbd> <kbd>Page Down</kbd> a hundred, <kbd>Home</kbd>
<kbd>End</kbd>, <kbd>L</kbd> longest list, <kbd>D</kbd> next difference, <kbd>/</kbd> find, <kbd>N</kbd> <kbd>P</kbd> next
and previous match. On the map the arrows move from rmap slot to rmap slot, <kbd>Enter</kbd> finds the steps of that slot.</p>
</details>
</section>
<section id="over-time" aria-labelledby="time-title">
<h2 id="time-title">Entries over time</h2>
<p class="hint">The entries of all rmap slots. Click to go to a step.</p>
<div id="timeline" class="chart"></div>
</section>
<section id="lengths" aria-labelledby="lengths-title">
<h2 id="lengths-title">List lengths</h2>
<div id="histogram" class="chart"></div>
</section>
<section id="slots" aria-labelledby="map-title">
<h2 id="map-title">Rmap slots at this step</h2>
<div class="row">
<button id="zoom-out" type="button" title="Smaller (minus)">−<span class="sr">Zoom out</span></button>
<label>Zoom <input id="zoom" type="range" min="2" max="32" step="1" value="10"></label>
<button id="zoom-in" type="button" title="Larger (plus)">+<span class="sr">Zoom in</span></button>
<span id="legend" class="legend"></span>
</div>
<div id="map-frame"><canvas id="map" tabindex="0" role="img" aria-describedby="map-text"></canvas></div>
<p class="hint">Each row has 32 gfns. Blank: never used. Framed: concerned by this step. A line: the gfns in between are not shown.</p>
<p id="map-text" aria-live="polite"></p>
</section>
<section id="figures" aria-labelledby="figures-title">
<h2 id="figures-title">The recording</h2>
<dl id="totals"></dl>
<ul id="left-out"></ul>
</section>
</main>
`

const CSS = `
body { max-width: 120rem; }
header { margin-bottom: .5rem; } header p { margin: .1rem 0 0; } #verdict { font-weight: 600; }
main { display: grid; gap: .7rem; grid-template-columns: minmax(0, 1fr); align-items: start; }
@media (min-width: 60rem) { main { grid-template-columns: minmax(0, 1fr) minmax(0, 1fr); } #stepper { grid-column: 1 / -1; } }
@media (min-width: 100rem) { main { grid-template-columns: repeat(3, minmax(0, 1fr)); } #figures { grid-column: span 2; } }
#stepper { background: var(--back); } #stepper > .row { justify-content: space-between; margin-bottom: .3rem; }
#totals { display: grid; grid-template-columns: repeat(auto-fill, minmax(9rem, 1fr)); gap: .4rem 1rem; margin: 0; }
#totals dt { color: var(--dim); font-size: .8rem; } #totals dd { margin: 0; font-size: 1.05rem; font-variant-numeric: tabular-nums; }
ul { margin: .6rem 0 0; padding-left: 1.2rem; } ul:empty { display: none; }
input[type=number] { width: 6.5rem; } #slide { display: flex; margin-bottom: .3rem; } #slide input { flex: 1; }
#what { margin: .2rem 0 .3rem; font-weight: 600; min-height: 1.45em; overflow-wrap: anywhere; scroll-margin-top: 6rem; }
pre { margin: .3rem 0; padding: .5rem; overflow-x: auto; background: var(--card); border: 1px solid var(--line); border-radius: .35rem; color: var(--fore);
  font: 12.5px/1.4 ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace; }
#pictures h3 { margin: .3rem 0 0; } #pictures details { margin: .2rem 0; } .mark { border-left: .3rem solid var(--bad); padding-left: .6rem; }
#pictures .scroll { max-height: 20rem; } #map-frame { overflow: auto; max-height: 60vh; border: 1px solid var(--line); border-radius: .35rem; margin: .4rem 0; background: var(--back); }
canvas { display: block; } #map-text { margin: .3rem 0 0; min-height: 1.45em; font-size: .9rem; }
.legend { display: inline-flex; flex-wrap: wrap; gap: .1rem .8rem; font-size: .85rem; }
.legend i { display: inline-block; width: .9em; height: .9em; margin-right: .3em; border: 1px solid var(--line); vertical-align: -.1em; }
.swatch.now { background: var(--accent); } .swatch.end { background: var(--second); } .swatch.peak { background: none; border-color: var(--dim); }
.chart svg { display: block; width: 100%; height: auto; } .chart svg text { fill: var(--dim); font-size: 12px; }
.axis { stroke: var(--line); } .curve { fill: none; stroke: var(--accent); stroke-width: 1.5; vector-effect: non-scaling-stroke; }
.area { fill: var(--accent); opacity: .15; } .cursor { stroke: var(--second); stroke-width: 2; } .tick { stroke: var(--bad); stroke-width: 2; }
.now { fill: var(--accent); } .end { fill: var(--second); } .peak { fill: none; stroke: var(--dim); } .outside { fill: var(--dim); opacity: .12; }
@media (max-width: 40rem) { body { padding: .5rem; } section { padding: .5rem; } }
@media print { #stepper > .row, #slide, details { display: none; } }
`
