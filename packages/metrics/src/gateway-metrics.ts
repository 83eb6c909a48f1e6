/**
 * The metrics of a gateway.
 */
import { each, single, type Definition, type HistogramSample, type HistogramStats } from './definition.ts'

/** What is read of a `Gateway`. */
export interface GatewaySource {
  readonly stats: GatewayStats
}

/** What isn't there is not shown. */
export interface GatewayStats {
  /** Sockets that are open now. */
  readonly connections: number
  /** Whether it takes new sockets. */
  readonly isReady?: boolean
  /** Of its clients those whose token is being looked at, or who have not shown one yet. */
  readonly unauthenticated?: number
  /** Sessions, now: with a socket, and without one that may come back. */
  readonly sessions?: { readonly attached: number; readonly detached: number }
  readonly messagesIn: number
  readonly messagesOut: number
  readonly bytesIn?: number
  readonly bytesOut?: number
  /** Messages to clients that had no form in their codec: dropped for that reason. */
  readonly unencodable?: number
  /** Messages to clients that were dropped for other reasons. */
  readonly dropped?: ReadonlyMap<string, number>
  /** Upgrades that were refused, by HTTP status. */
  readonly refused: ReadonlyMap<number, number>
  /** Sockets that were closed, by close code: of either side. */
  readonly closed: ReadonlyMap<number, number>
  readonly resumes?: ReadonlyMap<string, number>
  readonly pushLatencySeconds?: HistogramStats
  readonly mailboxMessages?: HistogramStats
  readonly bufferedBytes?: HistogramStats
}

/** Those of RFC 6455 section 7.4 and its registry, and those of the gateway: docs/gateway.md. */
const CLOSE_CODES: readonly string[] = [
  ...Array.from({ length: 16 }, (_, at) => 1_000 + at),
  ...Array.from({ length: 14 }, (_, at) => 4_001 + at),
  4_400,
].map(String)

/** Those of the gateway. */
const DROP_REASONS: readonly string[] = ['droppable', 'coalesced', 'unencodable', 'no_socket']
const RESUME_RESULTS: readonly string[] = ['resumed', 'moved', 'gap', 'gone', 'refused', 'busy']

export const GATEWAY_METRICS: readonly Definition<GatewayStats>[] = [
  {
    type: 'gauge',
    name: 'gateway_sockets',
    help: 'Sockets that are open.',
    labels: [],
    read: ({ connections }) => single(connections),
  },
  {
    type: 'gauge',
    name: 'gateway_unauthenticated',
    help: 'Clients whose token is being looked at, or who have not shown one yet.',
    labels: [],
    read: ({ unauthenticated }) => single(unauthenticated),
  },
  {
    type: 'gauge',
    name: 'gateway_ready',
    help: 'Whether it takes new sockets: 0 while it drains, and once it has stopped.',
    labels: [],
    read: ({ isReady }) => single(isReady === undefined ? undefined : Number(isReady)),
  },
  {
    type: 'gauge',
    name: 'gateway_sessions',
    help: 'Sessions: attached to a socket, or detached, waiting for their client to come back.',
    labels: ['state'],
    read: ({ sessions }) => (sessions === undefined ? [] : each('state', new Map(Object.entries(sessions)))),
  },
  {
    type: 'counter',
    name: 'gateway_messages_received_total',
    help: 'Messages from clients.',
    labels: [],
    read: ({ messagesIn }) => single(messagesIn),
  },
  {
    type: 'counter',
    name: 'gateway_messages_sent_total',
    help: 'Messages to clients.',
    labels: [],
    read: ({ messagesOut }) => single(messagesOut),
  },
  {
    type: 'counter',
    name: 'gateway_received_bytes_total',
    help: 'Bytes of payloads from clients.',
    labels: [],
    read: ({ bytesIn }) => single(bytesIn),
  },
  {
    type: 'counter',
    name: 'gateway_sent_bytes_total',
    help: 'Bytes of payloads to clients.',
    labels: [],
    read: ({ bytesOut }) => single(bytesOut),
  },
  {
    type: 'counter',
    name: 'gateway_messages_dropped_total',
    help: 'Messages to clients that were not sent, by the reason.',
    labels: ['reason'],
    read: ({ unencodable, dropped }) => [
      ...(unencodable === undefined ? [] : each('reason', new Map([['unencodable', unencodable]]))),
      ...each('reason', dropped, DROP_REASONS),
    ],
  },
  {
    type: 'counter',
    name: 'gateway_upgrades_refused_total',
    help: 'Upgrades that were refused, by the HTTP status.',
    labels: ['status'],
    read: ({ refused }) => each('status', refused),
  },
  {
    type: 'counter',
    name: 'gateway_sockets_closed_total',
    help: 'Sockets that were closed, by the close code of whoever closed first.',
    labels: ['code'],
    known: CLOSE_CODES,
    read: ({ closed }) => each('code', closed),
  },
  {
    type: 'counter',
    name: 'gateway_resumes_total',
    help: 'Sessions that clients wanted to go on with, by the result.',
    labels: ['result'],
    read: ({ resumes }) => each('result', resumes, RESUME_RESULTS),
  },
  {
    type: 'histogram',
    name: 'gateway_push_latency_seconds',
    help: 'From the push of a message until the system has taken it; one of 64 is looked at.',
    labels: [],
    read: ({ pushLatencySeconds }) => distribution(pushLatencySeconds),
  },
  {
    type: 'histogram',
    name: 'gateway_mailbox_messages',
    help: 'Messages that wait for a session, of each socket that is open at the scrape: goes down, too.',
    labels: [],
    read: ({ mailboxMessages }) => distribution(mailboxMessages),
  },
  {
    type: 'histogram',
    name: 'gateway_buffered_bytes',
    help: 'Bytes that wait for a client, of each socket that is open at the scrape: goes down, too.',
    labels: [],
    read: ({ bufferedBytes }) => distribution(bufferedBytes),
  },
]

function distribution(stats: HistogramStats | undefined): readonly HistogramSample[] {
  return stats === undefined ? [] : [{ labels: {}, stats }]
}
