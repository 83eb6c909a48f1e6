/**
 * What this node has of one owner's rows: a copy of the owner's table at one of its sequence numbers. Pure: it changes copies, and says what is to be asked for.
 *
 *   absent ── snapshot_begin ─▶ syncing ── snapshot_end ─▶ live ── delta with the next seq ─▶ live
 *                                 (a shadow is filled)       │
 *                                                            ├── a gap, other sums, too fast ─▶ stale (the old copy serves) ── resume, or a new snapshot ─▶ live
 *   any ── its server or connection is gone ─▶ hidden (nothing is seen, all is kept) ── resume, or a new snapshot ─▶ live
 *                                                 └── 60 s ─▶ absent
 *   any ── what can't be, or too much ─▶ refused (nothing is seen or kept) ── asked again after a while ─▶ syncing
 *
 * It changes only by the owner's next operation or by a whole new copy, never by merging: so nothing that the owner no longer has can stay. A new copy is filled
 * behind the old one, and takes its place at once.
 *
 * Invariants: I1 what is seen is the owner's table at one sequence number (a prefix of its log); I2 within one life of the log that number never goes back.
 */
import { PidmeshError, type NodeIdentity, type Pid } from '@pidmesh/runtime'
import type { Copy } from './copy.ts'
import { BadOps, type OpReader, type OpSink } from './ops.ts'
import type { Known, TableMessage } from './protocol.ts'
import type { Allowance } from './quota.ts'
import { NONE } from './rows.ts'
import type { Table } from './table.ts'

export type ViewState = 'absent' | 'syncing' | 'live' | 'stale' | 'hidden' | 'refused'

/** What is to be done about a message. */
export type Verdict =
  | { readonly type: 'nothing' }
  /** Something is missing: say hello. */
  | { readonly type: 'ask' }
  /** Say hello after a while. */
  | { readonly type: 'ask_later'; readonly delayMs: number }
  /** The owner isn't to be believed, or has too much: nothing of it is kept. Say hello after a long while. */
  | { readonly type: 'refused'; readonly problem: string }

const NOTHING: Verdict = { type: 'nothing' }
const ASK: Verdict = { type: 'ask' }

/** A whole copy whose sums are not the owner's is asked for again, but not at once: it is a mistake in the code, and would be the same again. */
const WRONG_SUM_PAUSE_MS = 1_000

export interface ViewComponents {
  readonly table: Table
  readonly reader: OpReader
  readonly allowance: Allowance
  readonly maxRows: number
}

/** Copies of one owner that are being freed, at most: one that begins snapshots faster than they can be freed waits. */
const MOST_GOING = 2
/** How long. */
const GOING_PAUSE_MS = 1_000

class TooManyRows extends Error {}

/** A copy that is being filled. */
interface Shadow {
  readonly id: number
  readonly life: number
  readonly copy: Copy
  seq: number
}

export class View {
  readonly owner: NodeIdentity
  /** The owner's table server, if it is known and can be heard. */
  server: Pid | undefined = undefined
  state: ViewState = 'absent'
  /** Of the owner's log, in what is kept. */
  life = 0
  seq = 0
  copy: Copy | undefined = undefined
  private shadow: Shadow | undefined = undefined
  /** Copies that were discarded, and may have rows still. */
  private going: Copy[] = []
  /** Its sums were wrong: nothing can be added to it. */
  private isWrong = false
  private readonly components: ViewComponents

  constructor(owner: NodeIdentity, components: ViewComponents) {
    this.owner = owner
    this.components = components
  }

  /** What a hello says: what needn't be sent again. */
  get knows(): Known | undefined {
    return this.copy === undefined || this.isWrong ? undefined : { life: this.life, seq: this.seq }
  }

  /** The first copy of it is still on its way. */
  get isFilling(): boolean {
    return this.server !== undefined && (this.state === 'absent' || this.state === 'syncing' || this.state === 'hidden')
  }

  /** A hello has come from a server of the owner's. */
  greet(server: Pid): void {
    if (this.server?.equals(server) === true) return
    // Another one: what the earlier one was sending is not going on.
    if (this.server !== undefined) this.hide()
    this.server = server
  }

  /** The owner, its server or the connection is gone: nothing of it is seen any more, at once. Until it comes back all is kept. */
  hide(): void {
    this.server = undefined
    this.dropShadow()
    if (this.copy === undefined) {
      this.state = 'absent'
      return
    }
    this.components.table.hide(this.copy)
    this.state = 'hidden'
  }

  /** It hasn't come back. */
  drop(): void {
    this.dropShadow()
    this.dropCopy()
    this.server = undefined
    this.state = 'absent'
  }

  onMessage(message: TableMessage, nowMs: number): Verdict {
    if (this.state === 'refused' && message.type !== 'snapshot_begin') return NOTHING
    try {
      return this.take(message, nowMs)
    } catch (error) {
      if (!(error instanceof BadOps || error instanceof TooManyRows || error instanceof PidmeshError)) throw error
      this.dropShadow()
      this.dropCopy()
      this.state = 'refused'
      return { type: 'refused', problem: error.message }
    }
  }

