/**
 * Plays histories outside of the test runner, for scripts/mutants.mjs: `cli.js <first seed> <how many> [--all | --seen | --lines]`. Prints one JSON object a line.
 */
import { playHistory, traceHash } from './play.ts'

const [, , first = '1', count = '1', mode = ''] = process.argv
const seen = new Map<string, number>()
for (let seed = Number(first); seed < Number(first) + Number(count); seed++) {
  const outcome = await playHistory(seed)
  const { broken } = outcome
  if (mode === '--lines') console.log(outcome.lines.join('\n'))
  if (broken.length > 0) console.log(JSON.stringify({ seed, hash: traceHash(outcome), rule: broken[0] }))
  if (broken.length > 0 && mode === '') break
  for (const [what, times] of outcome.seen) seen.set(what, (seen.get(what) ?? 0) + times)
}
if (mode === '--seen')
  console.log(JSON.stringify(Object.fromEntries([...seen].sort(([a], [b]) => (a < b ? -1 : 1))), undefined, 1))
