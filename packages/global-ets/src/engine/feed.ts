/**
 * What goes to one other node: where it is in this node's log, and what is sent next. Pure.
 *
 *   hello(knows) ─▶ resume, if the ring covers what is missing; otherwise snapshot_begin, chunks, snapshot_end
 *                └▶ and in both forms the batches of the log, as they are sealed
 *
 * A snapshot is a walk through the rows as they are when it comes to them; what changes meanwhile is in the batches too, and doing an operation twice does nothing.
 * So nothing is copied, however large the table is. One who can't keep up is simply behind: it is sent what it lacks when it takes more.
 */
import type { Pid } from '@pidmesh/runtime'
import { KeyWords } from './key-words.ts'
import type { OwnerLog } from './log.ts'
import type { MetaBytes } from './meta-bytes.ts'
import { OpWriter } from './ops.ts'
import type { Known, TableMessage } from './protocol.ts'
import { NONE } from './rows.ts'
import type { Table } from './table.ts'

export interface FeedComponents {
  /** This node's table server. */
  readonly from: Pid
  readonly table: Table
  readonly log: OwnerLog
  readonly metaBytes: MetaBytes
  readonly nextSnapshotId: () => number
  /** A chunk of a snapshot is closed when it has so many. */
  readonly chunkBytes: number
}

interface Snapshot {
  readonly id: number
  readonly rows: Generator<number>
}

export class Feed {
  /** The other node's table server. */
  readonly server: Pid
  /** The connection is full: nothing is sent until it has drained. */
  isWaiting = false
  private readonly components: FeedComponents
  private isGreeted = false
  private readonly knows: Known | undefined
  private sent = 0
  private snapshot: Snapshot | undefined = undefined
  private tickedSeq = NONE
  /** Of a row that is sent. */
  private readonly key = new KeyWords()

  constructor(server: Pid, knows: Known | undefined, components: FeedComponents) {
    this.server = server
    this.knows = knows
    this.components = components
  }

  /** The next message, if there is one. The log's open batch must have been sealed. */
  next(): TableMessage | undefined {
    const { from, log } = this.components
    if (!this.isGreeted) return this.begin()
    if (!log.covers(this.sent)) return this.beginSnapshot()
    const batch = log.after(this.sent)
    if (batch !== undefined) {
      this.sent = batch.to
      return { type: 'delta', from, life: log.life, first: batch.from, last: batch.to, ops: batch.ops }
    }
    return this.snapshot === undefined ? undefined : this.nextOfSnapshot(this.snapshot)
  }

  /** What it is to compare with what it has, unless it is still being sent something, or, unless `always`, has been asked this already. */
  tick(always: boolean): TableMessage | undefined {
    const { from, log, table } = this.components
    const isSent = this.isGreeted && this.snapshot === undefined && this.sent === log.seq
    if (!isSent || this.isWaiting || (!always && this.tickedSeq === log.seq)) return undefined
    this.tickedSeq = log.seq
    return { type: 'tick', from, life: log.life, seq: log.seq, count: table.own.count, digest: table.own.digest }
  }

  /** It goes nowhere any more. */
  end(): void {
    this.snapshot?.rows.return(undefined)
    this.snapshot = undefined
  }

  private begin(): TableMessage {
    const { from, log } = this.components
    const { knows } = this
    this.isGreeted = true
    if (knows === undefined || knows.life !== log.life || !log.covers(knows.seq)) return this.beginSnapshot()
    this.sent = knows.seq
    return { type: 'resume', from, life: log.life, seq: knows.seq }
  }

  private beginSnapshot(): TableMessage {
    const { from, log, table, nextSnapshotId } = this.components
    this.end()
    const id = nextSnapshotId()
    this.sent = log.sealed
    this.snapshot = { id, rows: table.rowsOfCopy(table.own) }
    return { type: 'snapshot_begin', from, id, life: log.life, seq: log.sealed }
  }

  private nextOfSnapshot({ id, rows }: Snapshot): TableMessage {
    const { from, log, table, metaBytes, chunkBytes } = this.components
    const ops = new OpWriter()
    while (ops.bytes < chunkBytes) {
      const next = rows.next()
      if (next.done === true) break
      const slot = next.value
      const bytes = metaBytes.of(table.rows.metaOf(slot))
      ops.put(table.rows.readKey(slot, this.key), table.rows.idOf(slot), table.rows.epochOf(slot), bytes)
    }
    if (ops.count > 0) return { type: 'snapshot_chunk', from, id, ops: ops.take() }
    this.snapshot = undefined
    return { type: 'snapshot_end', from, id, seq: log.seq, count: table.own.count, digest: table.own.digest }
  }
}
