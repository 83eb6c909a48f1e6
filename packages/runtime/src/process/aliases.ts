/**
 * References that can be sent to. A message to an alias that has been closed is dropped: that is how a late reply is never seen.
 *
 * An alias is a pending request's, or a process's own (Erlang's `alias/1`, and the `alias` option of `monitor`); the latter is released with its process.
 */
import { IdTable, KEPT_PLACES_OF_MANY } from '../id-table.ts'
import type { Carrier } from '../ports.ts'
import type { ExitReason } from '../reasons.ts'
import type { RemoteNode } from '../signals/remote-node.ts'
import type { Process } from './process.ts'

export interface AliasTarget {
  /** Whether what comes is handled in the context that comes with it. Who waits for a reply has his own. */
  readonly takesContext: boolean
  /** A message has come to the alias; `answeredBy` is the node that says that it has ended a monitor with it. */
  deliver(message: unknown, answeredBy: RemoteNode | undefined, carrier: Carrier | undefined): void
  /** No answer will come to the alias. */
  refuse?(reason: ExitReason): void
}

export class Aliases {
  private readonly open = new IdTable<AliasTarget>(KEPT_PLACES_OF_MANY)

  get size(): number {
    return this.open.size
  }

  add(refId: number, target: AliasTarget): void {
    this.open.set(refId, target)
  }

  remove(refId: number): boolean {
    return this.open.delete(refId)
  }

  isOpen(refId: number): boolean {
    return this.open.get(refId) !== undefined
  }

  /** Whether a context that comes with a message to it would be of any use. */
  takesContext(refId: number): boolean {
    return this.open.get(refId)?.takesContext === true
  }

  deliver(refId: number, message: unknown, answeredBy?: RemoteNode, carrier?: Carrier): void {
    this.open.get(refId)?.deliver(message, answeredBy, carrier)
  }

  refuse(refId: number, reason: ExitReason): void {
    this.open.get(refId)?.refuse?.(reason)
  }

  /** Opens an alias of a process; `deliver` puts what comes into its mailbox. */
  addOwn(owner: Process, refId: number, deliver: AliasTarget['deliver']): void {
    this.open.set(refId, { takesContext: true, deliver })
    ;(owner.aliases ??= new Set()).add(refId)
  }

  /** Closes an alias of a process. Says whether it was open, and this process's. */
  removeOwn(owner: Process, refId: number): boolean {
    return owner.aliases?.delete(refId) === true && this.open.delete(refId)
  }

  /** The process has ended. */
  release(process: Process): void {
    const { aliases } = process
    process.aliases = undefined
    if (aliases !== undefined) for (const refId of aliases) this.open.delete(refId)
  }
}
