/**
 * Local or remote: decided here, once, for everything that goes from one process to another.
 *
 *   context ─▶ router ─▶ scheduler, links, monitors, exits          to a process of this node
 *                  └───▶ RemoteNode.signal                          to a process of a connected node
 *
 * A pid of an earlier life of a node, this one included, is the pid of a dead process. Not here: what comes from other nodes (inbound).
 */
import { PidmeshError, shown } from '../errors.ts'
import { withItem, withoutItem } from '../few.ts'
import { isPid, isRef, Pid, sameIdentity, type NameOnNode, type NodeIdentity, type NodeName, type Ref } from '../ids.ts'
import type { NodeType } from '../messages.ts'
import { notRegistered } from '../names.ts'
import { checkNodeName, checkPids } from '../process/checks.ts'
import { exitedError, LocalPid, type ExitHook, type Process } from '../process/process.ts'
import type { ExitReason } from '../reasons.ts'
import type { DownListener, LocalMonitor } from '../signals/monitors.ts'
import type { RemoteNode } from '../signals/remote-node.ts'
import { MAX_RECEIVERS, type SendStatus, type SentStatus } from '../signals/signal.ts'
import type { Slice } from '../slice.ts'
import { isNameOnNode } from '../via.ts'
import type { Kernel } from './kernel.ts'

/** Whom a message can be sent to: a pid, an alias, a name on this node, a name on a node. */
export type Destination = Pid | Ref | string | NameOnNode

/** The other nodes. */
export interface Connections {
  /** A node that is connected now. */
  find(node: NodeName): RemoteNode | undefined
  /**
   * A node that something is to be sent to: connected, or dialed from now on if it is known where it is. `incarnation`: the life of it that is meant, if it must be
   * a certain one.
   */
  reach(node: NodeName, incarnation?: number): RemoteNode | undefined
  /** Those that are connected now, by their names. */
  connected(type: NodeType | 'all'): NodeName[]
  /** Just now a connection begins or ends, or none has come about: there may be relations that no node that can be reached knows of. */
  isChanging(): boolean
}

/** The codec of user payloads. */
export interface Messages {
  /** @throws PidmeshError `ERR_NOT_SENDABLE`, `ERR_MESSAGE_TOO_LARGE` */
  encode(message: unknown): Slice
  /** @throws PidmeshError `ERR_BAD_TERM` */
  decode(slice: Slice, sender: NodeIdentity): unknown
}

export interface MonitorRequest {
  readonly ref: Ref
  /** Takes the end in place of a `DOWN` message. */
  readonly listener?: DownListener
  /** @default false */
  readonly closesAlias?: boolean
}

export class Router {
  private readonly kernel: Kernel
  private readonly connections: Connections
  private readonly messages: Messages

  constructor(kernel: Kernel, connections: Connections, messages: Messages) {
    this.kernel = kernel
    this.connections = connections
    this.messages = messages
  }

  send(from: Process, to: Destination, message: unknown): SendStatus {
    if (from.traces !== undefined) this.tellOfSend(from, to, message)
    const local = localPid(to)
    if (local !== undefined && local.origin === this.kernel.identity) {
      if (local.process !== undefined) this.deliver(from, local.process, message)
      return 'ok'
    }
    if (isPid(to)) return this.sendToPid(from, to, message)
    if (isRef(to)) return this.sendToAlias(from, to, message)
    if (typeof to === 'string') {
      const process = this.kernel.names.whereis(to)
      if (process === undefined) throw notRegistered(to)
      this.deliver(from, process, message)
      return 'ok'
    }
    if (isNameOnNode(to)) return this.sendToName(from, to, message)
    throw new PidmeshError('ERR_BAD_ARGUMENT', `not something to send to: ${shown(to)}`)
  }

