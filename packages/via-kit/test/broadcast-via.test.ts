/**
 * PURPOSE: pub-sub under faults: the broker away, and what comes that nobody has sent.
 */
import type { Node, Via } from '@pidmesh/runtime'
import { BroadcastVia, LocationVia, type MessageBroker } from '@pidmesh/via-kit'
import { describe, expect, it, onTestFinished } from 'vitest'
import { FakeBroker, FakeStore, type FakeServer } from '@pidmesh/via-kit/testing'
import { startLab, type Lab } from './lab.ts'

async function labOf(countsListeners: boolean, maxPendingBytes?: number): Promise<Lab<BroadcastVia>> {
  const lab = await startLab((node, server) =>
    BroadcastVia.start(node, {
      broker: new FakeBroker(server, countsListeners),
      ...(maxPendingBytes === undefined ? {} : { maxPendingBytes }),
    }),
  )
  onTestFinished(() => lab.cluster.stop())
  return lab
}

/** It has been away, and does not know yet that nobody listens. */
class UnsureBroker extends FakeBroker {
  override async publish(channel: string, bytes: Uint8Array): Promise<number | undefined> {
    return (await super.publish(channel, bytes)) || undefined
  }
}

async function unsureLab<Names extends Via>(
  way: (node: Node, broker: MessageBroker, server: FakeServer) => Promise<Names>,
): Promise<Lab<Names>> {
  const lab = await startLab((node, server) => way(node, new UnsureBroker(server, true), server))
  onTestFinished(() => lab.cluster.stop())
  return lab
}

describe('while the broker is away', () => {
  it('a push says that it was not sent, wherever the name is', async () => {
    const lab = await labOf(false)
    const [one, other] = lab.members
    const got: unknown[] = []
    await lab.run(one.names.registerName('ann', lab.spawn(one, got)))
    lab.server.isAway = true
    for (const { names } of [one, other]) expect(await lab.run(names.send('ann', 1))).toBe('noconnection')
    expect(other.names.stats).toMatchObject({ isAvailable: false, failed: 1, pending: 0, pendingBytes: 0 })
    lab.server.isAway = false
    expect(await lab.run(other.names.send('ann', 2))).toBe('ok')
    expect(got).toEqual([2])
  })

  it('a name that needs a channel of its own is not registered', async () => {
    const lab = await labOf(true)
    const { names } = lab.members[0]
    lab.server.isAway = true
    const pid = lab.spawn(lab.members[0])
    await expect(lab.run(names.registerName('ann', pid))).rejects.toMatchObject({ code: 'ERR_STORE_UNAVAILABLE' })
    expect(names.whereisName('ann')).toBeUndefined()
    lab.server.isAway = false
    expect(await lab.run(names.registerName('ann', pid))).toBe('yes')
  })

  it('no more bytes wait for it than may', async () => {
    const lab = await labOf(false, 1_000)
    const { names } = lab.members[0]
    const all = Promise.all(Array.from({ length: 30 }, () => names.send('ann', 'x'.repeat(50))))
    expect(names.stats.pendingBytes).toBeLessThanOrEqual(1_000)
    const statuses = await lab.run(all)
    expect(statuses.filter((status) => status === 'noconnection').length).toBeGreaterThan(10)
    expect(names.stats).toMatchObject({ pending: 0, pendingBytes: 0 })
    expect(await lab.run(names.send('ann', 'x'))).toBe('ok')
  })
})

describe('a broker that counts who listens, and was away', () => {
  it('is told of once as what it is, and is there, as long as it does not know who is back', async () => {
    const lab = await unsureLab((node, broker) => BroadcastVia.start(node, { broker }))
    const [one, other] = lab.members
    await lab.run(one.names.registerName('ann', lab.spawn(one)))
    for (const name of ['bob', 'bob', 'ann'])
      expect(await lab.run(other.names.send(name, 1))).toBe(name === 'ann' ? 'ok' : 'noconnection')
    expect(other.names.stats).toMatchObject({ isAvailable: true, storeFailures: 0, sent: 1, failed: 2 })
    const lines = lab.cluster.log.lines.map(({ message }) => message).filter((text) => text.includes('broker'))
    expect(lines).toEqual(['the broker was away: who listens is not known for a moment'])
  })

  it('does not say of a node that it has a message, as a channel of nodes', async () => {
    const lab = await unsureLab((node, channel, server) =>
      LocationVia.start(node, { store: new FakeStore(server), channel }),
    )
    const [one, other] = lab.members
    await lab.run(one.names.registerName('ann', lab.spawn(one)))
    expect(await lab.run(other.names.send('ann', 1))).toBe('ok')
    lab.cluster.crash('a')
    for (const broker of lab.server.brokers) broker.channels.delete(`default:${one.node.name}`)
    expect(await lab.run(other.names.send('ann', 1))).toBe('noconnection')
  })
})

describe('channels', () => {
  it('are listened to as long as somebody here has the name, whoever comes and goes', async () => {
    const lab = await labOf(true)
    const [one] = lab.members
    const [broker] = lab.server.brokers
    const pids = [lab.spawn(one), lab.spawn(one)]
    for (const pid of pids) await lab.run(one.names.registerName('ann', pid))
    await lab.run(one.names.unregisterName('ann', pids[0]))
    expect(broker?.channels).toEqual(new Set(['ann']))
    // At once: neither may overtake the other.
    const all = [one.names.unregisterName('ann'), one.names.registerName('ann', lab.spawn(one))]
    expect(await lab.run(Promise.all(all))).toEqual(['ok', 'yes'])
    expect(broker?.channels).toEqual(new Set(['ann']))
    for (const pid of [one.names.whereisName('ann')]) if (pid !== undefined) one.node.exit(pid, 'kill')
    await lab.pass(100)
    expect(broker?.channels).toEqual(new Set())
  })
})

describe('what comes over the broker and is none of ours', () => {
  it.each([
    ['nothing', []],
    ['one byte', [1]],
    ['a name that is longer than all', [255, 255, 65]],
    ['a name and no message', [0, 3, 97, 110, 110]],
    ['a name and what is no term', [0, 3, 97, 110, 110, 255, 255, 255]],
  ])('%s: is counted, and harms nobody', async (_title, bytes) => {
    const lab = await labOf(false)
    const [one, other] = lab.members
    const got: unknown[] = []
    await lab.run(one.names.registerName('ann', lab.spawn(one, got)))
    const stranger = new FakeBroker(lab.server, false)
    await lab.run(stranger.publish('ann', new Uint8Array(bytes)))
    expect(await lab.run(other.names.send('ann', 'fine'))).toBe('ok')
    await lab.cluster.settle()
    expect(got).toEqual(['fine'])
    expect(one.names.stats.malformed).toBe(1)
  })
})
