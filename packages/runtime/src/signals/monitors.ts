/**
 * Monitors: who watches whom. Each monitor gives at most one `DOWN`.
 *
 *   watcher.monitors[ref] ──────────── LocalMonitor ──────────── target.watches          both here
 *   watcher.monitors[ref], relations.monitors[ref] ── LocalMonitor   ═ monitor/down ═▶   target there
 *   watcher there  ═ monitor/down ═▶  RemoteWatch: relations.watches[ref], target.watches
 *   a request is a monitor and a message in one signal; the node that sends the answer forgets the watch, and the one that gets it the monitor
 *
 * Invariant: a monitor is removed from every table before its `DOWN` is delivered, so that none comes twice.
 */
import { Pid, type NameOnNode, type Ref } from '../ids.ts'
import type { DownMessage } from '../messages.ts'
import type { Aliases } from '../process/aliases.ts'
import type { Process } from '../process/process.ts'
import type { ExitReason } from '../reasons.ts'
import { IdTable } from '../id-table.ts'
import type { Slice } from '../slice.ts'
import type { RemoteNode } from './remote-node.ts'
import type { Signal } from './signal.ts'
import { addWatch, removeWatch, takeWatches, type InRing } from './watches.ts'

/** Takes the end in place of a `DOWN` in the mailbox: a pending request. */
export interface DownListener {
  onDown(reason: ExitReason): void
}

export interface LocalMonitor extends InRing {
  readonly type: 'local'
  readonly ref: Ref
  readonly watcher: Process
  /** What was asked for, as the `DOWN` will name it. */
  readonly object: Pid | NameOnNode
  readonly listener: DownListener | undefined
  /** The reference is an alias too, which is closed when the monitor ends. */
  readonly closesAlias: boolean
  target: Process | undefined
  remote: RemoteNode | undefined
}

export interface RemoteWatch extends InRing {
  readonly type: 'remote'
  readonly watcher: Pid
  readonly ref: number
  readonly remote: RemoteNode
  readonly target: Process
  /** It came with a request: the answer ends it. */
  readonly endsWithAnswer: boolean
}

export type Watch = LocalMonitor | RemoteWatch

export type Deliver = (process: Process, message: unknown) => void

export class Monitors {
  private readonly deliver: Deliver
  private readonly aliases: Aliases

  constructor(deliver: Deliver, aliases: Aliases) {
    this.deliver = deliver
    this.aliases = aliases
  }

  /** A process here watches a process here. */
  watchLocal(monitor: LocalMonitor, target: Process): void {
    monitor.target = target
    addWatch(target, monitor)
    remember(monitor)
  }

  /** A process here watches something on a connected node. With a `payload`, an encoded term, it also sends it that, and the context that goes with it. */
  watchRemote(monitor: LocalMonitor, remote: RemoteNode, payload?: Slice, context?: Slice): void {
    const { object, watcher } = monitor
    const ref = monitor.ref.id
    monitor.remote = remote
    remote.relations.monitors.set(ref, monitor)
    remember(monitor)
    const to = object instanceof Pid ? object.id : object.name
    if (payload === undefined) remote.signal({ type: 'monitor', from: watcher.pid.id, ref, to })
    else remote.signal({ type: 'request', from: watcher.pid.id, ref, to, payload, context })
  }

  /** A process of a connected node watches a process here, or what would have been one. */
  watchedFrom(
    remote: RemoteNode,
    watcher: Pid,
    { type, ref, to }: Signal & { type: 'monitor' | 'request' },
    target: Process | undefined,
  ): void {
    // Of two monitors with one reference, which no honest node makes, the last one counts.
    this.unwatchedFrom(remote, ref)
    if (target === undefined) {
      // After all that it may have sent before it ended.
      remote.signal({ type: 'down', from: typeof to === 'number' ? to : 0, ref, reason: 'noproc' })
      return
    }
    const watch: RemoteWatch = {
      type: 'remote',
      watcher,
      ref,
      remote,
      target,
      endsWithAnswer: type === 'request',
      previous: undefined,
      next: undefined,
    }
    remote.relations.watches.set(ref, watch)
    addWatch(target, watch)
  }

