/**
 * The replicated table as a pure core: this node's log, a view of every other node, and the index of all claims.
 *
 *   register, unregister, setMeta ─▶ log ─┐
 *   snapshots and deltas of others ─▶ views ─┴─▶ index ─▶ visible(name)
 *
 * Events come in as method calls; what is to be done about them goes out as values: claims of ours that have lost a clash.
 *
 * Invariants (numbers as in docs/replication.md): I1 a view is its owner's table at one sequence number; I3 only its owner's messages change a view;
 * I4 the visible claim of a name is the first, by the policy, of all claims to it; I5 only claims of our own processes are ever given up;
 * I6 what belonged to a server that is gone is not visible.
 */
import type { NameMeta, Pid } from '@pidmesh/runtime'
import type { Claim, Op } from './claim.ts'
import { ClaimIndex } from './claim-index.ts'
import { compareBy, type ConflictPolicy } from './conflict.ts'
import { OwnerLog } from './log.ts'
import { View, type ViewChange } from './view.ts'

/** A claim of ours that is not the one that is seen, and the one that is. */
export interface Defeat {
  readonly loser: Claim
  readonly winner: Claim
}

export class Table {
  readonly log: OwnerLog = new OwnerLog()
  private readonly views = new Map<string, View>()
  private readonly index: ClaimIndex
  /** Names of ours by their process: a process may have many. */
  private readonly namesOf = new Map<string, Set<string>>()
  private epoch = 0
  /** Counts the changes of what is visible. */
  version = 0

  constructor(policy: ConflictPolicy) {
    this.index = new ClaimIndex(compareBy(policy))
  }

  /** Names that are claimed, in the part of the cluster that this node sees. */
  get size(): number {
    return this.index.size
  }

  visible(name: string): Claim | undefined {
    return this.index.visible(name)
  }

  visibleClaims(): Iterable<Claim> {
    return this.index.visibleClaims()
  }

  own(name: string): Claim | undefined {
    return this.log.claims.get(name)
  }

  /** Claims a name for a process of this node, unless it is taken. */
  register(name: string, pid: Pid, meta: NameMeta): 'yes' | 'no' {
    if (this.index.visible(name) !== undefined) return 'no'
    this.putOwn({ name, pid, epoch: ++this.epoch, meta })
    const key = pid.toString()
    const names = this.namesOf.get(key) ?? new Set()
    this.namesOf.set(key, names.add(name))
    return 'yes'
  }

  setMeta(name: string, meta: NameMeta): 'ok' | 'error' {
    const claim = this.log.claims.get(name)
    if (claim === undefined) return 'error'
    this.putOwn({ ...claim, meta })
    return 'ok'
  }

  /** Gives up a name of this node. Says whether its process has no other name left. */
  unregister(name: string): { readonly pid: Pid; readonly wasLast: boolean } | undefined {
    const claim = this.log.remove(name)
    if (claim === undefined) return undefined
    this.index.remove(claim)
    this.version++
    const key = claim.pid.toString()
    const names = this.namesOf.get(key)
    names?.delete(name)
    const wasLast = names === undefined || names.size === 0
    if (wasLast) this.namesOf.delete(key)
    return { pid: claim.pid, wasLast }
  }

  /** A process of this node has ended: gives up all its names. */
  releaseProcess(pid: Pid): void {
    for (const name of [...(this.namesOf.get(pid.toString()) ?? [])]) this.unregister(name)
  }

  /** The view of the server's owner. A server that is new takes the place of the owner's earlier one, whose names go. */
  viewOf(server: Pid): { readonly view: View; readonly isNew: boolean } {
    const known = this.views.get(server.node)
    if (known !== undefined && known.server.equals(server)) return { view: known, isNew: false }
    if (known !== undefined) this.dropView(known.server)
    const view = new View(server)
    this.views.set(server.node, view)
    return { view, isNew: true }
  }

  /** The view of this very server, if there is one. */
  knownView(server: Pid): View | undefined {
    const view = this.views.get(server.node)
    return view !== undefined && view.server.equals(server) ? view : undefined
  }

  servers(): Pid[] {
    return [...this.views.values()].map((view) => view.server)
  }

  /** The server, or the connection to it, is gone: so are its names, at once. */
  dropView(server: Pid): void {
    const view = this.knownView(server)
    if (view === undefined) return
    this.views.delete(server.node)
    for (const claim of view.claims.values()) this.index.remove(claim)
    if (view.claims.size > 0) this.version++
  }

  /** Takes a change of a view into the index. */
  apply(change: ViewChange): Defeat[] {
    for (const claim of change.removed) this.index.remove(claim)
    const defeats: Defeat[] = []
    for (const claim of change.put) {
      this.epoch = Math.max(this.epoch, claim.epoch)
      this.index.put(claim)
      const loser = this.log.claims.get(claim.name)
      const winner = this.index.visible(claim.name)
      if (loser !== undefined && winner !== undefined && winner !== loser) defeats.push({ loser, winner })
    }
    if (change.removed.length + change.put.length > 0) this.version++
    return defeats
  }

  /** What changed here since the last call, for the others. */
  takeUnsent(): Op[] {
    return this.log.takeUnsent()
  }

  private putOwn(claim: Claim): void {
    this.log.put(claim)
    this.index.put(claim)
    this.version++
  }
}
