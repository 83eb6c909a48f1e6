/**
 * Plays histories outside of the test runner, for scripts/mutants.mjs: `cli.js <first seed> <how many> [--all]`. Prints one JSON object a line.
 */
import { playHistory } from './play.ts'

const [, , first = '1', count = '1', mode = ''] = process.argv
for (let seed = Number(first); seed < Number(first) + Number(count); seed++) {
  const { broken } = await playHistory(seed)
  if (broken.length > 0) console.log(JSON.stringify({ seed, rule: broken[0] }))
  if (broken.length > 0 && mode === '') break
}
