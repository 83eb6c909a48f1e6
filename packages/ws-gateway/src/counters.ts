/**
 * What a gateway counts. The numbers only grow, except those of what there is now.
 */
import { Histogram, type HistogramSnapshot } from './histogram.ts'

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
  bytesIn = 0
  bytesOut = 0
  /** From the write of a push until the system has taken it, in seconds: a sample. */
  readonly pushLatency: Histogram = new Histogram([
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1, 5,
  ])
  readonly drops: Map<DropReason, number> = new Map()
  readonly resumes: Map<ResumeResult, number> = new Map()
  /** Upgrades that were refused, by HTTP status. */
  readonly refused: Map<number, number> = new Map()
  /** Sockets that were closed, by close code. Of those that applications choose there are at most so many. */
  readonly closed: Map<number, number> = new Map()

  countRefused(status: number): void {
    count(this.refused, status)
  }

  countClose(code: number): void {
    count(this.closed, this.closed.size < MAX_CODES || this.closed.has(code) ? code : OTHER_CODES)
  }

  countDrop(reason: DropReason): void {
    count(this.drops, reason)
  }

  countResume(result: ResumeResult): void {
    count(this.resumes, result)
  }
}

/** Clients choose their close codes freely: a metric must not have a label for each. */
const MAX_CODES = 64
const OTHER_CODES = 0

function count<Key>(counts: Map<Key, number>, key: Key): void {
  counts.set(key, (counts.get(key) ?? 0) + 1)
}

/** What a gateway is like at one moment. */
export interface GatewayStats {
  readonly connections: number
  readonly unauthenticated: number
  /** Sessions, with a socket and without. */
  readonly sessions: { readonly attached: number; readonly detached: number }
  readonly messagesIn: number
  readonly messagesOut: number
  readonly bytesIn: number
  readonly bytesOut: number
  readonly drops: ReadonlyMap<DropReason, number>
  readonly resumes: ReadonlyMap<ResumeResult, number>
  readonly refused: ReadonlyMap<number, number>
  readonly closed: ReadonlyMap<number, number>
  /** Seconds. */
  readonly pushLatency: HistogramSnapshot
  /** Of the sockets: bytes that wait for the client. */
  readonly bufferedBytes: HistogramSnapshot
  /** Of the sockets: the client's messages that wait for its session. */
  readonly pendingMessages: HistogramSnapshot
  readonly isReady: boolean
}
