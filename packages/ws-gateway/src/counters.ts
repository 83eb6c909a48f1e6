/**
 * What a gateway counts. The numbers only grow, except `connections`.
 */
export class Counters {
  /** Sockets that are open now. */
  connections = 0
  messagesIn = 0
  messagesOut = 0
  /** Messages to clients that had no form in JSON. */
  unencodable = 0
  /** Upgrades that were refused, by HTTP status. */
  readonly refused: Map<number, number> = new Map()
  /** Sockets that were closed, by close code. */
  readonly closed: Map<number, number> = new Map()

  countRefused(status: number): void {
    this.refused.set(status, (this.refused.get(status) ?? 0) + 1)
  }

  countClose(code: number): void {
    this.closed.set(code, (this.closed.get(code) ?? 0) + 1)
  }
}

/** A copy of the counters at one moment. */
export interface GatewayStats {
  readonly connections: number
  readonly messagesIn: number
  readonly messagesOut: number
  readonly unencodable: number
  readonly refused: ReadonlyMap<number, number>
  readonly closed: ReadonlyMap<number, number>
}
