/**
 * What ways of each kind can do: stated beside the code that says it of itself, so that a test of a driver can compare.
 */
import type { ViaCapabilities } from '@pidmesh/runtime'

/** Over the mesh; with a channel it does not reach pids. */
export const locationCapabilities: ViaCapabilities = {
  resolve: 'store',
  holders: 'one',
  newestWins: true,
  order: 'unless_moved',
  purge: 'ttl',
  knowsAbsence: true,
  reachesPids: true,
}

/** One channel for all; with a channel for each name it knows absence, if the broker counts who listens. */
export const pubSubCapabilities: ViaCapabilities = {
  resolve: 'none',
  holders: 'many',
  newestWins: false,
  order: 'always',
  purge: 'noticed',
  knowsAbsence: false,
  reachesPids: true,
}
