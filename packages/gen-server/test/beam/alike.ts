/**
 * Holds what is seen of random histories here against what is seen of them on BEAM. Skipped where there is no Erlang, but for `PIDMESH_NO_SKIP=1`.
 */
import { erlangMissing, mustSkip } from '@pidmesh/dev-services'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Beam, termOf, type Term } from './beam.ts'

const HISTORIES = process.env['PIDMESH_HISTORIES']
/** Where fast-check found a failure: replays that alone. */
const PATH = process.env['PIDMESH_PATH']

export interface Compared<History extends Term> {
  /** What plays them on BEAM. */
  readonly player: URL
  readonly playHere: (history: History) => Promise<readonly string[]>
  readonly drawn: fc.Arbitrary<History>
  /** How many are played, unless PIDMESH_HISTORIES says it. */
  readonly runs: number
  /** What is seen in more than one of 400 of them: a generator that has nothing to say would find nothing. */
  readonly reached: readonly RegExp[]
}

/** The same is seen of each, line by line. */
export function expectAlikeOnBeam<History extends Term>(name: string, compared: Compared<History>): void {
  const { player, playHere, drawn, reached } = compared
  const runs = Number(HISTORIES ?? compared.runs)

  describe.skipIf(mustSkip(erlangMissing()))(`${name}, as on BEAM`, () => {
    let beam: Beam

    beforeAll(async () => {
      beam = await Beam.start(player)
    }, 30_000)

    afterAll(() => beam.stop())

    it('a random history gives on BEAM what it gives here', { timeout: 30_000 + runs * 100 }, async ({ task }) => {
      const counts = new Map(reached.map((what) => [what, 0]))
      const property = fc.asyncProperty(drawn, async (history) => {
        const onBeam = await beam.play(termOf(history))
        for (const what of reached.filter((one) => onBeam.some((line) => one.test(line))))
          counts.set(what, (counts.get(what) ?? 0) + 1)
        const here = await playHere(history)
        if (onBeam.join('\n') !== here.join('\n')) throw new Error(`${shown('BEAM', onBeam)}\n${shown('here', here)}`)
      })
      const found = await fc.check(property, { numRuns: runs, ...(PATH === undefined ? {} : { path: PATH }) })
      const history = found.counterexample?.[0]
      if (history !== undefined) {
        const { seed, numRuns, numShrinks, counterexamplePath, errorInstance } = found
        const replay =
          `PIDMESH_SEED=${seed} PIDMESH_PATH=${counterexamplePath} ` +
          `npx vitest run --project ${task.file.projectName ?? 'unit'} ${task.file.name} -t '${name}, as on BEAM'`
        expect.fail(
          `the history ${numRuns} of seed ${seed}, shrunk ${numShrinks} times:\n    ${termOf(history)}\n` +
            `${errorInstance instanceof Error ? errorInstance.message : String(errorInstance)}\nreplay it: ${replay}`,
        )
      }
      if (PATH !== undefined || runs < compared.runs) return
      for (const [what, count] of counts) expect(count, String(what)).toBeGreaterThan(runs / 400)
    })
  })
}

function shown(where: string, lines: readonly string[]): string {
  return [`${where}:`, ...lines.map((line) => `    ${line}`)].join('\n')
}
