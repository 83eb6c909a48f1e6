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
  /** Connected nodes, now. */
  readonly nodes: number
}

type CounterName = Exclude<
  keyof NodeCounters,
  'processes' | 'runQueueLength' | 'timers' | 'aliases' | 'registeredNames' | 'nodes'
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

  totals(): { [Name in CounterName]: number } {
    const { processesSpawned, processesExited, processesCrashed, messagesDelivered, messagesDropped, turns } = this
    const { longSchedules, largeMailboxes } = this
    return {
      processesSpawned,
      processesExited,
      processesCrashed,
      messagesDelivered,
      messagesDropped,
      turns,
      longSchedules,
      largeMailboxes,
    }
  }
}