  /** One message to many: encoded once, and sent once to each node. */
  sendAll(from: Process, to: readonly Pid[], message: unknown): SendStatus {
    const pids = checkPids(to)
    const local: Process[] = []
    const remote = new Map<RemoteNode, number[]>()
    let status: SendStatus = 'ok'
    let areAllHere = true
    for (const pid of pids) {
      if (from.traces !== undefined) this.tellOfSend(from, pid, message)
      const isHere = this.isHere(pid)
      const process = isHere ? this.processOf(pid) : undefined
      const node = isHere ? undefined : this.remoteOf(pid)
      if (!isHere) areAllHere = false
      if (process !== undefined) local.push(process)
      else if (node !== undefined) addTo(remote, node, pid.id)
      else if (this.absence(pid) === 'noconnection') status = 'noconnection'
    }
    // What can't be sent to another node is refused before anyone has got it; and it is refused whether the others are connected or not. A process of this node that has ended is of this node.
    const payload = areAllHere ? undefined : this.messages.encode(message)
    const { scheduler, propagator } = this.kernel
    const carrier = propagator?.capture()
    for (const process of local) scheduler.deliver(process, message, process === from, carrier)
    if (payload === undefined) return status
    const context = propagator?.encode(carrier)
    for (const [node, ids] of remote) {
      for (let start = 0; start < ids.length; start += MAX_RECEIVERS) {
        const some = ids.slice(start, start + MAX_RECEIVERS)
        const sent = node.signal({ type: 'send_many', from: from.pid.id, to: some, payload, context })
        if (status === 'ok' || sent === 'noconnection') status = sent
      }
    }
    return status
  }

  private tellOfSend(from: Process, to: Destination, message: unknown): void {
    this.kernel.tracing.tell(from, { type: 'send', to, message })
    // Who was told may have killed it.
    if (!from.isAlive) throw exitedError(from)
  }

  /** As `send`, and then waits until the connection that it went over is no longer busy. */
  sendOk(from: Process, to: Destination, message: unknown): Promise<SentStatus> {
    const status = this.send(from, to, message)
    if (status !== 'busy') return Promise.resolve(status)
    return typeof to === 'string' ? Promise.resolve('noconnection') : this.drained(from, to.node)
  }

  /** Waits until the connection to a node is not, or no longer, busy. */
  drained(from: Process, node: NodeName): Promise<SentStatus> {
    const remote = this.connections.reach(node)
    return remote === undefined ? Promise.resolve('noconnection') : unlessExited(from, remote.drained())
  }

  /** `exit(pid, reason)` from `from`. */
  exit(from: Process, to: Pid, reason: ExitReason): void {
    if (this.isHere(to)) {
      const process = this.processOf(to)
      if (process !== undefined) this.kernel.exits.signal(process, from.pid, reason)
      return
    }
    this.remoteOf(to)?.signal({ type: 'exit', from: from.pid.id, to: to.id, reason })
  }

  link(process: Process, to: Pid): void {
    const target = this.isHere(to) ? this.processOf(to) : undefined
    if (target !== undefined) {
      this.kernel.links.linkLocal(process, target)
      return
    }
    // Linked already, and the other is just ending: the exit signal is on its way.
    if (this.isHere(to) && this.kernel.links.isEnding(process, to)) return
    const remote = this.remoteOf(to)
    if (remote !== undefined) this.kernel.links.linkRemote(process, remote, to)
    else this.kernel.exits.linkSignal(process, to, this.absence(to))
  }

  unlink(process: Process, to: Pid): void {
    if (this.isHere(to)) {
      const target = this.processOf(to)
      if (target !== undefined) this.kernel.links.unlinkLocal(process, target)
      else this.kernel.links.unlinkEnding(process, to)
      return
    }
    const remote = this.remoteOf(to)
    const isKnown = remote !== undefined && this.kernel.links.unlinkRemote(process, remote, to)
    if (!isKnown && this.connections.isChanging()) this.kernel.links.unlinkLost(process, to)
  }

  /** Watches `object`; a string is a name on this node. */
  monitor(watcher: Process, object: Pid | NameOnNode | string, request: MonitorRequest): void {
    const monitor = this.monitorOf(watcher, object, request)
    const target = this.targetOf(monitor.object)
    if (target !== undefined) this.kernel.monitors.watchLocal(monitor, target)
    else this.watchElsewhere(monitor)
  }

