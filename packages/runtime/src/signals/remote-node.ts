/**
 * A connected node, or one that is being dialed, as links, monitors and the router see it: where to put a signal, and which relations end when the connection does.
 */
import type { NodeIdentity, Pid } from '../ids.ts'
import { IdTable, KEPT_PLACES_OF_MANY, type IdHash } from '../id-table.ts'
import type { Process } from '../process/process.ts'
import type { LocalMonitor, RemoteWatch } from './monitors.ts'
import type { SendStatus, SentStatus, Signal } from './signal.ts'

export interface RemoteLink {
  readonly process: Process
  readonly remote: Pid
  /** Another takes its place when a pending node is connected. */
  node: RemoteNode
  /** The `unlink` that was sent and is not yet acknowledged: the processes count as not linked. */
  unlinkId: number | undefined
}

export class RemoteRelations {
  /** By `linkKey`. */
  readonly links: Map<string, RemoteLink> = new Map()
  /** Monitors of processes here on processes there, by the id of their reference. */
  readonly monitors: IdTable<LocalMonitor> = new IdTable(KEPT_PLACES_OF_MANY)
  /** Monitors of processes there on processes here, by the id of their reference. */
  readonly watches: IdTable<RemoteWatch>

  /** `hash`: for ids that the other node has chosen. */
  constructor(hash?: IdHash) {
    this.watches = new IdTable(KEPT_PLACES_OF_MANY, hash)
  }
}

export interface RemoteNode {
  readonly identity: NodeIdentity
  readonly relations: RemoteRelations
  signal(signal: Signal): SendStatus
  /** Resolves with `ok` when the connection is no longer busy, or with `noconnection` when it has ended. */
  drained(): Promise<SentStatus>
}

export function linkKey(localId: number, remoteId: number): string {
  return `${localId}:${remoteId}`
}
