/**
 * What even-seeds.test.ts and odd-seeds.test.ts share: two files, so that two workers play.
 *
 * PURPOSE    The replicated table under faults: cuts, connections that break in the midst of a batch, crashes of nodes and of table servers, stalls, slow readers,
 *            rings and chunks that are tiny, rows that rot.
 * INVARIANTS See judge.ts for those of each moment, end.ts for those of the end.
 *
 * `PIDMESH_HISTORIES=100000` plays more histories, `PIDMESH_SEED=7` others, `PIDMESH_PATH=1234` the one of that seed, and writes down all that happened in it.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { ACTS, FAULTS } from './plan.ts'
import { playHistory, traceHash, type Outcome } from './play.ts'

const HISTORIES = Number(process.env['PIDMESH_HISTORIES'] ?? 2_600)
const FIRST = (Number(process.env['PIDMESH_SEED'] ?? 1) - 1) * 1_000_000 + 1
/** A path of fast-check's is for others. */
const PATH = /^[0-9]+$/.exec(process.env['PIDMESH_PATH'] ?? '')?.[0]
const TRACES = 'reports/simulation'
/** One of so many is played twice. */
const TWICE = 100
const SHOWN = 40

type Parity = 'even' | 'odd'

export function describeHistories(parity: Parity): void {
  const isOurs = (seed: number): boolean => (seed % 2 === 0) === (parity === 'even')
  const all = Array.from({ length: HISTORIES }, (_, index) => FIRST + index)
  const seeds = (PATH === undefined ? all : [Number(PATH)]).filter(isOurs)
  const timeout = 30_000 + seeds.length * 200

  describe(`tables under faults, with ${parity} seeds`, () => {
    it(`all rules are kept (${seeds.length} histories)`, { timeout }, async () => {
      const seen = new Map<string, number>()
      // With PIDMESH_PATH there may be none, but that one is of the other file.
      expect(seeds.length).toBeGreaterThan(PATH === undefined ? 0 : -1)
      for (const seed of seeds) {
        const outcome = await playHistory(seed)
        if (PATH !== undefined) writeTrace(outcome)
        if (outcome.broken.length > 0) expect.fail(await report(outcome, parity))
        for (const [kind, times] of outcome.seen) seen.set(kind, (seen.get(kind) ?? 0) + times)
      }
      // A generator that has nothing to say would find nothing.
      if (seeds.length > 1_000) expect(EXPECTED.filter((kind) => (seen.get(kind) ?? 0) < 2)).toEqual([])
    })

    it(`a history that is played again is the same, byte for byte (1 of ${TWICE})`, { timeout }, async () => {
      const again = PATH === undefined ? seeds.filter((_, index) => index % TWICE === 0) : seeds
      for (const seed of again) {
        const [first, second] = [await playHistory(seed), await playHistory(seed)]
        expect(second.lines.join('\n'), `seed ${seed}`).toBe(first.lines.join('\n'))
        expect(traceHash(second)).toBe(traceHash(first))
      }
    })
  })
}

const EXPECTED: readonly string[] = [
  ...Object.keys(ACTS).map((act) => `act ${act}`),
  ...Object.keys(FAULTS).map((fault) => `fault ${fault}`),
  ...['absent', 'hidden', 'refused'].map((state) => `${state} → syncing by snapshot_begin`),
  'syncing → live by snapshot_end',
  'stale → live by snapshot_end',
  'hidden → live by resume',
  'live → stale by tick',
  'live → stale by snapshot_begin',
  'live → refused by delta',
  'syncing → refused by snapshot_chunk',
  'hidden → absent by hello',
  'live is lost',
  'hidden is lost',
  'forgotten',
  'snapshot restarted',
  'snapshot cut off',
  'delta within a snapshot',
  'verdict ask',
  'verdict ask_later',
  'verdict refused',
  'defeat',
  'loser ends',
  'loser is killed',
  'takeover of a name',
  'rot of a row',
  'registers at nodeup',
  'registers at start',
]

function writeTrace(outcome: Outcome): string {
  const file = join(TRACES, `tables-${outcome.seed}.txt`)
  mkdirSync(TRACES, { recursive: true })
  writeFileSync(file, [...outcome.lines, ...outcome.broken.map((rule) => `broken: ${rule}`), ''].join('\n'))
  return file
}

async function report(outcome: Outcome, parity: Parity): Promise<string> {
  const { seed, lines, broken } = outcome
  const isSame = traceHash(await playHistory(seed)) === traceHash(outcome)
  return [
    `seed ${seed}, trace ${traceHash(outcome)}${isSame ? '' : ', and another one when it is played again'}`,
    ...broken.slice(0, 3).map((rule) => `broken: ${rule}`),
    `what happened last, all of it in ${writeTrace(outcome)}:`,
    ...lines.slice(-SHOWN).map((line) => `  ${line.slice(0, 240)}`),
    `replay it: PIDMESH_PATH=${seed} npx vitest run --project simulation packages/global-ets/test/simulation/${parity}-seeds.test.ts`,
  ].join('\n')
}