  /**
   * Watches `object` and sends it the message that is built for the answer's alias, in one signal if it is on another node. If there is nobody nothing is built; if
   * the alias is closed then, because the code that builds has answered or has ended the watcher, nothing is sent.
   * @throws what `build` throws, and what can't be sent: there is no monitor then, or one that the watcher has to end.
   */
  request(
    watcher: Process,
    object: Pid | NameOnNode | string,
    request: MonitorRequest,
    build: (replyTo: Ref) => unknown,
  ): void {
    const monitor = this.monitorOf(watcher, object, request)
    const target = this.targetOf(monitor.object)
    if (target !== undefined) {
      this.kernel.monitors.watchLocal(monitor, target)
      const message = build(request.ref)
      if (this.kernel.aliases.isOpen(request.ref.id)) this.send(watcher, object, message)
    } else if (this.nodeOf(monitor.object) === undefined) {
      this.kernel.monitors.fire(monitor, this.absence(monitor.object))
    } else {
      const message = build(request.ref)
      if (watcher.traces !== undefined) this.tellOfSend(watcher, object, message)
      const payload = this.messages.encode(message)
      const context = this.kernel.propagator?.captureEncoded()
      // Code of the user's has run: it may have ended the connection.
      if (this.kernel.aliases.isOpen(request.ref.id)) this.watchElsewhere(monitor, payload, context)
    }
  }

  private monitorOf(
    watcher: Process,
    object: Pid | NameOnNode | string,
    { ref, listener, closesAlias }: MonitorRequest,
  ): LocalMonitor {
    const named = typeof object === 'string' ? { name: object, node: this.kernel.identity.name } : object
    return {
      type: 'local',
      ref,
      watcher,
      object: named,
      listener,
      closesAlias: closesAlias ?? false,
      target: undefined,
      remote: undefined,
      previous: undefined,
      next: undefined,
    }
  }

  /** It isn't on this node, or not alive. */
  private watchElsewhere(monitor: LocalMonitor, payload?: Slice, context?: Slice): void {
    const remote = this.nodeOf(monitor.object)
    if (remote !== undefined) this.kernel.monitors.watchRemote(monitor, remote, payload, context)
    else this.kernel.monitors.fire(monitor, this.absence(monitor.object))
  }

  /**
   * The living process of a pid, which must be of this node: only its own node knows.
   * @throws PidmeshError `ERR_BAD_ARGUMENT` for a process of another node
   */
  processHere(pid: Pid): Process | undefined {
    if (!this.isHere(pid)) throw new PidmeshError('ERR_BAD_ARGUMENT', `${pid} is not a process of this node`)
    return this.processOf(pid)
  }

  /** Whether it addresses the process itself, by its pid or its name. */
  isSelf(process: Process, object: Pid | NameOnNode | string): boolean {
    return (typeof object === 'string' ? this.kernel.names.whereis(object) : this.targetOf(object)) === process
  }

  /** Whether it is connected, or is being dialed from now on. */
  canReach(node: NodeName): boolean {
    return this.connections.reach(node) !== undefined
  }

  connected(type: NodeType | 'all'): NodeName[] {
    return this.connections.connected(type)
  }

  isHere(pid: Pid): boolean {
    return sameIdentity(pid.origin, this.kernel.identity)
  }

  /** The living process of a pid of this node. */
  processOf(pid: Pid): Process | undefined {
    return pid instanceof LocalPid && pid.origin === this.kernel.identity
      ? pid.process
      : this.kernel.processes.get(pid.id)
  }

  /** To a process of this node, with the context of the sender. What a process says to itself is never dropped: it would wait for that, for ever. */
  private deliver(from: Process, process: Process, message: unknown): void {
    const { scheduler, propagator } = this.kernel
    if (propagator === undefined) scheduler.deliver(process, message, process === from)
    else scheduler.deliver(process, message, process === from, propagator.capture())
  }

  private sendToPid(from: Process, to: Pid, message: unknown): SendStatus {
    if (this.isHere(to)) {
      const process = this.processOf(to)
      if (process !== undefined) this.deliver(from, process, message)
      return 'ok'
    }
    const payload = this.messages.encode(message)
    const remote = this.remoteOf(to)
    if (remote === undefined) return this.absence(to) === 'noproc' ? 'ok' : 'noconnection'
    return remote.signal({ type: 'send', from: from.pid.id, to: to.id, payload, context: this.context() })
  }

