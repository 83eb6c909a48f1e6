// Every check that needs no test run. All of them run, even after one has failed. `check-static.mjs lint types` runs only these.

import { join } from 'node:path'
import { binOf, buildProjects, root, runNode } from './workspace.mjs'

const tsc = binOf('typescript', 'tsc')

/** @type {Record<string, () => boolean>} */
const checks = {
  generate: () => runNode(join(root, 'scripts/generate.mjs')),
  format: () => runNode(binOf('oxfmt'), '--check', '.'),
  // What is built, as it is built; then everything, with the tests, in one program from source.
  types: () => [runNode(tsc, '-b', ...buildProjects()), runNode(tsc, '-p', '.')].every(Boolean),
  imports: () => runNode(join(root, 'scripts/check-imports.mjs')),
  lint: () => runNode(binOf('oxlint'), '--format', 'unix', '.'),
}

const wanted = process.argv.length > 2 ? process.argv.slice(2) : Object.keys(checks)
const failed = wanted.filter((name) => checks[name]?.() !== true)
if (failed.length > 0) {
  console.error(`check failed: ${failed.join(', ')}`)
  process.exitCode = 1
}
