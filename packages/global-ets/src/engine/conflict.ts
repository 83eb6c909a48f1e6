/**
 * Which of several claims to a name is seen: the first by a sort key that is total and the same on every node. It is a function of the set of
 * claims, whatever the order in which they came: that is why all nodes come to the same answer. (A pairwise "who wins" that isn't a sort key need
 * not be transitive, and then they don't.)
 */
import type { NodeName } from '@pidmesh/runtime'
import type { Claim, Meta } from './claim.ts'

/** What a sort key may look at. */
export interface Claimant {
  readonly name: string
  readonly node: NodeName
  readonly epoch: number
  readonly meta: Meta
}

/**
 * - `smaller_node`: the smaller node name, by code unit, as simple_global decides
 * - `newest`: the larger epoch; the claim that was made later, as far as one has seen the other
 * - a sort key of one's own: the claim with the largest number is seen, and of equal ones that of the smaller node. It must be the same function on all nodes, which
 *   compare its `name`, and depend on nothing but its argument. What throws or is no number counts as -Infinity.
 */
export type ConflictPolicy = 'smaller_node' | 'newest' | SortKeyPolicy

export interface SortKeyPolicy {
  readonly name: string
  readonly sortKey: (claimant: Claimant) => number
}

/** Negative if `a` is seen rather than `b`. Zero only for claims of the same process. */
export type CompareClaims = (a: Claim, b: Claim) => number

export function compareBy(policy: ConflictPolicy): CompareClaims {
  if (policy === 'smaller_node') return byNode
  if (policy === 'newest') return (a, b) => b.epoch - a.epoch || byNode(a, b)
  const keyOf = (claim: Claim): number => sortKeyOf(policy, claim)
  return (a, b) => compareNumbers(keyOf(b), keyOf(a)) || byNode(a, b)
}

export function policyName(policy: ConflictPolicy): string {
  return typeof policy === 'string' ? policy : policy.name
}

function sortKeyOf({ sortKey }: SortKeyPolicy, { key, owner, epoch, meta }: Claim): number {
  try {
    const value: unknown = sortKey({ name: key, node: owner.name, epoch, meta })
    return typeof value === 'number' && !Number.isNaN(value) ? value : Number.NEGATIVE_INFINITY
  } catch {
    // The user's code: a claim that it can't judge comes last, on every node.
    return Number.NEGATIVE_INFINITY
  }
}

function byNode(a: Claim, b: Claim): number {
  return (
    compareCodeUnits(a.owner.name, b.owner.name) ||
    // The later life of a node knows more than its earlier one.
    b.owner.incarnation - a.owner.incarnation ||
    a.id - b.id
  )
}

/** Infinities too, whose difference is no number. */
function compareNumbers(a: number, b: number): number {
  return a < b ? -1 : a > b ? 1 : 0
}

/** The order of JavaScript's `<`: never a locale's, which differs between machines. */
export function compareCodeUnits(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
