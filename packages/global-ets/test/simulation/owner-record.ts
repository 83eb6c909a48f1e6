/**
 * What an owner had at each of its sequence numbers, by a record of its own operations: what every copy of it is compared with.
 */
import type { NodeIdentity } from '@pidmesh/runtime'
import { hashOfMeta } from '../../src/engine/ops.ts'
import { hashOfKey, hashOfRow } from '../../src/engine/hashes.ts'
import type { OwnerLog } from '../../src/engine/log.ts'

export interface Sum {
  readonly count: number
  readonly digest: number
}

interface RecordedRow {
  readonly key: string
  readonly id: number
  readonly epoch: number
  readonly hash: number
}

export class OwnerRecord {
  readonly owner: NodeIdentity
  readonly log: OwnerLog
  private readonly kind: 'names' | 'groups'
  private readonly sums: Sum[] = [{ count: 0, digest: 0 }]
  private readonly rows = new Map<string, RecordedRow>()
  private digest = 0

  /** Listens to a log that nothing stands in yet. */
  constructor(owner: NodeIdentity, log: OwnerLog, kind: 'names' | 'groups') {
    this.owner = owner
    this.log = log
    this.kind = kind
    const { put, remove, change } = log
    log.put = (key, id, epoch, meta) => {
      put.call(log, key, id, epoch, meta)
      this.drop(this.textOf(key.text, id, epoch))
      this.keep({ key: key.text, id, epoch, hash: hashOfRow(hashOfKey(key), id, epoch, hashOfMeta(meta)) })
      this.note()
    }
    log.remove = (key, id, epoch) => {
      remove.call(log, key, id, epoch)
      this.drop(this.textOf(key.text, id, epoch))
      this.note()
    }
    log.change = (key, id, meta) => {
      change.call(log, key, id, meta)
      for (const row of [...this.rows.values()]) {
        if (row.key !== key.text || row.id !== id) continue
        this.drop(this.textOf(row.key, id, row.epoch))
        this.keep({ ...row, hash: hashOfRow(hashOfKey(key), id, row.epoch, hashOfMeta(meta)) })
      }
      this.note()
    }
  }

  /** `undefined` if it never was at that number. */
  at(seq: number): Sum | undefined {
    return this.sums[seq]
  }

  private textOf(key: string, id: number, epoch: number): string {
    return this.kind === 'names' ? key : `${key} ${id} ${epoch}`
  }

  private keep(row: RecordedRow): void {
    this.rows.set(this.textOf(row.key, row.id, row.epoch), row)
    this.digest = (this.digest + row.hash) >>> 0
  }

  private drop(text: string): void {
    const row = this.rows.get(text)
    if (row === undefined) return
    this.rows.delete(text)
    this.digest = (this.digest - row.hash) >>> 0
  }

  private note(): void {
    this.sums.push({ count: this.rows.size, digest: this.digest })
  }
}
