/**
 * Which of several claims to a name is seen: the first by a sort key that is total and the same on every node. It is a function of the set of
 * claims, whatever the order in which they came: that is why all nodes come to the same answer. (A pairwise "who wins" that isn't a sort key need
 * not be transitive, and then they don't.)
 */
import type { Claim } from './claim.ts'

/**
 * - `smaller_node`: the smaller node name, by code unit, as simple_global decides
 * - `newest`: the larger epoch; the claim that was made later, as far as one has seen the other
 */
export type ConflictPolicy = 'smaller_node' | 'newest'

/** Negative if `a` is seen rather than `b`. Zero only for claims of the same process. */
export type CompareClaims = (a: Claim, b: Claim) => number

export function compareBy(policy: ConflictPolicy): CompareClaims {
  return policy === 'newest' ? (a, b) => b.epoch - a.epoch || byNode(a, b) : byNode
}

function byNode(a: Claim, b: Claim): number {
  return (
    compareCodeUnits(a.pid.node, b.pid.node) ||
    // The later life of a node knows more than its earlier one.
    b.pid.incarnation - a.pid.incarnation ||
    a.pid.id - b.pid.id
  )
}

/** The order of JavaScript's `<`: never a locale's, which differs between machines. */
export function compareCodeUnits(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