  private take(message: TableMessage, nowMs: number): Verdict {
    switch (message.type) {
      case 'resume':
        return this.onResume(message)
      case 'snapshot_begin':
        return this.onSnapshotBegin(message)
      case 'snapshot_chunk':
        if (this.shadow?.id === message.id) this.apply(this.shadow.copy, message.ops, 0)
        return NOTHING
      case 'snapshot_end':
        return this.onSnapshotEnd(message)
      case 'delta':
        return this.onDelta(message, nowMs)
      case 'tick':
        return this.onTick(message)
      case 'hello':
      case 'broadcast':
        return NOTHING
    }
  }

  private onResume({ life, seq }: TableMessage & { type: 'resume' }): Verdict {
    this.dropShadow()
    if (this.copy === undefined || this.isWrong || life !== this.life || seq !== this.seq) return ASK
    this.components.table.show(this.copy)
    this.state = 'live'
    return NOTHING
  }

  private onSnapshotBegin({ id, life, seq }: TableMessage & { type: 'snapshot_begin' }): Verdict {
    // Of two snapshots that overlap only the later one counts: mixed they would be a table that never was.
    this.dropShadow()
    this.going = this.going.filter((copy) => copy.count > 0)
    if (this.going.length > MOST_GOING) {
      this.lost()
      return { type: 'ask_later', delayMs: GOING_PAUSE_MS }
    }
    this.shadow = { id, life, seq, copy: this.components.table.addCopy(this.owner) }
    this.state = this.copy?.isVisible === true ? 'stale' : 'syncing'
    return NOTHING
  }

  private onSnapshotEnd({ id, seq, count, digest }: TableMessage & { type: 'snapshot_end' }): Verdict {
    const { shadow } = this
    if (shadow?.id !== id) return NOTHING
    if (shadow.seq !== seq || shadow.copy.count !== count || shadow.copy.digest !== digest) {
      this.dropShadow()
      return { type: 'ask_later', delayMs: WRONG_SUM_PAUSE_MS }
    }
    this.shadow = undefined
    if (this.copy === undefined) this.components.table.show(shadow.copy)
    else {
      this.components.table.replace(this.copy, shadow.copy)
      this.going.push(this.copy)
    }
    this.copy = shadow.copy
    this.life = shadow.life
    this.seq = seq
    this.isWrong = false
    this.state = 'live'
    return NOTHING
  }

  private onDelta({ life, first, last, ops }: TableMessage & { type: 'delta' }, nowMs: number): Verdict {
    const { shadow } = this
    // While a copy is filled the one that serves stays as it is.
    if (shadow === undefined && this.state !== 'live') return NOTHING
    const at = shadow ?? this
    if (life !== at.life || first > at.seq + 1) return this.lost()
    if (last <= at.seq) return NOTHING
    const delayMs = this.components.allowance.take(last - at.seq, nowMs)
    if (delayMs > 0) {
      this.lost()
      return { type: 'ask_later', delayMs }
    }
    const copy = shadow?.copy ?? this.copy
    const skip = at.seq + 1 - first
    if (copy === undefined || this.apply(copy, ops, skip) !== last - first + 1)
      throw new BadOps('a delta of another length')
    at.seq = last
    return NOTHING
  }

  private onTick({ life, seq, count, digest }: TableMessage & { type: 'tick' }): Verdict {
    if (this.state !== 'live' || this.shadow !== undefined) return NOTHING
    if (life !== this.life || seq !== this.seq) return this.lost()
    if (count === this.copy?.count && digest === this.copy.digest) return NOTHING
    this.isWrong = true
    return this.lost()
  }

  /** Something is missing. What is seen stays, until it is there. */
  private lost(): Verdict {
    this.dropShadow()
    this.state = this.copy === undefined ? 'absent' : this.copy.isVisible ? 'stale' : 'hidden'
    return ASK
  }

  /** Applies operations, the first `skip` of them left out. Returns how many there were. */
  private apply(copy: Copy, ops: Uint8Array, skip: number): number {
    const { table, maxRows } = this.components
    let left = skip
    const sink: OpSink = {
      put: (key, id, epoch, { meta, hash }) => {
        if (--left >= 0) return
        table.put(copy, { key, id, epoch, meta, metaHash: hash })
        if (copy.count > maxRows) throw new TooManyRows(`more than ${maxRows} rows`)
      },
      remove: (key, id, epoch) => {
        if (--left >= 0) return
        const slot = table.findClaim(copy, key, id, epoch)
        if (slot !== NONE) table.removeRow(copy, slot)
      },
      change: (key, id, { meta, hash }) => {
        if (--left >= 0) return
        for (const slot of table.findClaims(copy, key, id)) table.change(copy, slot, { meta, metaHash: hash })
      },
    }
    return this.components.reader.read(ops, sink)
  }

  private dropShadow(): void {
    this.discard(this.shadow?.copy)
    this.shadow = undefined
  }

  private dropCopy(): void {
    this.discard(this.copy)
    this.copy = undefined
    this.isWrong = false
  }

  private discard(copy: Copy | undefined): void {
    if (copy === undefined) return
    this.components.table.discard(copy)
    if (copy.count > 0) this.going.push(copy)
  }
}
