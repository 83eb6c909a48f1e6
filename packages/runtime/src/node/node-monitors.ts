/**
 * Who wants to know of nodes that come and go.
 */
import type { NodeName } from '../ids.ts'
import type { NodeDownMessage, NodeDownReason, NodeType, NodeUpMessage } from '../messages.ts'
import type { Process } from '../process/process.ts'
import type { Deliver } from '../signals/monitors.ts'

export class NodeMonitors {
  private readonly deliver: Deliver
  private readonly ofAll = new Map<Process, NodeType | 'all'>()
  /** As in Erlang each `monitorNode(node, true)` counts: two of them give two messages. */
  private readonly ofOne = new Map<NodeName, Map<Process, number>>()

  constructor(deliver: Deliver) {
    this.deliver = deliver
  }

  monitorNodes(process: Process, wanted: NodeType | 'all' | 'none'): void {
    if (wanted === 'none') this.ofAll.delete(process)
    else this.ofAll.set(process, wanted)
  }

  monitorNode(process: Process, node: NodeName, on: boolean): void {
    const processes = this.ofOne.get(node) ?? new Map<Process, number>()
    const count = (processes.get(process) ?? 0) + (on ? 1 : -1)
    if (count > 0) processes.set(process, count)
    else processes.delete(process)
    if (processes.size > 0) this.ofOne.set(node, processes)
    else this.ofOne.delete(node)
  }

  nodeUp(node: NodeName, nodeType: NodeType): void {
    const message: NodeUpMessage = { type: 'nodeup', node, nodeType }
    this.tellAll(nodeType, message)
  }

  nodeDown(node: NodeName, nodeType: NodeType, reason: NodeDownReason): void {
    const message: NodeDownMessage = { type: 'nodedown', node, nodeType, reason }
    this.tellAll(nodeType, message)
    this.tellOnce(node, message)
  }

  /** Nothing has come of dialing it. */
  unreached(node: NodeName): void {
    const message: NodeDownMessage = { type: 'nodedown', node, nodeType: 'visible', reason: 'disconnect' }
    this.tellOnce(node, message)
  }

  private tellOnce(node: NodeName, message: NodeDownMessage): void {
    const once = this.ofOne.get(node)
    this.ofOne.delete(node)
    for (const [process, count] of once ?? []) for (let i = 0; i < count; i++) this.deliver(process, message)
  }

  private tellAll(nodeType: NodeType, message: NodeUpMessage | NodeDownMessage): void {
    for (const [process, wanted] of this.ofAll)
      if (wanted === 'all' || wanted === nodeType) this.deliver(process, message)
  }

  release(process: Process): void {
    this.ofAll.delete(process)
    for (const [node, processes] of this.ofOne) {
      if (processes.delete(process) && processes.size === 0) this.ofOne.delete(node)
    }
  }
}
