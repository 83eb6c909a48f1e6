/**
 * PURPOSE: the same promise as that of test/cluster/gateway-chaos.test.ts, over far more interleavings: simulated nodes, a schedule from a seed (schedule.ts), no time lost.
 *
 *   PIDMESH_SEED=7 PIDMESH_SCHEDULES=100 npx vitest run --project simulation packages/ws-gateway/test/simulation
 */
import { expect, it } from 'vitest'
import { CLIENTS, Schedule } from './schedule.ts'

const SEED = Number(process.env['PIDMESH_SEED'] ?? 1)
const SCHEDULES = Number(process.env['PIDMESH_SCHEDULES'] ?? 6)

it.each(Array.from({ length: SCHEDULES }, (_, index) => SEED * 1_000 + index))(
  'no message is lost in silence, none comes twice, and no gap is without a kill (seed %d)',
  { timeout: 60_000 },
  async (seed) => {
    const { faults, figures } = await new Schedule(seed).run()
    expect(faults, JSON.stringify(figures)).toEqual([])
    expect(figures.resumes).toBeGreaterThan(CLIENTS)
  },
)
