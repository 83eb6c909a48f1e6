import { handler, type Pid } from '@pidmesh/runtime'
import { TestCluster } from '@pidmesh/runtime/testing'
import { Ets, ProcessGroups } from '@pidmesh/global-ets'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { idle, join, type Member } from './lab.ts'

let cluster: TestCluster
let a: Member
/** A process that is busy until `release`, and drops what comes when its mailbox is full. */
let busy: Pid
let got: unknown[]
let release: () => void

beforeEach(async () => {
  cluster = new TestCluster()
  a = await join(cluster, 'a', { loser: 'tell' })
  const gate = new Promise<void>((resolve) => (release = resolve))
  got = []
  busy = a.node.spawn(
    handler(() => async (message) => {
      got.push(message)
      await gate
    }),
    { mailbox: { limit: 2, policy: 'drop' } },
  )
  a.node.send(busy, 'is being handled')
  await cluster.settle()
})

afterEach(async () => {
  await cluster.stop()
})

const fill = (): void => {
  for (let i = 0; i < 10; i++) a.node.send(busy, i)
}

/** What it has been told, behind what was in its mailbox. */
async function told(): Promise<unknown[]> {
  await cluster.advance(10)
  release()
  await cluster.settle()
  expect(got.slice(0, 3)).toEqual(['is being handled', 0, 1])
  return got.slice(3)
}

describe('a process whose mailbox is full, and drops what comes', () => {
  it('learns that it has lost a name', async () => {
    a.names.registerName('x', busy)
    fill()
    a.names.takeover('x', idle(a))
    expect(await told()).toMatchObject([{ type: 'name_lost', name: 'x' }])
  })

  it('misses no change of a table that it watches', async () => {
    a.names.watch(busy)
    fill()
    a.names.registerName('x', idle(a))
    expect(await told()).toMatchObject([{ type: 'names', changes: [{ type: 'joined', name: 'x' }] }])
  })

  it('misses no join, metadata or leave of a group that it monitors', async () => {
    const groups = await cluster.run(ProcessGroups.start(a.node))
    groups.monitorGroup(busy, 'g')
    fill()
    const member = idle(a)
    groups.join('g', member)
    groups.setMeta('g', member, { room: 'lobby' })
    groups.leave('g', member)
    expect(await told()).toMatchObject([{ type: 'join' }, { type: 'meta' }, { type: 'leave' }])
  })

  it('learns that a table is its own, as an heir and as one that was given it', async () => {
    const heir = { pid: busy, data: 'inherited' }
    const owner = a.node.spawn(
      handler((self) => {
        Ets.new<{ readonly k: number }, 'k'>(self, 'inherited', { key: 'k', heir })
        Ets.new<{ readonly k: number }, 'k'>(self, 'given', { key: 'k' }).giveAway(busy, 'given')
        return () => undefined
      }),
    )
    fill()
    await cluster.settle()
    a.node.exit(owner, 'kill')
    expect(await told()).toMatchObject([
      { type: 'ETS-TRANSFER', from: owner, data: 'given' },
      { type: 'ETS-TRANSFER', from: owner, data: 'inherited' },
    ])
  })
})
