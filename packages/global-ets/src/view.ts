/**
 * What this node knows of one owner's names: a copy of the owner's log at one of its sequence numbers. Pure: it says what to do, and does nothing.
 *
 *   syncing ── snapshot begin, chunks, end ─▶ live ── delta with the next seq ─▶ live
 *                                              └──── a gap ─▶ stale (serves the old copy) ── snapshot ─▶ live
 *
 * Deltas go on while a snapshot comes in: they are applied to its shadow, and the chunks that come later don't undo them.
 *
 * A view belongs to one life of one owner's table server, named by its pid; a new life is a new view. It changes only by the owner's next operation or
 * by a whole new copy, never by merging: so nothing that the owner no longer has can stay.
 */
import type { Pid } from '@pidmesh/runtime'
import type { Claim, Op } from './claim.ts'

export type ViewState = 'syncing' | 'live' | 'stale'

/** How the visible claims change: first those that go, then those that come. */
export interface ViewChange {
  readonly removed: readonly Claim[]
  readonly put: readonly Claim[]
}

/** `gap`: operations are missing, the view is stale, and a snapshot is to be asked for. */
export type ViewUpdate = ViewChange & { readonly gap: boolean }

export const NO_CHANGE: ViewChange = { removed: [], put: [] }

/** A snapshot that is coming in, and what its owner has done since. */
interface Shadow {
  readonly id: number
  seq: number
  readonly claims: Map<string, Claim>
  /** Names of operations since the snapshot began: what a later chunk says of them is out of date. */
  readonly touched: Set<string>
}

export class View {
  /** The owner's table server. */
  readonly server: Pid
  state: ViewState = 'syncing'
  /** The number of the owner's last operation that is in here. */
  seq = 0
  claims: Map<string, Claim> = new Map()
  private shadow: Shadow | undefined = undefined

  constructor(server: Pid) {
    this.server = server
  }

  beginSnapshot(id: number, seq: number): void {
    this.shadow = { id, seq, claims: new Map(), touched: new Set() }
  }

  addChunk(id: number, claims: readonly Claim[]): void {
    // Of another snapshot than the one under way: two that overlap must not be mixed.
    const { shadow } = this
    if (shadow?.id !== id) return
    for (const claim of claims) {
      if (this.isOwned(claim) && !shadow.touched.has(claim.name)) shadow.claims.set(claim.name, claim)
    }
  }

  /** The snapshot is whole: takes the place of what was here. */
  endSnapshot(id: number): ViewChange {
    if (this.shadow?.id !== id) return NO_CHANGE
    const { seq, claims } = this.shadow
    const removed = [...this.claims.values()].filter((claim) => !claims.has(claim.name))
    const put = [...claims.values()].filter((claim) => !isSame(claim, this.claims.get(claim.name)))
    this.shadow = undefined
    this.claims = claims
    this.seq = seq
    this.state = 'live'
    return { removed, put }
  }

  /** Applies what is new, up to a gap; to the snapshot that is coming in as well. */
  applyOps(ops: readonly Op[]): ViewUpdate {
    const shadowGap = this.shadow !== undefined && !this.applyToShadow(this.shadow, ops)
    if (shadowGap) this.shadow = undefined
    if (!this.isLive()) return { ...NO_CHANGE, gap: shadowGap }
    const removed: Claim[] = []
    const put = new Map<string, Claim>()
    for (const op of ops) {
      if (op.seq <= this.seq) continue
      if (op.seq !== this.seq + 1) {
        this.state = 'stale'
        break
      }
      this.seq = op.seq
      if (op.type === 'put') {
        if (!this.isOwned(op.claim)) continue
        this.claims.set(op.claim.name, op.claim)
        put.set(op.claim.name, op.claim)
      } else {
        const claim = this.claims.get(op.name)
        if (claim === undefined) continue
        this.claims.delete(op.name)
        // Put and removed within one delta: whether it was visible before, only the index knows.
        put.delete(op.name)
        removed.push(claim)
      }
    }
    return { removed, put: [...put.values()], gap: shadowGap || !this.isLive() }
  }

  /** Says whether there was no gap. */
  private applyToShadow(shadow: Shadow, ops: readonly Op[]): boolean {
    for (const op of ops) {
      if (op.seq <= shadow.seq) continue
      if (op.seq !== shadow.seq + 1) return false
      shadow.seq = op.seq
      const name = op.type === 'put' ? op.claim.name : op.name
      shadow.touched.add(name)
      if (op.type === 'remove') shadow.claims.delete(name)
      else if (this.isOwned(op.claim)) shadow.claims.set(name, op.claim)
    }
    return true
  }

  private isLive(): boolean {
    return this.state === 'live'
  }

  /** An owner speaks for processes of its own node only, whatever its messages say. */
  private isOwned(claim: Claim): boolean {
    return claim.pid.node === this.server.node && claim.pid.incarnation === this.server.incarnation
  }
}

function isSame(a: Claim, b: Claim | undefined): boolean {
  return (
    b !== undefined && a.epoch === b.epoch && a.pid.equals(b.pid) && JSON.stringify(a.meta) === JSON.stringify(b.meta)
  )
}
