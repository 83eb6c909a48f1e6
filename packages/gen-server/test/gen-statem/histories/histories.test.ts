/**
 * PURPOSE    The order in which a state machine handles events, and what its returns and actions do: random histories, judged by two oracles that know nothing of
 *            our implementation: a reference model (model.ts), and gen_statem of OTP itself (statem_player.erl).
 * INVARIANTS The same callbacks run, in the same order, in the same states, with the same contents; the same replies are sent between them; the machine ends with
 *            the same reason in the same state, or waits in the same one.
 *
 * `PIDMESH_HISTORIES=20000` plays more of them, `PIDMESH_SEED=7` others. A failure prints the shortest history that was found.
 */
import { erlangMissing, mustSkip } from '@pidmesh/dev-services'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Beam } from '../../beam/beam.ts'
import { textOf } from './beam.ts'
import { histories } from './history.ts'
import { playModel } from './model.ts'
import { playOurs } from './ours.ts'

const RUNS = Number(process.env['PIDMESH_HISTORIES'] ?? 3_000)

it('a random history gives what the reference model says', { timeout: 20_000 + RUNS * 10 }, () => {
  fc.assert(
    fc.property(histories(true), (history) => {
      expect(playOurs(history)).toEqual(playModel(history))
    }),
    { numRuns: RUNS },
  )
})

describe.skipIf(mustSkip(erlangMissing()))('gen_statem of OTP', () => {
  let beam: Beam

  beforeAll(async () => {
    beam = await Beam.start(new URL('statem_player.erl', import.meta.url))
  }, 30_000)

  afterAll(() => beam.stop())

  it('a random history gives there what it gives here', { timeout: 30_000 + RUNS * 20 }, async () => {
    await fc.assert(
      fc.asyncProperty(histories(false), async (history) => {
        const seen = await beam.play(textOf(history))
        expect(playOurs(history)).toEqual(seen)
        expect(playModel(history)).toEqual(seen)
      }),
      { numRuns: RUNS },
    )
  })
})

it('random histories reach what they are for', () => {
  const reached = new Map<string, number>()
  for (const history of fc.sample(histories(true), RUNS))
    for (const what of new Set(playOurs(history).map((line) => line.replace(/ .*/, ''))))
      reached.set(what, (reached.get(what) ?? 0) + 1)
  const kinds = ['call', 'cast', 'info', 'internal', 'enter', 'reply', 'end', 'waits']
  for (const kind of [...kinds, 'state_timeout', 'event_timeout', 'timeout:x'])
    expect(reached.get(kind), kind).toBeGreaterThan(RUNS / 20)
})
