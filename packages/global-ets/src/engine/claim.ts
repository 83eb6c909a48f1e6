/**
 * Claims: who says that a key is whose. A claim's owner is the node of its process, and only the owner makes, changes or withdraws it. Two nodes that were apart may
 * both claim a name; which claim is seen is a matter of conflict.ts. In a table of groups a claim is a membership, and all are seen.
 */
import type { NameMeta, NodeIdentity } from '@pidmesh/runtime'

/** What is known with a claim. Frozen, and the table's own. */
export type Meta = NameMeta

export const EMPTY_META: Meta = Object.freeze({})

/** A claim as those see it who decide about it. */
export interface Claim {
  readonly key: string
  readonly owner: NodeIdentity
  /** Of the process, on the owner. */
  readonly id: number
  /** 1 + the largest epoch that the owner had seen: a later claim has a larger one, without a wall clock. */
  readonly epoch: number
  readonly meta: Meta
}
