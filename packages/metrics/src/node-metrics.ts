/**
 * The metrics of a node: one of each of its counters, and who it is.
 */
import type { NodeCounters } from '@pidmesh/runtime'
import { single, type NumberDefinition } from './definition.ts'

/** What is read of a node. */
export interface NodeSource {
  readonly name: string
  counters(): NodeCounters
}

export interface NodeStats {
  readonly name: string
  readonly counters: NodeCounters
}

type Row = readonly [type: 'counter' | 'gauge', name: string, help: string]

const ROWS: Readonly<Record<keyof NodeCounters, Row>> = {
  processes: ['gauge', 'processes', 'Living processes.'],
  processesSpawned: ['counter', 'processes_spawned_total', 'Processes that were spawned.'],
  processesExited: ['counter', 'processes_exited_total', 'Processes that have ended.'],
  processesCrashed: ['counter', 'processes_crashed_total', 'Exits that made a crash report.'],
  messagesDelivered: ['counter', 'messages_delivered_total', 'Messages that were put into a mailbox.'],
  messagesDropped: ['counter', 'messages_dropped_total', 'Messages that a full mailbox has refused.'],
  turns: ['counter', 'scheduler_turns_total', 'Turns of the scheduler.'],
  runQueueLength: ['gauge', 'run_queue_processes', 'Processes that wait for their turn.'],
  timers: ['gauge', 'timers', 'Timers that run.'],
  aliases: ['gauge', 'aliases', 'Aliases that are open, those of requests that wait for their reply included.'],
  registeredNames: ['gauge', 'registered_names', 'Names that are registered on this node.'],
  longSchedules: ['counter', 'long_schedules_total', 'Times that code ran for longScheduleMs or more without a pause.'],
  largeMailboxes: ['counter', 'large_mailboxes_total', 'Times that a mailbox has passed its limit.'],
  nodes: ['gauge', 'connected_nodes', 'Nodes that are connected, hidden ones included.'],
  bufferedBytes: ['gauge', 'distribution_buffered_bytes', 'Bytes that wait to be sent to other nodes.'],
  waitingSignals: ['gauge', 'waiting_signals', 'Signals of other nodes that are not taken in yet.'],
  signalsSent: ['counter', 'signals_sent_total', 'Messages and other signals to other nodes.'],
  signalsReceived: ['counter', 'signals_received_total', 'Messages and other signals from other nodes.'],
  busySends: ['counter', 'busy_sends_total', 'Sends to other nodes that were told busy.'],
  connectionsLost: [
    'counter',
    'connections_lost_total',
    'Connections to nodes that have ended otherwise than as meant.',
  ],
  protocolErrors: ['counter', 'protocol_errors_total', 'Connections whose other side has sent what no node sends.'],
  handshakesRefused: [
    'counter',
    'handshakes_refused_total',
    'Handshakes that were refused, by this node or by the other.',
  ],
  handshakesTimedOut: ['counter', 'handshakes_timed_out_total', 'Handshakes that took too long.'],
  handshakesMalformed: ['counter', 'handshakes_malformed_total', 'Connections that have sent no handshake.'],
  handshakesEvicted: ['counter', 'handshakes_evicted_total', 'Handshakes that gave way to others.'],
}

const INFO: NumberDefinition<NodeStats> = {
  type: 'gauge',
  name: 'node_info',
  help: 'Always 1; says which node it is.',
  labels: ['node'],
  read: ({ name }) => [{ labels: { node: name }, value: 1 }],
}

export const NODE_METRICS: readonly NumberDefinition<NodeStats>[] = [
  INFO,
  ...(Object.keys(ROWS) as (keyof NodeCounters)[]).map((counter): NumberDefinition<NodeStats> => {
    const [type, name, help] = ROWS[counter]
    return { type, name, help, labels: [], read: ({ counters }) => single(counters[counter]) }
  }),
]

export function readNode(node: NodeSource): NodeStats {
  return { name: node.name, counters: node.counters() }
}
