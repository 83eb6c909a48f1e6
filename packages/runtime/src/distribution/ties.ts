/**
 * Which of two dials wins, when two nodes dial each other: that of the node with the greater name, as in Erlang.
 *
 * A dial of ours is known only by whom it claims to have found; the one who is refused for it has proved that it knows the cookie. A dial of ours that leads to it
 * comes to its end before it could be back. So it is refused for a second at most: then what we are dialing is another one, which has only its name.
 */
import type { NodeName } from '../ids.ts'

/** For so long after its first a node is refused for our own dial. */
const TIE_MS = 1_000
/** So long after its first refusal it is another tie: those who are refused come back within a second, or have been let in. */
const FORGET_MS = 10_000

export class Ties {
  /** Who has been refused, and when first. */
  private readonly since = new Map<NodeName, number>()

  /** A node that is being dialed has dialed us, whose name is the greater. Says whether it is to be refused. */
  isRefused(node: NodeName, nowMs: number): boolean {
    for (const [other, sinceMs] of this.since) if (nowMs - sinceMs > FORGET_MS) this.since.delete(other)
    const sinceMs = this.since.get(node) ?? nowMs
    this.since.set(node, sinceMs)
    return nowMs - sinceMs < TIE_MS
  }

  /** The node is connected. */
  onUp(node: NodeName): void {
    this.since.delete(node)
  }
}
