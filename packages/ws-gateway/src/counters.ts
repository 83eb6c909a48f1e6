/**
 * What a gateway counts. The numbers only grow, except those of what there is now.
 */
import { BOUNDS, Histogram, type HistogramStats } from './histogram.ts'

/** Why a message didn't reach a client. */
export type DropReason = 'droppable' | 'coalesced' | 'unencodable' | 'no_socket'

/** What became of clients that came back. `moved`: a session has gone from this node to another. */
export type ResumeResult = 'resumed' | 'moved' | 'gap' | 'gone' | 'refused' | 'busy'

export class Counters {
  /** Sockets that are open now. */
  connections = 0
  /** Of whom it isn't known yet who they are: sockets, and upgrades that are being looked at. */
  unauthenticated = 0
  messagesIn = 0
  messagesOut = 0
  /** Of payloads. */
  bytesIn = 0
  bytesOut = 0
  /** From the write of a push until the system has taken it, in seconds: a sample. */
  readonly pushLatencySeconds: Histogram = new Histogram(BOUNDS.latencySeconds)
  readonly dropped: Map<DropReason, number> = new Map()
  readonly resumes: Map<ResumeResult, number> = new Map()
  /** Upgrades that were refused, by HTTP status. */
  readonly refused: Map<number, number> = new Map()
  /** Sockets that were closed, by close code. Clients choose theirs freely, of some 2,000. */
  readonly closed: Map<number, number> = new Map()

  countRefused(status: number): void {
    count(this.refused, status)
  }

  countClose(code: number): void {
    count(this.closed, code)
  }

  countDrop(reason: DropReason): void {
    count(this.dropped, reason)
  }

  countResume(result: ResumeResult): void {
    count(this.resumes, result)
  }
}

function count<Key>(counts: Map<Key, number>, key: Key): void {
  counts.set(key, (counts.get(key) ?? 0) + 1)
}

/** Of the sockets of a gateway. */
export interface SocketDistributions {
  /** Bytes that wait for the client. */
  readonly bufferedBytes: HistogramStats
  /** The client's messages that wait for its session. */
  readonly mailboxMessages: HistogramStats
}

/** What a gateway is like when it is asked for; its distributions of the sockets, when the first of them is read, which looks at all sockets. */
export interface GatewayStats extends SocketDistributions {
  readonly connections: number
  readonly unauthenticated: number
  /** Sessions, with a socket and without. */
  readonly sessions: { readonly attached: number; readonly detached: number }
  readonly messagesIn: number
  readonly messagesOut: number
  readonly bytesIn: number
  readonly bytesOut: number
  readonly dropped: ReadonlyMap<DropReason, number>
  readonly resumes: ReadonlyMap<ResumeResult, number>
  readonly refused: ReadonlyMap<number, number>
  readonly closed: ReadonlyMap<number, number>
  /** Seconds. */
  readonly pushLatencySeconds: HistogramStats
  readonly isReady: boolean
}
