/**
 * What can't come over one ordered connection from one server, and is refused all the same: no history of whole clusters can tell whether it is.
 */
import { nodeName, Pid, type NodeIdentity } from '@pidmesh/runtime'
import { describe, expect, it } from 'vitest'
import { KeyWords } from '../../src/engine/key-words.ts'
import { NO_META, OpWriter } from '../../src/engine/ops.ts'
import { QUOTA } from '../../src/engine/quota.ts'
import { Replica } from '../../src/engine/replica.ts'
import { NONE } from '../../src/engine/rows.ts'

const owner: NodeIdentity = { name: nodeName('b@127.0.0.1'), incarnation: 7 }
const [server, earlier] = [new Pid(owner, 20), new Pid(owner, 10)]
const ignored = (): void => undefined

/** A replica that b's server has said hello to. */
function greeted(): Replica {
  const self: NodeIdentity = { name: nodeName('a@127.0.0.1'), incarnation: 3 }
  const watcher = { joined: ignored, left: ignored, changed: ignored, keyAdded: ignored, keyRemoved: ignored }
  const replica = new Replica({
    self,
    kind: 'names',
    policy: 'smaller_node',
    prefixes: [],
    quota: QUOTA,
    life: 1,
    multiplier: 3,
    watcher,
  })
  const { policy } = replica
  replica.onHello(
    owner,
    { type: 'hello', from: server, isNew: true, lacks: false, policy, knows: undefined },
    new Pid(self, 1),
    0,
  )
  return replica
}

function put(name: string): Uint8Array {
  const ops = new OpWriter()
  ops.put(KeyWords.of(name), 1, 1, NO_META.bytes)
  return ops.take()
}

/** All of a snapshot that has one row, `x`. */
function fill(replica: Replica, from: Pid): void {
  const other = greeted()
  other.put('x', 1, NO_META)
  const { count, digest } = other.table.own
  replica.onMessage(owner, { type: 'snapshot_begin', from, id: 1, life: 5, seq: 1 }, 0)
  replica.onMessage(owner, { type: 'snapshot_chunk', from, id: 1, ops: put('x') }, 0)
  replica.onMessage(owner, { type: 'snapshot_end', from, id: 1, seq: 1, count, digest }, 0)
}

describe('a replica', () => {
  it('drops a delta that it has already, and takes of one that overlaps what is new', () => {
    const replica = greeted()
    fill(replica, server)
    const ops = new OpWriter()
    ops.put(KeyWords.of('x'), 9, 2, NO_META.bytes)
    const old = ops.take()
    replica.onMessage(owner, { type: 'delta', from: server, life: 5, first: 1, last: 1, ops: old }, 0)
    const { table } = replica
    expect(table.rows.idOf(table.visible('x'))).toBe(1)
    ops.put(KeyWords.of('x'), 9, 2, NO_META.bytes)
    ops.put(KeyWords.of('y'), 3, 3, NO_META.bytes)
    replica.onMessage(owner, { type: 'delta', from: server, life: 5, first: 1, last: 2, ops: ops.take() }, 0)
    expect(table.rows.idOf(table.visible('x'))).toBe(1)
    expect(table.rows.idOf(table.visible('y'))).toBe(3)
    replica.onMessage(owner, { type: 'delta', from: server, life: 5, first: 1, last: 1, ops: old }, 0)
    expect(replica.views.get(owner.name)).toMatchObject({ state: 'live', seq: 2 })
  })

  it('takes nothing of a server that has not said hello, or has said it before another one did', () => {
    const replica = greeted()
    fill(replica, earlier)
    expect(replica.table.visible('x')).toBe(NONE)
    fill(replica, server)
    expect(replica.table.visible('x')).not.toBe(NONE)
  })

  it('puts no chunk of one snapshot into another, and does not end one by the end of another', () => {
    const replica = greeted()
    const from = server
    replica.onMessage(owner, { type: 'snapshot_begin', from, id: 2, life: 5, seq: 1 }, 0)
    replica.onMessage(owner, { type: 'snapshot_chunk', from, id: 1, ops: put('other') }, 0)
    replica.onMessage(owner, { type: 'snapshot_end', from, id: 1, seq: 1, count: 0, digest: 0 }, 0)
    expect(replica.views.get(owner.name)?.state).toBe('syncing')
    expect(replica.table.rowsHeld).toBe(0)
  })

  it("does not show a whole copy whose sums are not the owner's", () => {
    const replica = greeted()
    const from = server
    replica.onMessage(owner, { type: 'snapshot_begin', from, id: 1, life: 5, seq: 1 }, 0)
    replica.onMessage(owner, { type: 'snapshot_chunk', from, id: 1, ops: put('x') }, 0)
    const end = { type: 'snapshot_end', from, id: 1, seq: 1, count: 1, digest: 0 } as const
    expect(replica.onMessage(owner, end, 0)).toMatchObject({ type: 'ask_later' })
    expect(replica.table.visible('x')).toBe(NONE)
    expect(replica.table.hasWork).toBe(true)
  })

  it('holds no more of one that begins ever new snapshots than it can free', () => {
    const replica = greeted()
    const rows = new OpWriter()
    for (let i = 0; i < 100; i++) rows.put(KeyWords.of(`x${i}`), 1, 1, NO_META.bytes)
    const ops = rows.take()
    const verdicts = new Set<string>()
    // All of them before any work is done.
    for (let id = 1; id <= 1_000; id++) {
      verdicts.add(replica.onMessage(owner, { type: 'snapshot_begin', from: server, id, life: 5, seq: 0 }, 0).type)
      replica.onMessage(owner, { type: 'snapshot_chunk', from: server, id, ops }, 0)
    }
    expect(replica.table.rowsHeld).toBeLessThanOrEqual(400)
    expect([...verdicts]).toEqual(['nothing', 'ask_later'])
    // When they are freed it is taken again.
    replica.table.work(10_000)
    expect(replica.table.rowsHeld).toBe(0)
    fill(replica, server)
    expect(replica.table.visible('x')).not.toBe(NONE)
  })
})
