/**
 * PURPOSE    The order of signals, where nobody waits: several processes do many things at once, again and again.
 * INVARIANTS From one process to another everything comes in the order in which it was sent, of whatever kind and by whatever address, and nothing is
 *            lost; nothing comes of a process after its end; each monitor gives exactly one `DOWN` unless it is ended before; a link that stands gives an
 *            `EXIT`; what is unlinked, demonitored or closed gives nothing any more; the dead do nothing; at the end both ends know the same links and monitors.
 *
 * `PIDMESH_HISTORIES=5000` plays more of them, `PIDMESH_SEED=7` others. A failure prints the shortest history that was found, and how to replay it.
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { burstHistories, playBursts, type BurstHistory } from './bursts.ts'
import { brokenRules } from './order-rules.ts'

const HISTORIES = Number(process.env['PIDMESH_HISTORIES'] ?? 500)
/** Where fast-check found a failure: replays that alone. */
const PATH = process.env['PIDMESH_PATH']

async function expectRulesKept(name: string, nodes: 1 | 2): Promise<void> {
  const property = fc.asyncProperty(burstHistories, async (history) => {
    if (brokenRules(await playBursts(history, nodes)).length > 0) throw new Error('a rule is broken')
  })
  const found = await fc.check(property, { numRuns: HISTORIES, ...(PATH === undefined ? {} : { path: PATH }) })
  const history = found.counterexample?.[0]
  if (history === undefined) return
  const logs = await playBursts(history, nodes)
  const replay =
    `PIDMESH_SEED=${found.seed} PIDMESH_PATH=${found.counterexamplePath} ` +
    `npx vitest run --project simulation packages/runtime/test/histories/bursts.test.ts -t '${name}'`
  const logTexts = logs.map(({ entries }, index) => `${index}: ${entries.map(short).join(' ')}`)
  expect.fail(
    `the history ${found.numRuns} of seed ${found.seed}, shrunk ${found.numShrinks} times:\n\n` +
      `${[...historyLines(history), ...logTexts, ...brokenRules(logs)].join('\n')}\n\nreplay it: ${replay}`,
  )
}

function historyLines({ seed, bursts }: BurstHistory): string[] {
  const lines = [`the cluster's seed is ${seed}`]
  for (const { orders, thenMs } of bursts) {
    for (const { by, acts } of orders) lines.push(`  ${by} is told to ${acts.map(short).join(' ')}`)
    lines.push(`  ${thenMs} ms pass`)
  }
  return lines
}

function short({ type, ...rest }: { readonly type: string }): string {
  return `${type}(${Object.entries(rest)
    .map(([key, value]) => `${key} ${String(value)}`)
    .join(', ')})`
}

describe('signals in bursts', () => {
  const timeout = 20_000 + HISTORIES * 100

  it('on one node bursts of signals keep all rules of order', { timeout }, async ({ task }) => {
    await expectRulesKept(task.name, 1)
  })

  it('across two nodes bursts of signals keep all rules of order', { timeout }, async ({ task }) => {
    await expectRulesKept(task.name, 2)
  })
})
