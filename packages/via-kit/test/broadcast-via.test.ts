/**
 * PURPOSE: pub-sub under faults: the broker away, and what comes that nobody has sent.
 */
import type { Node, Via } from '@pidmesh/runtime'
import { BroadcastVia, LocationVia, StoreError, type MessageBroker } from '@pidmesh/via-kit'
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

const MAX_CALLS = 2_000

/** Refuses what is more than may wait for it, as drivers do. */
class BoundedBroker extends FakeBroker {
  private calls = 0

  override listen(channel: string): Promise<void> {
    return this.bounded(() => super.listen(channel))
  }

  override unlisten(channel: string): Promise<void> {
    return this.bounded(() => super.unlisten(channel))
  }

  override publish(channel: string, bytes: Uint8Array): Promise<number | undefined> {
    return this.bounded(() => super.publish(channel, bytes))
  }

  private async bounded<T>(call: () => Promise<T>): Promise<T> {
    if (this.calls >= MAX_CALLS) throw new StoreError('ERR_STORE_OVERLOADED', 'more may not wait')
    this.calls++
    try {
      return await call()
    } finally {
      this.calls--
    }
  }
}

async function boundedLab(): Promise<Lab<BroadcastVia>> {
  const lab = await startLab((node, server) => BroadcastVia.start(node, { broker: new BoundedBroker(server, true) }))
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

describe('what waits for the broker', () => {
  it('is as many bytes as it may be to the last one, and who sends is told from half of them on', async () => {
    const lab = await labOf(false)
    const sent = lab.members[0].names.send('ann', 'x')
    const { pendingBytes } = lab.members[0].names.stats
    await lab.run(sent)
    const { members, ...bound } = await labOf(false, 4 * pendingBytes)
    const all = Promise.all(Array.from({ length: 5 }, () => members[0].names.send('ann', 'x')))
    expect(await bound.cluster.run(all)).toEqual(['busy', 'busy', 'ok', 'ok', 'noconnection'])
  })

  it('is up to 16 MiB, if nobody has said otherwise', async () => {
    const lab = await labOf(false)
    const message = new Uint8Array(6 * 1024 * 1024)
    const all = Promise.all(Array.from({ length: 3 }, () => lab.members[0].names.send('ann', message)))
    expect(await lab.run(all)).toEqual(['busy', 'ok', 'noconnection'])
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

describe('while the broker did not answer', () => {
  it('a channel that was to be left is left when it is back, unless somebody has the name again', async () => {
    const lab = await labOf(true)
    const [one] = lab.members
    const [broker] = lab.server.brokers
    for (const name of ['ann', 'bob']) await lab.run(one.names.registerName(name, lab.spawn(one)))
    lab.server.isAway = true
    for (const name of ['ann', 'bob']) await lab.run(one.names.unregisterName(name))
    lab.server.isAway = false
    await lab.run(one.names.registerName('bob', lab.spawn(one)))
    expect(broker?.channels).toEqual(new Set(['ann', 'bob']))
    await lab.pass(2_000)
    expect(broker?.channels).toEqual(new Set(['bob']))
  })

  it('a registration that fails takes nothing from a later one of the same process', async () => {
    const lab = await labOf(true)
    const [one] = lab.members
    const pid = lab.spawn(one)
    lab.server.isAway = true
    const first = one.names.registerName('ann', pid).catch((error: unknown) => {
      lab.server.isAway = false
      return error
    })
    const all = [first, one.names.unregisterName('ann'), one.names.registerName('ann', pid)]
    expect(await lab.run(Promise.all(all))).toEqual([expect.any(StoreError), 'ok', 'yes'])
    expect(one.names.whereisName('ann')).toEqual(pid)
  })
})

describe('many names that end at once', () => {
  it('leave room for what is published, and the broker is not said to be away', async () => {
    const lab = await boundedLab()
    const [one, other] = lab.members
    const [pid, ann] = [lab.spawn(one), lab.spawn(other)]
    await lab.run(other.names.registerName('ann', ann))
    for (let n = 0; n < 5; n++) {
      const names = Array.from({ length: 1_000 }, (_, k) => `${n} ${k}`)
      await lab.run(Promise.all(names.map((name) => one.names.registerName(name, pid))))
    }
    one.node.exit(pid, 'kill')
    await lab.pass(0)
    expect(await lab.run(one.names.send('ann', 1))).toBe('ok')
    await lab.pass(100)
    expect(one.names.stats).toMatchObject({ names: 0, isAvailable: true, storeFailures: 0, failed: 0 })
    expect([...lab.server.brokers].flatMap(({ channels }) => [...channels])).toEqual(['ann'])
  })

  it('are no matter to who registers one of them anew meanwhile', async () => {
    const lab = await boundedLab()
    const [one, other] = lab.members
    const pid = lab.spawn(one)
    const names = Array.from({ length: 1_500 }, (_, n) => `n${n}`)
    await lab.run(Promise.all(names.map((name) => one.names.registerName(name, pid))))
    const left = Promise.all(names.map((name) => one.names.unregisterName(name)))
    const got: unknown[] = []
    expect(await lab.run(one.names.registerName('n1400', lab.spawn(one, got)))).toBe('yes')
    await lab.run(left)
    expect(await lab.run(other.names.send('n1400', 'here'))).toBe('ok')
    await lab.cluster.settle()
    expect(got).toEqual(['here'])
  })
})

it('a call that is one too many for a driver is no failure of the broker', async () => {
  const lab = await boundedLab()
  const { names } = lab.members[0]
  const sends = await lab.run(Promise.all(Array.from({ length: MAX_CALLS + 1 }, () => names.send('ann', 1))))
  expect(sends.filter((sent) => sent === 'noconnection').length).toBe(1)
  expect(names.stats).toMatchObject({ isAvailable: true, storeFailures: 0, failed: 1 })
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
