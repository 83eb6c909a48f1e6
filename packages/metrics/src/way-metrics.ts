/**
 * The metrics of the other ways of keeping names: a location database, pub-sub.
 */
import { single, type NumberDefinition } from './definition.ts'

/** What is read of `LocationVia` and `BroadcastVia`. */
export interface WaySource {
  readonly stats: WayStats
}

export interface WayStats {
  readonly names: number
  readonly pending: number
  readonly isAvailable: boolean
  readonly storeFailures: number
  readonly sent: number
  readonly failed: number
  /** Of a location database. */
  readonly lost?: number
  readonly unreleased?: number
  /** Of pub-sub. */
  readonly pendingBytes?: number
  readonly received?: number
  readonly ignored?: number
  readonly malformed?: number
}

export const WAY_METRICS: readonly NumberDefinition<WayStats>[] = [
  of('gauge', 'names_own', 'Names of processes of this node.', ({ names }) => names),
  of('gauge', 'names_store_up', 'Whether the last call to the store or the broker has succeeded: 1 or 0.', (stats) =>
    Number(stats.isAvailable),
  ),
  of('gauge', 'names_store_pending', 'Calls that wait for the store or the broker.', ({ pending }) => pending),
  of('gauge', 'names_store_pending_bytes', 'Bytes that the broker has not confirmed.', (stats) => stats.pendingBytes),
  of('counter', 'names_store_failures_total', 'Calls that have failed.', ({ storeFailures }) => storeFailures),
  of('counter', 'names_sends_total', 'Messages that were sent to a name.', ({ sent }) => sent),
  of('counter', 'names_sends_failed_total', 'Messages to a name that were not sent.', ({ failed }) => failed),
  of('counter', 'names_lost_total', 'Names that others have got from processes of this node.', ({ lost }) => lost),
  of(
    'gauge',
    'names_unreleased',
    'Names that are to be given back when the store answers again.',
    (stats) => stats.unreleased,
  ),
  of('counter', 'names_messages_received_total', 'Messages that the broker has brought.', ({ received }) => received),
  of('counter', 'names_messages_ignored_total', 'Of them, those for nobody here.', ({ ignored }) => ignored),
  of('counter', 'names_messages_malformed_total', 'Of them, those that could not be read.', (stats) => stats.malformed),
]

function of(
  type: 'counter' | 'gauge',
  name: string,
  help: string,
  value: (stats: WayStats) => number | undefined,
): NumberDefinition<WayStats> {
  return {
    type,
    name,
    help,
    labels: [],
    read: (stats) => single(value(stats)),
  }
}
