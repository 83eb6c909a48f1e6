/**
 * PURPOSE    Erlang's semantics of processes on one node: random histories of sends, exits, links, monitors, aliases, names and timers, judged by two oracles
 *            that know nothing of our implementation: a reference model (model.ts), and BEAM itself (beam.ts).
 * INVARIANTS After each command, when all has come to rest: its result is the same; the same processes have ended, with the same reasons; each
 *            process has got the same messages; and at the end the same names, links and monitors are left.
 *
 * `PIDMESH_HISTORIES=5000` plays more of them, `PIDMESH_SEED=7` others. A failure prints the shortest history that was found, and how to replay it.
 */
import { erlangMissing, mustSkip } from '@pidmesh/dev-services'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Beam } from './beam.ts'
import { text, type History } from './commands.ts'
import { histories } from './generate.ts'
import { model } from './model.ts'
import { asOnBeam, type Observation } from './observation.ts'
import { ours } from './ours.ts'

const HISTORIES = process.env['PIDMESH_HISTORIES']
const WITH_MODEL = Number(HISTORIES ?? 600)
const WITH_BEAM = Number(HISTORIES ?? 1_000)
/** Where fast-check found a failure: replays that alone. */
const PATH = process.env['PIDMESH_PATH']
const COMMANDS = 120

type Judge = (history: History) => Promise<string | undefined>

async function expectAlike(name: string, runs: number, drawn: fc.Arbitrary<History>, judge: Judge): Promise<void> {
  const property = fc.asyncProperty(drawn, async (history) => {
    if ((await judge(history)) !== undefined) throw new Error('not alike')
  })
  const found = await fc.check(property, { numRuns: runs, ...(PATH === undefined ? {} : { path: PATH }) })
  const history = found.counterexample?.[0]
  if (history === undefined) return
  const replay =
    `PIDMESH_SEED=${found.seed} PIDMESH_PATH=${found.counterexamplePath} ` +
    `npx vitest run --project simulation packages/runtime/test/histories/histories.test.ts -t '${name}'`
  expect.fail(
    `the history ${found.numRuns} of seed ${found.seed}, shrunk ${found.numShrinks} times:\n\n` +
      `${(await judge(history)) ?? 'played once more it gives the same'}\n\nreplay it: ${replay}`,
  )
}

/** The history up to where they part, with what each saw there; `undefined` if they never do. */
function difference(history: History, seen: Readonly<Record<string, Observation>>): string | undefined {
  const observations = Object.entries(seen)
  const step = history.findIndex((_, index) => new Set(observations.map(([, of]) => of[index]?.join('\n'))).size > 1)
  if (step < 0) return undefined
  const lines = history.slice(0, step + 1).map((command, index) => `  ${index + 1}. ${text(command)}`)
  const parts = observations.map(([, of]) => (of[step] ?? []).flatMap((line) => line.split('; ')))
  for (const [index, [who]] of observations.entries()) {
    const isOwn = (part: string): boolean => parts.some((others) => !others.includes(part))
    lines.push(`${who}:`, ...(parts[index] ?? []).filter(isOwn).map((part) => `    ${part}`))
  }
  return lines.join('\n')
}

describe('processes on one node', () => {
  it(
    'a random history gives what the reference model says',
    { timeout: 20_000 + WITH_MODEL * 100 },
    async ({ task }) => {
      await expectAlike(task.name, WITH_MODEL, histories(COMMANDS), async (history) =>
        difference(history, { ours: await ours.play(history), model: await model.play(history) }),
      )
    },
  )
})

describe.skipIf(mustSkip(erlangMissing()))('processes on one node, as on BEAM', () => {
  let beam: Beam

  beforeAll(async () => {
    beam = await Beam.start()
  }, 30_000)

  afterAll(() => beam.stop())

  it('a random history gives on BEAM what it gives here', { timeout: 30_000 + WITH_BEAM * 100 }, async ({ task }) => {
    await expectAlike(task.name, WITH_BEAM, histories(COMMANDS), async (history) =>
      difference(history, {
        ours: asOnBeam(await ours.play(history)),
        BEAM: await beam.play(history),
        model: asOnBeam(await model.play(history)),
      }),
    )
  })
})
