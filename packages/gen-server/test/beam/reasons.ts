/**
 * Exit reasons in histories that are played on BEAM, too. director.erl has the same.
 */
import type { ExitReason } from '@pidmesh/runtime'

export const REASONS = ['normal', 'shutdown', 'shutdown:tired', 'crash'] as const

export type Reason = (typeof REASONS)[number]

export function exitReasonOf(reason: Reason | 'kill'): ExitReason {
  return reason === 'shutdown:tired' ? { shutdown: 'tired' } : reason
}

/** An error is `error`, whatever it says. */
export function reasonText(reason: ExitReason): string {
  if (typeof reason === 'string') return reason
  const [kind = '', why] = Object.entries(reason)[0] ?? []
  return kind === 'shutdown' && typeof why === 'string' ? `shutdown:${why}` : kind
}
