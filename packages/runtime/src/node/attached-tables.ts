/**
 * Tables that a library keeps beside a node's processes, as the BEAM's own tables of names stand beside its processes: what they hold of a process or a node is gone
 * before anyone is told of its end.
 *
 *   library ─ self.attachTable(listener) ─▶ AttachedTable ─ watch(pid) ─▶ process.isInTables
 *   a process ends, a connection is lost ─▶ listener, at once ─▶ then links, monitors, `nodedown`
 *
 * State: who listens. A monitor would do for a few processes; this costs a bit of a process, and nothing of its watcher.
 */
import type { NodeIdentity, Pid } from '../ids.ts'
import type { Logger } from '../ports.ts'
import type { Process } from '../process/process.ts'
import { formatReason, reasonOfThrown } from '../reasons.ts'

/** Is called synchronously, in the middle of an end: it changes tables of its own, and sends nothing but messages. */
export interface TableListener {
  /** A process that the table watches has ended. */
  onProcessEnd(pid: Pid): void
  /** The connection to a node is lost, whatever the reason. */
  onNodeDown(node: NodeIdentity): void
}

/** A table's place in a node. */
export interface AttachedTable {
  /** The listener will be told of the end of this process of this node. Says whether it is alive; of another node's process `false`. */
  watch(pid: Pid): boolean
  /** Tells a process of this node, if it lives, what has become of the table. As what the runtime itself tells it is never dropped: it would not be told again. */
  tell(pid: Pid, message: unknown): void
  detach(): void
}

export class AttachedTables {
  private listeners: readonly TableListener[] = []
  private readonly log: Logger

  constructor(log: Logger) {
    this.log = log
  }

  attach(
    listener: TableListener,
    processOf: (pid: Pid) => Process | undefined,
    deliver: (process: Process, message: unknown) => void,
  ): AttachedTable {
    this.listeners = [...this.listeners, listener]
    return {
      watch: (pid) => {
        const process = processOf(pid)
        if (process === undefined) return false
        process.isInTables = true
        return true
      },
      tell: (pid, message) => {
        const process = processOf(pid)
        if (process !== undefined) deliver(process, message)
      },
      detach: () => {
        this.listeners = this.listeners.filter((other) => other !== listener)
      },
    }
  }

  processEnded({ pid, isInTables }: Process): void {
    if (isInTables) this.tell((listener) => listener.onProcessEnd(pid))
  }

  nodeDown(node: NodeIdentity): void {
    this.tell((listener) => listener.onNodeDown(node))
  }

  /** A library's mistake must not keep others from being told of the end. */
  private tell(of: (listener: TableListener) => void): void {
    for (const listener of this.listeners) {
      try {
        of(listener)
      } catch (thrown) {
        this.log.error({ reason: formatReason(reasonOfThrown(thrown)) }, 'a table has failed over an end')
      }
    }
  }
}
