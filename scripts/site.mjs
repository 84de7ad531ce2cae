/**
 * Writes the web pages of the project into site/: the playground, the report of recording A, and the API reference. Any
 * static server can serve the folder. The playground and the report also open from disk.
 */
import { execFileSync } from 'node:child_process'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'

const cli = (...args) => execFileSync(process.execPath, ['dist/cli.js', ...args], { stdio: 'inherit' })

rmSync('site', { recursive: true, force: true })
mkdirSync('site')
cli('playground', '-o', 'site/playground.html')
cli('report', 'test/data/A.txt.gz', '-o', 'site/report.html')
execFileSync('npm', ['run', '--silent', 'site:api'], { stdio: 'inherit' }) // into site/api
writeFileSync(
  'site/index.html',
  `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>nested-rmap</title>
<style>:root { color-scheme: light dark } body { font: 16px/1.5 system-ui, sans-serif; max-width: 45rem; margin: 2rem auto; padding: 0 1rem }</style>
</head>
<body>
<h1>nested-rmap</h1>
<p>An executable model of Linux KVM's nested reverse map (PowerPC Book3S HV).</p>
<ul>
<li><a href="playground.html">Playground</a>: nested guests, faults, lists and invalidations, step by step</li>
<li><a href="report.html">Report of recording A</a>: a recording of a Linux 6.1 kernel, compared with the model</li>
<li><a href="api/index.html">API reference</a></li>
</ul>
</body>
</html>
`,
)
