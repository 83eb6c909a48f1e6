/**
 * What a table server has to do about other nodes after a while: one timer a node and kind, in place of an earlier one.
 *
 * State: the timers by their references. Only one of these makes anything happen: a message that merely looks like a timer's doesn't.
 */
import type { Context, NodeName, Ref } from '@pidmesh/runtime'

/**
 * `forget`: a node that is gone hasn't come back; `ask`: one that was refused, or sent too much, is asked again.
 */
export interface NodeDue {
  readonly type: 'forget' | 'ask'
  readonly node: NodeName
}

export class NodeTimers {
  private readonly self: Context
  private readonly byRef = new Map<string, NodeDue>()
  private readonly refs = new Map<string, Ref>()

  /** @param self whose mailbox the timers' messages go to */
  constructor(self: Context) {
    this.self = self
  }

  arm(due: NodeDue, delayMs: number): void {
    this.disarm(due)
    const ref = this.self.startTimer(delayMs, this.self.pid, due.type)
    this.byRef.set(ref.toString(), due)
    this.refs.set(keyOf(due), ref)
  }

  disarm(due: NodeDue): void {
    const ref = this.refs.get(keyOf(due))
    if (ref === undefined) return
    this.self.cancelTimer(ref)
    this.byRef.delete(ref.toString())
    this.refs.delete(keyOf(due))
  }

  /** What is due, if the reference is that of one of these timers. */
  take(ref: unknown): NodeDue | undefined {
    const due = this.byRef.get(String(ref))
    if (due === undefined) return undefined
    this.byRef.delete(String(ref))
    this.refs.delete(keyOf(due))
    return due
  }
}

function keyOf({ type, node }: NodeDue): string {
  return `${type} ${node}`
}