  unwatchedFrom(remote: RemoteNode, ref: number): void {
    const watch = remote.relations.watches.get(ref)
    if (watch !== undefined) this.unwatch(watch)
  }

  /** Something is sent from here to an alias of a connected node: if it answers a request, whoever sends it, the watch is over. Says whether it was one. */
  answered(remote: RemoteNode, ref: number): boolean {
    const watch = remote.relations.watches.get(ref)
    if (watch?.endsWithAnswer !== true) return false
    this.unwatch(watch)
    return true
  }

  /** Ends a monitor without a `DOWN`. Says whether there was one. `answeredBy`: the node that has ended it by its answer, and needn't be told. */
  demonitor(watcher: Process, refId: number, answeredBy?: RemoteNode): boolean {
    const monitor = watcher.monitors?.get(refId)
    if (monitor === undefined) return false
    this.forget(monitor)
    if (monitor.remote !== answeredBy) monitor.remote?.signal({ type: 'demonitor', from: watcher.pid.id, ref: refId })
    return true
  }

  /** Ends a monitor with its `DOWN`. */
  fire(monitor: LocalMonitor, reason: ExitReason): void {
    this.forget(monitor)
    this.tell(monitor, reason)
  }

  /** A `down` came from a connected node. */
  firedFrom(remote: RemoteNode, ref: number, reason: ExitReason): void {
    const monitor = remote.relations.monitors.get(ref)
    if (monitor !== undefined) this.fire(monitor, reason)
  }

  /** The process has ended: it watches nothing any more. */
  releaseMade(process: Process): void {
    if (process.monitors === undefined) return
    for (const { ref } of process.monitors.values()) this.demonitor(process, ref.id)
    process.monitors = undefined
  }

  /** The process has ended: tells all who watch it. */
  notifyWatchers(process: Process, reason: ExitReason): void {
    if (process.watches === undefined) return
    for (const watch of takeWatches(process)) {
      if (watch.type === 'local') {
        // One who was told before may have ended this monitor meanwhile.
        if (this.forget(watch)) this.tell(watch, reason)
      } else {
        watch.remote.relations.watches.delete(watch.ref)
        watch.remote.signal({ type: 'down', from: process.pid.id, ref: watch.ref, reason })
      }
    }
  }

  /** The connection is lost, or none has come about: `noconnection` for each monitor across it, or why it was none. */
  connectionLost(remote: RemoteNode, reason: 'noconnection' | 'noproc' = 'noconnection'): void {
    for (const watch of remote.relations.watches.values()) removeWatch(watch.target, watch)
    remote.relations.watches.clear()
    // One who was told before may have ended this monitor meanwhile.
    for (const monitor of remote.relations.monitors.values()) if (this.forget(monitor)) this.tell(monitor, reason)
  }

  private unwatch(watch: RemoteWatch): void {
    const { remote, ref, target } = watch
    remote.relations.watches.delete(ref)
    removeWatch(target, watch)
  }

  private tell({ listener, watcher, ref, object }: LocalMonitor, reason: ExitReason): void {
    if (listener !== undefined) {
      listener.onDown(reason)
      return
    }
    const down: DownMessage = { type: 'DOWN', ref, pid: object, reason }
    this.deliver(watcher, down)
  }

  /** Says whether the monitor was there. */
  private forget(monitor: LocalMonitor): boolean {
    const { watcher, target, remote, ref, closesAlias } = monitor
    if (target !== undefined) removeWatch(target, monitor)
    remote?.relations.monitors.delete(ref.id)
    if (closesAlias) this.aliases.removeOwn(watcher, ref.id)
    return watcher.monitors?.delete(ref.id) === true
  }
}

function remember(monitor: LocalMonitor): void {
  ;(monitor.watcher.monitors ??= new IdTable()).set(monitor.ref.id, monitor)
}
