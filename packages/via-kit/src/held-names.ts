/**
 * The names that processes of this node have. A name ends with its process, before anyone is told of that end.
 *
 *   add ─▶ held ─▶ remove, or the process ends ─▶ onEnd
 */
import type { AttachedTable, Context, NameMeta, Pid } from '@pidmesh/runtime'

/** A name of a process of this node. */
export interface Held {
  readonly name: string
  readonly pid: Pid
  readonly meta: NameMeta
}

export class HeldNames<Entry extends Held> {
  private readonly byName = new Map<string, readonly Entry[]>()
  private readonly byPid = new Map<number, Set<string>>()
  private readonly table: AttachedTable

  /** `onEnd`: a process has ended that had the name; it is removed already. */
  constructor(self: Context, onEnd: (entry: Entry) => void) {
    this.table = self.attachTable({
      onProcessEnd: (pid) => {
        for (const name of [...(this.byPid.get(pid.id) ?? [])])
          for (const entry of this.removeOf(name, pid)) onEnd(entry)
      },
      onNodeDown: () => undefined,
    })
  }

  get size(): number {
    return this.byName.size
  }

  /** All of them, the oldest names first. */
  *all(): Generator<Entry> {
    for (const entries of this.byName.values()) yield* entries
  }

  of(name: string): readonly Entry[] {
    return this.byName.get(name) ?? []
  }

  find(name: string, pid: Pid): Entry | undefined {
    return this.of(name).find((entry) => entry.pid.equals(pid))
  }

  /** Whether it is a living process of this node. From then on its end is noticed. */
  watch(pid: Pid): boolean {
    return this.table.watch(pid)
  }

  /** `false` if its process has ended. What the process had under the name before is replaced. */
  add(entry: Entry): boolean {
    const { name, pid } = entry
    if (!this.table.watch(pid)) return false
    this.byName.set(name, [...this.of(name).filter((other) => !other.pid.equals(pid)), entry])
    const names = this.byPid.get(pid.id)
    if (names === undefined) this.byPid.set(pid.id, new Set([name]))
    else names.add(name)
    return true
  }

  /** For all processes that have it, or for one. */
  remove(name: string, pid?: Pid): readonly Entry[] {
    return pid === undefined
      ? this.of(name).flatMap((entry) => this.removeOf(name, entry.pid))
      : this.removeOf(name, pid)
  }

  /** Forgets all, and notices no end of a process any more. */
  clear(): void {
    this.table.detach()
    this.byName.clear()
    this.byPid.clear()
  }

  private removeOf(name: string, pid: Pid): readonly Entry[] {
    const all = this.of(name)
    const removed = all.filter((entry) => entry.pid.equals(pid))
    if (removed.length === 0) return []
    const left = all.filter((entry) => !entry.pid.equals(pid))
    if (left.length === 0) this.byName.delete(name)
    else this.byName.set(name, left)
    const names = this.byPid.get(pid.id)
    names?.delete(name)
    if (names?.size === 0) this.byPid.delete(pid.id)
    return removed
  }
}