  private sendToAlias(from: Process, to: Ref, message: unknown): SendStatus {
    if (sameIdentity(to.origin, this.kernel.identity)) {
      const { aliases, propagator } = this.kernel
      const carrier = propagator !== undefined && aliases.takesContext(to.id) ? propagator.capture() : undefined
      aliases.deliver(to.id, message, undefined, carrier)
      return 'ok'
    }
    const payload = this.messages.encode(message)
    const remote = this.connections.reach(to.node, to.incarnation)
    if (remote === undefined) return 'noconnection'
    if (!sameIdentity(remote.identity, to.origin)) return 'ok'
    if (this.kernel.monitors.answered(remote, to.id))
      // Who waits for a reply goes on in his own context.
      return remote.signal({ type: 'answer', from: from.pid.id, to: to.id, payload })
    return remote.signal({ type: 'send_alias', from: from.pid.id, to: to.id, payload, context: this.context() })
  }

  /** In place of an answer to the alias of a request: it ends as if the one who was asked had ended with the reason. */
  refuse(from: Process, to: Ref, reason: ExitReason): void {
    if (sameIdentity(to.origin, this.kernel.identity)) {
      this.kernel.aliases.refuse(to.id, reason)
      return
    }
    const remote = this.connections.reach(to.node, to.incarnation)
    if (remote === undefined || !sameIdentity(remote.identity, to.origin)) return
    if (this.kernel.monitors.answered(remote, to.id))
      remote.signal({ type: 'down', from: from.pid.id, ref: to.id, reason })
  }

  private sendToName(from: Process, to: NameOnNode, message: unknown): SendStatus {
    if (to.node === this.kernel.identity.name) {
      const process = this.kernel.names.whereis(to.name)
      if (process !== undefined) this.deliver(from, process, message)
      return 'ok'
    }
    const payload = this.messages.encode(message)
    const remote = this.connections.reach(to.node)
    // A name that no node can have is looked at only if there is no such node.
    if (remote === undefined) checkNodeName(to.node)
    return remote === undefined
      ? 'noconnection'
      : remote.signal({ type: 'send_name', from: from.pid.id, name: to.name, payload, context: this.context() })
  }

  /** What goes with a message to another node. */
  private context(): Slice | undefined {
    return this.kernel.propagator?.captureEncoded()
  }

  private targetOf(object: Pid | NameOnNode): Process | undefined {
    if (object instanceof Pid) return this.isHere(object) ? this.processOf(object) : undefined
    return object.node === this.kernel.identity.name ? this.kernel.names.whereis(object.name) : undefined
  }

  private nodeOf(object: Pid | NameOnNode): RemoteNode | undefined {
    return object instanceof Pid ? this.remoteOf(object) : this.connections.reach(object.node)
  }

  /** The connection to the life of the node that the pid belongs to. */
  private remoteOf(pid: Pid): RemoteNode | undefined {
    const remote = this.connections.reach(pid.node, pid.incarnation)
    return remote !== undefined && sameIdentity(remote.identity, pid.origin) ? remote : undefined
  }

  /** Why something that is neither here nor on a connection can't be reached. */
  private absence(object: Pid | NameOnNode): 'noproc' | 'noconnection' {
    const { node } = object
    if (node === this.kernel.identity.name) return 'noproc'
    const connected = this.connections.find(node)?.identity
    if (connected === undefined) return 'noconnection'
    // Of a life that began after the one that we are connected with: that connection only doesn't know yet that it is over.
    return object instanceof Pid && object.incarnation > connected.incarnation ? 'noconnection' : 'noproc'
  }
}

/** The promise, or a rejection if the process ends first. */
function unlessExited<T>(process: Process, promise: Promise<T>): Promise<T> {
  const result = new Promise<T>((resolve, reject) => {
    const hook: ExitHook = { onExit: reject }
    process.exitHooks = withItem(process.exitHooks, hook)
    void promise.then((value) => {
      process.exitHooks = withoutItem(process.exitHooks, hook)
      resolve(value)
    })
  })
  // If nobody waits for it any more that must not end the OS process.
  result.catch(() => undefined)
  return result
}

function addTo<Key, Item>(lists: Map<Key, Item[]>, key: Key, item: Item): void {
  const list = lists.get(key)
  if (list === undefined) lists.set(key, [item])
  else list.push(item)
}

/** By itself, and not `isA`: so it is compiled into each send. */
function localPid(to: unknown): LocalPid | undefined {
  try {
    return to instanceof LocalPid ? to : undefined
  } catch {
    return undefined
  }
}
