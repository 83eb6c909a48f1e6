/**
 * What a node counts. Plain numbers, incremented where the thing happens; `Node.counters()` takes a snapshot for a metrics library to read.
 */

/** Counts since the node's start, except those that say `now`. */
export interface NodeCounters {
  /** Living processes, now. The main process is one. */
  readonly processes: number
  readonly processesSpawned: number
  readonly processesExited: number
  /** Exits that made a crash report. */
  readonly processesCrashed: number
  /** Messages that were put into a mailbox of this node, `EXIT`, `DOWN` and the like included. */
  readonly messagesDelivered: number
  /** Messages that a full mailbox with the policy `drop` has refused. */
  readonly messagesDropped: number
  /** Turns of the scheduler. */
  readonly turns: number
  /** Processes that wait for their turn, now. */
  readonly runQueueLength: number
  /** Timers that are running, now: those of processes, and timeouts of calls. */
  readonly timers: number
  /** Aliases that are open, now: those of processes, and of requests that wait for their reply. */
  readonly aliases: number
  /** Registered names, now. */
  readonly registeredNames: number
  /** Messages that were handled for longer than `longScheduleMs` without a pause. */
  readonly longSchedules: number
  /** Times that a mailbox has passed its limit. */
  readonly largeMailboxes: number
  /** Connected nodes, hidden ones included, now. */
  readonly nodes: number
  /** Bytes that wait to be sent to other nodes, now. */
  readonly bufferedBytes: number
  /** Signals that have arrived from other nodes and are not taken in yet, now. */
  readonly waitingSignals: number
  /** Messages and other signals to processes of other nodes, and from them. */
  readonly signalsSent: number
  readonly signalsReceived: number
  /** Sends to other nodes that were told `busy`. */
  readonly busySends: number
  /** Connections that have ended otherwise than by `stop` or `disconnectNode`. */
  readonly connectionsLost: number
  /** Of these, the ones whose other side had sent what no node sends. */
  readonly protocolErrors: number
  /** Connections that this node has refused, or that have refused it: for the cookie, the certificate, the version, the name. */
  readonly handshakesRefused: number
  /** Connections that have not come to the end of their handshake in time. */
  readonly handshakesTimedOut: number
  /** Connections that have sent something else than a handshake. */
  readonly handshakesMalformed: number
  /** Connections that were closed in their handshake because too many others came. */
  readonly handshakesEvicted: number
}

type CounterName = Exclude<
  keyof NodeCounters,
  | 'processes'
  | 'runQueueLength'
  | 'timers'
  | 'aliases'
  | 'registeredNames'
  | 'nodes'
  | 'bufferedBytes'
  | 'waitingSignals'
>

/** The counts that only go up. */
export class Counters implements Pick<NodeCounters, CounterName> {
  processesSpawned = 0
  processesExited = 0
  processesCrashed = 0
  messagesDelivered = 0
  messagesDropped = 0
  turns = 0
  longSchedules = 0
  largeMailboxes = 0
  signalsSent = 0
  signalsReceived = 0
  busySends = 0
  connectionsLost = 0
  protocolErrors = 0
  handshakesRefused = 0
  handshakesTimedOut = 0
  handshakesMalformed = 0
  handshakesEvicted = 0

  totals(): { [Name in CounterName]: number } {
    return Object.assign({}, this)
  }
}
