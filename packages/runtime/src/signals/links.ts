/**
 * Links: bidirectional and idempotent. When one side ends, the other gets an exit signal.
 *
 * Across nodes a link has a half on each side. `unlink` may cross a `link` on the wire, so it is acknowledged: until then a `link` that
 * arrives is older than the `unlink` and is ignored, as in Erlang's link protocol. After `unlink` has returned, no exit signal of that link
 * arrives, whatever is still on its way.
 */
import { hasItem, itemsOf, withItem, withoutItem } from '../few.ts'
import type { Pid } from '../ids.ts'
import { Process } from '../process/process.ts'
import type { ExitReason } from '../reasons.ts'
import { linkKey, type RemoteLink, type RemoteNode } from './remote-node.ts'

/** What a process is linked to: a process of this node, or its half of a link to another's. */
export type LinkEnd = Process | RemoteLink

/** Passes an exit signal of a link to a process here; `from` is the one that ended. */
export type PassLinkExit = (to: Process, from: Pid, reason: ExitReason) => void

export class Links {
  private readonly passExit: PassLinkExit
  /** Processes that have ended with links, by their ids, until all that are linked to them have been told. */
  private readonly ending = new Map<number, Process>()
  private lastUnlinkId = 0

  constructor(passExit: PassLinkExit) {
    this.passExit = passExit
  }

  linkLocal(a: Process, b: Process): void {
    if (a === b) return
    a.links = withItem(a.links, b)
    b.links = withItem(b.links, a)
  }

  unlinkLocal(a: Process, b: Process): void {
    a.links = withoutItem(a.links, b)
    b.links = withoutItem(b.links, a)
  }

  /** As `unlinkLocal`, with a process of this node that has ended; `process` may not have been told yet. */
  unlinkEnding(process: Process, to: Pid): void {
    const end = this.ending.get(to.id)
    if (end !== undefined) this.unlinkLocal(process, end)
  }

  /** Whether the two are linked, and the other has ended without `process` having been told yet. */
  isEnding(process: Process, to: Pid): boolean {
    const end = this.ending.get(to.id)
    return end !== undefined && hasItem(process.links, end)
  }

  linkRemote(process: Process, remote: RemoteNode, pid: Pid): void {
    const key = linkKey(process.pid.id, pid.id)
    const known = remote.relations.links.get(key)
    if (known !== undefined && known.unlinkId === undefined) return
    // Re-linking before the unlink is acknowledged: the new half replaces the old; the order of the wire keeps the two apart.
    this.addHalf(process, remote, pid)
    remote.signal({ type: 'link', from: process.pid.id, to: pid.id })
  }

  /** Says whether the node knows of the link: if not there may be one that `unlinkLost` ends. */
  unlinkRemote(process: Process, remote: RemoteNode, pid: Pid): boolean {
    const link = remote.relations.links.get(linkKey(process.pid.id, pid.id))
    if (link === undefined) return false
    if (link.unlinkId !== undefined) return true
    link.unlinkId = ++this.lastUnlinkId
    process.links = withoutItem(process.links, link)
    remote.signal({ type: 'unlink', from: process.pid.id, to: pid.id, id: link.unlinkId })
    return true
  }

  /** A `link` came from a connected node. */
  linkedFrom(remote: RemoteNode, from: Pid, toId: number, to: Process | undefined): void {
    if (to === undefined) {
      remote.signal({ type: 'link_exit', from: toId, to: from.id, reason: 'noproc' })
      return
    }
    if (!remote.relations.links.has(linkKey(to.pid.id, from.id))) this.addHalf(to, remote, from)
  }

  /** An `unlink` came from a connected node. */
  unlinkedFrom(remote: RemoteNode, fromId: number, toId: number, id: number): void {
    const key = linkKey(toId, fromId)
    const link = remote.relations.links.get(key)
    if (link !== undefined && link.unlinkId === undefined) {
      remote.relations.links.delete(key)
      link.process.links = withoutItem(link.process.links, link)
    }
    remote.signal({ type: 'unlink_ack', from: toId, to: fromId, id })
  }

  /** Of an earlier `unlink`, after which the two were linked and unlinked again, it says nothing. */
  unlinkAcknowledged(remote: RemoteNode, fromId: number, toId: number, id: number): void {
    const key = linkKey(toId, fromId)
    if (remote.relations.links.get(key)?.unlinkId === id) remote.relations.links.delete(key)
  }

  /** A `link_exit` came from a connected node. */
  exitFrom(remote: RemoteNode, fromId: number, toId: number, reason: ExitReason): void {
    const key = linkKey(toId, fromId)
    const link = remote.relations.links.get(key)
    if (link === undefined) return
    remote.relations.links.delete(key)
    if (link.unlinkId !== undefined) return
    link.process.links = withoutItem(link.process.links, link)
    this.passExit(link.process, link.remote, reason)
  }

  /** The process is about to end; `notifyLinked` follows. */
  beginEnd(process: Process): void {
    if (process.links !== undefined) this.ending.set(process.pid.id, process)
  }

  /** The process has ended: tells all that are linked to it. */
  notifyLinked(process: Process, reason: ExitReason): void {
    const { links } = process
    process.links = undefined
    for (const end of itemsOf(links)) {
      if (end instanceof Process) {
        // It may have unlinked itself meanwhile.
        if (!hasItem(end.links, process)) continue
        end.links = withoutItem(end.links, process)
        this.passExit(end, process.pid, reason)
      } else {
        end.node.relations.links.delete(linkKey(process.pid.id, end.remote.id))
        end.node.signal({ type: 'link_exit', from: process.pid.id, to: end.remote.id, reason })
      }
    }
    this.ending.delete(process.pid.id)
  }

  /** The connection is lost, or none has come about: this end of each link across it gets `noconnection`, or why it was none. */
  connectionLost(remote: RemoteNode, reason: 'noconnection' | 'noproc' = 'noconnection'): void {
    const links = [...remote.relations.links.values()]
    remote.relations.links.clear()
    for (const link of links) {
      // One who was told before may have ended this link meanwhile.
      if (link.unlinkId !== undefined || !hasItem(link.process.links, link)) continue
      link.process.links = withoutItem(link.process.links, link)
      this.passExit(link.process, link.remote, reason)
    }
  }

  /** The connection of the link, if there is one, has just been lost, and the process has not been told yet. Goes through all its links. */
  unlinkLost(process: Process, pid: Pid): void {
    for (const end of itemsOf(process.links))
      if (!(end instanceof Process) && end.remote.equals(pid)) process.links = withoutItem(process.links, end)
  }

  private addHalf(process: Process, remote: RemoteNode, pid: Pid): void {
    const link: RemoteLink = { process, remote: pid, node: remote, unlinkId: undefined }
    remote.relations.links.set(linkKey(process.pid.id, pid.id), link)
    process.links = withItem(process.links, link)
  }
}
