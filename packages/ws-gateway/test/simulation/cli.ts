/**
 * Plays schedules outside of the test runner, for scripts/mutants.mjs: `cli.js <first seed> <how many> [--all]`. Prints one JSON object a line.
 */
import { CLIENTS, Schedule } from './schedule.ts'

const [, , first = '1', count = '1', mode = ''] = process.argv
for (let seed = Number(first); seed < Number(first) + Number(count); seed++) {
  const { faults, figures } = await new Schedule(seed).run()
  const [fault] = figures.resumes > CLIENTS ? faults : ['nobody goes on with a session', ...faults]
  if (fault === undefined) continue
  console.log(JSON.stringify({ seed, rule: fault }))
  if (mode === '') break
}
// What a broken gateway has left behind must not keep the process.
process.exit()
