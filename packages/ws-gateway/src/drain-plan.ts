/**
 * When each of a gateway's sockets is closed, so that the clients don't come to the other nodes all at once: evenly over the time, some in each tick.
 *
 * Invariants: every socket is in one batch; batches come in the order of their time, none is empty, none is larger than `maxPerTick`, and they differ by one
 * socket at most. Where the time is too short for that it is the time that gives: the plan then takes longer than `overMs`.
 */
export const DRAIN_TICK_MS = 100

export interface DrainOptions {
  readonly sockets: number
  /** From the first batch to the end of the last one's tick. */
  readonly overMs: number
  readonly maxPerTick: number
}

export interface DrainBatch {
  /** From the beginning of the drain; a multiple of a tick, the first is 0. */
  readonly atMs: number
  readonly sockets: number
}

export function drainPlan({ sockets, overMs, maxPerTick }: DrainOptions): DrainBatch[] {
  const ticks = Math.max(1, Math.floor(overMs / DRAIN_TICK_MS), Math.ceil(sockets / maxPerTick))
  const batches: DrainBatch[] = []
  let planned = 0
  for (let tick = 0; planned < sockets; tick++) {
    const due = Math.ceil(((tick + 1) * sockets) / ticks)
    if (due > planned) batches.push({ atMs: tick * DRAIN_TICK_MS, sockets: due - planned })
    planned = due
  }
  return batches
}
