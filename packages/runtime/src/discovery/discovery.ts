/**
 * How a node finds the addresses of others, behind one small interface: seeds are a list that stays as it is; a discovery goes on finding.
 */
import type { Clock, Logger, Random } from '../ports.ts'

/** What a discovery may use of its node: with the clock of a `TestCluster` it runs in virtual time. */
export interface DiscoveryContext {
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
}

/** Finds the addresses of other nodes, and goes on finding them. May be started by several nodes: it keeps the state of each apart. */
export interface Discovery {
  /**
   * Begins. Tells `found` all addresses that it knows now, as `host:port`, at first and whenever they may have changed, and never within this call: an address
   * that is missing in the next list has vanished. An address of the node itself may be among them.
   * @returns what ends it: nothing is told after that, and nothing of it keeps the process of the operating system alive.
   */
  start(found: (addresses: readonly string[]) => void, context: DiscoveryContext): () => void
}
