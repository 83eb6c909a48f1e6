/**
 * PURPOSE    Supervision under stress: random trees, and crashes at random moments: in init, in terminate, during restarts and shutdowns; kills of
 * supervisors. INVARIANTS Each supervisor does what model.ts says, and nothing else: who is started, stopped and restarted, in which order, how
 * long it waits for an end, when it
 *            gives up, what it answers. No living child has a supervisor that is dead. A child is there once. A shutdown ends.
 *
 * `PIDMESH_HISTORIES=20000` plays more histories, `PIDMESH_SEED=7` others, `PIDMESH_PATH=1234` the one of that seed, and prints all that happened
 * in it.
 */
import { describe, expect, it } from 'vitest'
import { emptyStatistics, playHistory, type Outcome } from './play.ts'

const HISTORIES = Number(process.env['PIDMESH_HISTORIES'] ?? 350)
const FIRST = (Number(process.env['PIDMESH_SEED'] ?? 1) - 1) * 1_000_000 + 1
const PATH = /^[0-9]+$/.exec(process.env['PIDMESH_PATH'] ?? '')?.[0]
const SHOWN = PATH === undefined ? 60 : Infinity

describe('supervision under stress', () => {
  const seeds = PATH === undefined ? Array.from({ length: HISTORIES }, (_, index) => FIRST + index) : [Number(PATH)]
  const timeout = 30_000 + seeds.length * 200

  it(`all rules are kept (${seeds.length} histories)`, { timeout }, async () => {
    const statistics = emptyStatistics()
    for (const seed of seeds) {
      const outcome = await playHistory(seed, statistics)
      expect(outcome.broken, report(outcome)).toEqual([])
    }
    // A generator that has nothing to say would find nothing.
    if (seeds.length >= 350)
      for (const [what, times] of Object.entries(statistics)) expect(times, what).toBeGreaterThan(20)
  })

  it('a history that is played again is the same', { timeout }, async () => {
    for (const seed of seeds.slice(0, 5))
      expect((await playHistory(seed)).lines).toEqual((await playHistory(seed)).lines)
  })
})

function report({ seed, broken, lines }: Outcome): string {
  if (broken.length === 0) return ''
  return [
    `seed ${seed}`,
    ...broken.slice(0, 3).map((rule) => `broken: ${rule}`),
    'what happened last:',
    ...lines.slice(-SHOWN).map((line) => `  ${line.slice(0, 240)}`),
    `replay it: PIDMESH_PATH=${seed} npx vitest run --project simulation packages/gen-server/test/histories/histories.test.ts`,
  ].join('\n')
}
