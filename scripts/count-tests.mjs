// The last line of .ci/run: `count-tests.mjs <vitest's JSON report> <exit code of the test command>` → `N passed, N failed`.
// A failure that no test stands for (the build, a check, a test file that cannot be loaded) counts as one failed test.

import { existsSync, readFileSync } from 'node:fs'

/**
 * @typedef {object} Report
 * @property {number} numPassedTests
 * @property {number} numFailedTests
 * @property {number} numPendingTests
 * @property {number} numTodoTests
 * @property {{ status: string, assertionResults: { status: string }[] }[]} testResults
 */

const [, , file = '', exitCode = '1'] = process.argv
const report = existsSync(file) ? /** @type {Report} */ (JSON.parse(readFileSync(file, 'utf8'))) : undefined

const broken = report?.testResults.filter(
  ({ status, assertionResults }) => status === 'failed' && assertionResults.every((test) => test.status !== 'failed'),
)
const passed = report?.numPassedTests ?? 0
const skipped = (report?.numPendingTests ?? 0) + (report?.numTodoTests ?? 0)
let failed = (report?.numFailedTests ?? 0) + (broken?.length ?? 0)
if (failed === 0 && (exitCode !== '0' || passed === 0)) failed = 1

console.log(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`)
process.exitCode = failed === 0 ? 0 : 1
