/**
 * Plays histories outside of the test runner, for scripts/mutants.mjs: `cli.js <first seed> <how many> [--all]`. Prints one JSON object a line.
 */
import { playHistory, traceHash } from './play.ts'

const [, , first = '1', count = '1', mode = ''] = process.argv
for (let seed = Number(first); seed < Number(first) + Number(count); seed++) {
  const outcome = await playHistory(seed)
  const { broken, stats } = outcome
  if (mode === '--lines') console.log(outcome.lines.join('\n'))
  if (broken.length > 0 || mode === '--stats')
    console.log(
      JSON.stringify({ seed, hash: traceHash(outcome), rule: broken[0], ...(mode === '--stats' ? { stats } : {}) }),
    )
  if (broken.length > 0 && mode === '') break
}
