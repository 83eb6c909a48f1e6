/**
 * What comes from another node: each signal to whom it concerns here.
 *
 *   peer ─▶ receive ─▶ scheduler, aliases, links, monitors, exits
 *
 * An id that nobody here has is that of a dead process. Not here: what is sent to other nodes (router), and in which pieces signals come (distribution/peer).
 */
import { assertNever } from '../assert-never.ts'
import { Pid } from '../ids.ts'
import type { Carrier } from '../ports.ts'
import type { Process } from '../process/process.ts'
import type { RemoteNode } from '../signals/remote-node.ts'
import type { Signal } from '../signals/signal.ts'
import type { Slice } from '../slice.ts'
import type { Kernel } from './kernel.ts'
import type { Messages } from './router.ts'

export class Inbound {
  private readonly kernel: Kernel
  private readonly messages: Messages

  constructor(kernel: Kernel, messages: Messages) {
    this.kernel = kernel
    this.messages = messages
  }

  /**
   * A signal has come from a connected node.
   * @throws PidmeshError `ERR_BAD_TERM` if its payload can't be decoded: the connection is to be closed.
   */
  receive(remote: RemoteNode, signal: Signal): void {
    const { kernel } = this
    switch (signal.type) {
      case 'send':
        this.deliverFrom(remote, kernel.processes.get(signal.to), signal.payload, signal.context)
        return
      case 'send_name':
        this.deliverFrom(remote, kernel.names.whereis(signal.name), signal.payload, signal.context)
        return
      case 'send_alias':
        kernel.aliases.deliver(
          signal.to,
          this.messages.decode(signal.payload, remote.identity),
          undefined,
          this.carrierOf(remote, signal.context),
        )
        return
      case 'answer':
        kernel.aliases.deliver(signal.to, this.messages.decode(signal.payload, remote.identity), remote)
        return
      case 'send_many': {
        const message = this.messages.decode(signal.payload, remote.identity)
        const carrier = this.carrierOf(remote, signal.context)
        for (const id of signal.to) {
          const process = kernel.processes.get(id)
          if (process !== undefined) this.put(remote, process, message, carrier)
        }
        return
      }
      case 'exit': {
        const process = kernel.processes.get(signal.to)
        if (process !== undefined) kernel.exits.signal(process, remotePid(remote, signal.from), signal.reason)
        return
      }
      case 'link':
        kernel.links.linkedFrom(remote, remotePid(remote, signal.from), signal.to, kernel.processes.get(signal.to))
        return
      case 'link_exit':
        kernel.links.exitFrom(remote, signal.from, signal.to, signal.reason)
        return
      case 'unlink':
        kernel.links.unlinkedFrom(remote, signal.from, signal.to, signal.id)
        return
      case 'unlink_ack':
        kernel.links.unlinkAcknowledged(remote, signal.from, signal.to, signal.id)
        return
      case 'monitor':
        kernel.monitors.watchedFrom(remote, remotePid(remote, signal.from), signal, this.processAt(signal.to))
        return
      case 'request': {
        // Before it is decoded, as two signals would: bad bytes close the connection, and what is watched across it is told of that.
        const target = this.processAt(signal.to)
        kernel.monitors.watchedFrom(remote, remotePid(remote, signal.from), signal, target)
        this.deliverFrom(remote, target, signal.payload, signal.context)
        return
      }
      case 'demonitor':
        kernel.monitors.unwatchedFrom(remote, signal.ref)
        return
      case 'down':
        kernel.monitors.firedFrom(remote, signal.ref, signal.reason)
        return
      default:
        assertNever(signal)
    }
  }

  private processAt(to: number | string): Process | undefined {
    return typeof to === 'string' ? this.kernel.names.whereis(to) : this.kernel.processes.get(to)
  }

  private deliverFrom(
    remote: RemoteNode,
    process: Process | undefined,
    payload: Slice,
    context: Slice | undefined,
  ): void {
    // Decoded even if nobody is there to get it: bad bytes close the connection whoever they were for.
    const message = this.messages.decode(payload, remote.identity)
    const carrier = this.carrierOf(remote, context)
    if (process !== undefined) this.put(remote, process, message, carrier)
  }

  private put(remote: RemoteNode, process: Process, message: unknown, carrier: Carrier | undefined): void {
    const { remoteTag } = process
    const tagged = remoteTag === undefined ? message : remoteTag(message, remote.identity)
    this.kernel.scheduler.deliver(process, tagged, false, carrier)
  }

  /** A node without a propagation takes no notice of it. */
  private carrierOf(remote: RemoteNode, context: Slice | undefined): Carrier | undefined {
    return context === undefined ? undefined : this.kernel.propagator?.decode(context, remote.identity)
  }
}

function remotePid(remote: RemoteNode, id: number): Pid {
  return new Pid(remote.identity, id)
}
