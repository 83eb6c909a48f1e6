/**
 * PURPOSE: what a node has in the store is what it has, however many names there are, however slow the store is, and whatever comes and goes while it is away: what an attacker has found, one rule each.
 */
import {
  BroadcastVia,
  LocationVia,
  StoreError,
  type Answer,
  type LocationRow,
  type TakenLocation,
} from '@pidmesh/via-kit'
import { FakeBroker, FakeServer, FakeStore } from '@pidmesh/via-kit/testing'
import { TestCluster } from '@pidmesh/runtime/testing'
import { describe, expect, it, onTestFinished } from 'vitest'
import { alive, locationLab, registerMany, startLab, storesLab, type Lab } from './lab.ts'

const TTL_MS = 3_000

describe('names of a node, of which there are more than calls may wait', () => {
  it('are refreshed, all of them, and given back when the node leaves', async () => {
    const lab = await locationLab(undefined, { maxPending: 10 })
    await registerMany(lab, 30)
    await lab.pass(TTL_MS * 3)
    expect(alive(lab)).toBe(30)
    await lab.run(lab.members[0].names.stop())
    expect(lab.server.rows.size).toBe(0)
  })

  it('are refreshed whatever else is asked', async () => {
    const lab = await locationLab(undefined, { maxPending: 100 })
    await registerMany(lab, 30)
    const [{ names }] = lab.members
    for (let ms = 0; ms < 3_500; ms += 5) {
      for (let n = 0; n < 150; n++) names.setMeta(`n${n % 30}`, { ms }).catch(() => undefined)
      await lab.pass(5)
    }
    expect(alive(lab)).toBe(30)
  })

  it('end with their process', async () => {
    const lab = await locationLab(undefined, { maxPending: 100 })
    const pid = await registerMany(lab, 300)
    lab.members[0].node.exit(pid, 'kill')
    await lab.pass(100)
    expect(lab.server.rows.size).toBe(0)
  })
})

/** What it is to write fails soon, since the connection is lost, and arrives as late as may be. */
class LosesConnections extends FakeStore {
  override readonly timeoutMs: number = 1_800
  isLost = false
  afterMs = 0

  override put(rows: readonly LocationRow[]): Promise<readonly Answer<boolean>[]> {
    return this.isLost ? this.later(() => super.put(rows)) : super.put(rows)
  }

  override take(rows: readonly LocationRow[]): Promise<readonly Answer<TakenLocation>[]> {
    return this.isLost ? this.later(() => super.take(rows)) : super.take(rows)
  }

  private async later(write: () => Promise<unknown>): Promise<never> {
    this.server.clock.setTimer(this.timeoutMs - 10, () => void write())
    await new Promise<void>((resolve) => void this.server.clock.setTimer(this.afterMs, resolve))
    throw new StoreError('ERR_STORE_UNAVAILABLE', 'the connection is lost')
  }
}

describe('what has failed, and is carried out all the same until its time is over', () => {
  it('a registration: the name is free then', async () => {
    const { lab, stores } = await storesLab((server) => new LosesConnections(server))
    const [one] = lab.members
    lose(stores, true)
    await expect(lab.run(one.names.registerName('ann', lab.spawn(one)))).rejects.toMatchObject({
      code: 'ERR_STORE_UNAVAILABLE',
    })
    lose(stores, false)
    await lab.pass(1_700)
    expect(lab.server.rowOf('ann')).toBeUndefined()
    await lab.pass(150)
    expect(lab.server.rowOf('ann')).toBeDefined()
    await lab.pass(1_200)
    expect(lab.server.rowOf('ann')).toBeUndefined()
    expect(one.names.stats.unreleased).toBe(0)
  })

  it('a refresh of a name that ends: the name is free then', async () => {
    const { lab, stores } = await storesLab((server) => new LosesConnections(server))
    const [one] = lab.members
    const pid = await registerMany(lab, 1)
    lose(stores, true)
    await expect(lab.run(one.names.setMeta('n0', { is: 'late' }))).rejects.toMatchObject({
      code: 'ERR_STORE_UNAVAILABLE',
    })
    lose(stores, false)
    one.node.exit(pid, 'kill')
    await lab.pass(1_700)
    expect(lab.server.rowOf('n0')).toBeUndefined()
    await lab.pass(150)
    expect(lab.server.rowOf('n0')).toBeDefined()
    await lab.pass(1_200)
    expect(lab.server.rowOf('n0')).toBeUndefined()
    expect(one.names.stats.unreleased).toBe(0)
  })

  it('a refresh that is under way when its name ends: the name is free then', async () => {
    const { lab, stores } = await storesLab((server) => new LosesConnections(server))
    const [one] = lab.members
    const pid = await registerMany(lab, 1)
    lose(stores, true, 20)
    const failed = Promise.allSettled([one.names.setMeta('n0', { is: 'late' })])
    await lab.pass(10)
    one.node.exit(pid, 'kill')
    await lab.pass(20)
    lose(stores, false)
    expect(await failed).toMatchObject([{ status: 'rejected', reason: { code: 'ERR_STORE_UNAVAILABLE' } }])
    await lab.pass(1_700)
    expect(lab.server.rowOf('n0')).toBeUndefined()
    await lab.pass(150)
    expect(lab.server.rowOf('n0')).toBeDefined()
    await lab.pass(1_200)
    expect(lab.server.rowOf('n0')).toBeUndefined()
    expect(one.names.stats.unreleased).toBe(0)
  })
})

/** @param afterMs When a call is told */
function lose(stores: readonly LosesConnections[], isLost: boolean, afterMs: number = 0): void {
  for (const store of stores) {
    store.isLost = isLost
    store.afterMs = afterMs
  }
}

describe('names that were given up while the store was away', () => {
  it('and that the same process has again are not given back', async () => {
    const lab = await locationLab()
    const [one, other] = lab.members
    const pid = await registerMany(lab, 300)
    lab.server.isAway = true
    await lab.run(Promise.all(Array.from({ length: 300 }, (_, n) => one.names.unregisterName(`n${n}`))))
    lab.server.isAway = false
    while (lab.server.rows.size === 300) await lab.pass(1)
    expect(lab.server.rows.size).toBeGreaterThan(0)
    expect(await lab.run(one.names.registerName('n299', pid))).toBe('yes')
    for (let ms = 0; ms < TTL_MS; ms += 10) {
      expect(lab.server.rowOf('n299')).toBeDefined()
      await lab.pass(10)
    }
    expect(await lab.run(other.names.registerName('n299', lab.spawn(other)))).toBe('no')
    expect([alive(lab), one.node.isProcessAlive(pid)]).toEqual([1, true])
  })

  it('are given back by a stop that comes while some of them are, all of them', async () => {
    const lab = await locationLab()
    const [{ names }] = lab.members
    await registerMany(lab, 300)
    lab.server.isAway = true
    await lab.run(Promise.all(Array.from({ length: 300 }, (_, n) => names.unregisterName(`n${n}`))))
    lab.server.isAway = false
    while (lab.server.rows.size === 300) await lab.pass(1)
    expect(lab.server.rows.size).toBeGreaterThan(50)
    await lab.run(names.stop())
    expect(lab.server.rows.size).toBe(0)
  })

  it('are free for another process of the node at once, and nothing of the former is left', async () => {
    const lab = await locationLab()
    const [one, other] = lab.members
    const pids = [lab.spawn(one), lab.spawn(one)] as const
    await lab.run(one.names.registerName('ann', pids[0]))
    lab.server.isAway = true
    await lab.run(one.names.unregisterName('ann'))
    await expect(lab.run(one.names.registerName('ann', pids[1]))).rejects.toMatchObject({
      code: 'ERR_STORE_UNAVAILABLE',
    })
    lab.server.isAway = false
    expect(await lab.run(one.names.registerName('ann', pids[1]))).toBe('yes')
    await lab.pass(TTL_MS)
    expect((await lab.run(other.names.resolveName('ann')))?.equals(pids[1])).toBe(true)
  })

  it('are given back though another process of the node has asked for one, and was told that the store is away', async () => {
    const lab = await locationLab()
    const [one, other] = lab.members
    await lab.run(one.names.registerName('ann', lab.spawn(one)))
    lab.server.isAway = true
    await lab.run(one.names.unregisterName('ann'))
    await lab.run(one.names.registerName('ann', lab.spawn(one)).catch(() => 'no'))
    lab.server.isAway = false
    await lab.pass((TTL_MS / 3) * 1.2)
    expect(await lab.run(other.names.registerName('ann', lab.spawn(other)))).toBe('yes')
  })

  it('are forgotten when their time is over', async () => {
    const lab = await locationLab()
    await registerMany(lab, 20)
    const [{ names }] = lab.members
    lab.server.isAway = true
    for (let n = 0; n < 20; n++) await lab.run(names.unregisterName(`n${n}`))
    expect(names.stats.unreleased).toBe(20)
    await lab.pass(TTL_MS * 2)
    expect(names.stats.unreleased).toBe(0)
  })
})

describe('a part of the store', () => {
  it('that is away is no matter to the names in others', async () => {
    let isAway = false
    class Sharded extends FakeStore {
      override async put(rows: readonly LocationRow[]): Promise<readonly Answer<boolean>[]> {
        if (isAway && rows.some(({ name }) => name === 'n0'))
          throw new StoreError('ERR_STORE_UNAVAILABLE', 'it is away')
        return super.put(rows)
      }
    }
    const lab = await locationLab((server) => new Sharded(server))
    await registerMany(lab, 120)
    isAway = true
    await lab.pass(TTL_MS * 2)
    expect(alive(lab)).toBe(119)
    isAway = false
    await lab.pass(TTL_MS)
    expect(alive(lab)).toBe(120)
  })
})

describe('rows that others have locked', () => {
  /** A call that wants one of them waits for it, and fails with all that it wants. */
  class Locked extends FakeStore {
    static readonly locked: Set<string> = new Set()

    override async put(rows: readonly LocationRow[]): Promise<readonly Answer<boolean>[]> {
      if (!rows.some(({ name }) => Locked.locked.has(name))) return super.put(rows)
      await new Promise<void>((resolve) => this.server.clock.setTimer(LOCK_WAIT_MS, resolve))
      throw new StoreError('ERR_STORE_UNAVAILABLE', 'a row is locked')
    }
  }
  const LOCK_WAIT_MS = 100

  async function locked(count: number): Promise<Lab<LocationVia>> {
    const lab = await locationLab((server) => new Locked(server))
    await registerMany(lab, 200)
    for (let n = 0; n < count; n++) Locked.locked.add(`n${(n * 83) % 200}`)
    onTestFinished(() => Locked.locked.clear())
    return lab
  }

  it.each([1, 2, 3, 5])('keep none but themselves from being refreshed: %d of 200', async (count) => {
    const lab = await locked(count)
    let least = 200
    for (let ms = 0; ms < TTL_MS * 6; ms += 50) {
      await lab.pass(50)
      least = Math.min(least, alive(lab))
    }
    expect([least, alive(lab)]).toEqual([200 - count, 200 - count])
    Locked.locked.clear()
    await lab.pass((TTL_MS / 3) * 1.2)
    expect(alive(lab)).toBe(200)
  })

  it('are found, also if they are many, by and by', async () => {
    const lab = await locked(20)
    await lab.pass(TTL_MS * 5)
    for (let ms = 0; ms < TTL_MS * 2; ms += 50) {
      await lab.pass(50)
      expect(alive(lab)).toBe(180)
    }
  })

  it('are not asked for without end where nothing can be written, though the store answers', async () => {
    const lab = await locked(200)
    const before = lab.members[0].names.stats.storeFailures
    await lab.pass(TTL_MS)
    // One after the other, each with its wait, and a pause after each third of the ttl.
    expect(lab.members[0].names.stats.storeFailures - before).toBeLessThan(TTL_MS / LOCK_WAIT_MS)
    Locked.locked.clear()
    await lab.pass(TTL_MS)
    expect(alive(lab)).toBe(200)
  })
})

describe('a store that was away for long', () => {
  it('is told of all names in as many calls as it takes, and not of each by itself', async () => {
    let calls = 0
    class Counting extends FakeStore {
      override put(rows: readonly LocationRow[]): Promise<readonly Answer<boolean>[]> {
        calls++
        return super.put(rows)
      }
    }
    const lab = await locationLab((server) => new Counting(server))
    await registerMany(lab, 400)
    lab.server.isAway = true
    await lab.pass(TTL_MS * 20)
    expect(alive(lab)).toBe(0)
    lab.server.isAway = false
    calls = 0
    while (alive(lab) < 400) await lab.pass(1)
    // Of 50 names each; and one round more may have begun.
    expect(calls).toBeLessThanOrEqual(16)
  })
})

describe('a part of the store that says so for each name', () => {
  it('keeps nobody from a name in another part, though both were asked in one call', async () => {
    const lab = await locationLab()
    const [one, other] = lab.members
    const pid = await registerMany(lab, 3)
    lab.server.isNameAway = (name) => name === 'n0'
    const send = (name: string): Promise<unknown> => other.names.send(name, 1)
    expect(await lab.run(Promise.all(['n0', 'n1', 'n0', 'nobody', 'n2'].map(send)))).toEqual([
      'noconnection',
      'ok',
      'noconnection',
      'noproc',
      'ok',
    ])
    expect(other.names.stats).toMatchObject({ isAvailable: false, storeFailures: 1 })
    await lab.pass(TTL_MS * 2)
    expect(alive(lab)).toBe(2)
    expect(one.names.whereisName('n0')?.equals(pid)).toBe(true)
    lab.server.isNameAway = () => false
    await lab.pass(TTL_MS)
    expect(alive(lab)).toBe(3)
    const lines = lab.cluster.log.lines.filter(({ message }) => message.includes('store of names'))
    expect(lines.length).toBeLessThan(20)
  })
})

describe('a store that is slow', () => {
  it('is asked again a third of the ttl after it was begun to be asked, and not after it has answered', async () => {
    let isSlow = false
    class Slow extends FakeStore {
      override async put(rows: readonly LocationRow[]): Promise<readonly Answer<boolean>[]> {
        // A round takes two thirds of the ttl.
        if (isSlow) await new Promise<void>((resolve) => this.server.clock.setTimer(20, resolve))
        return super.put(rows)
      }
    }
    const lab = await locationLab((server) => new Slow(server))
    const [one] = lab.members
    const pid = lab.spawn(one)
    await lab.run(Promise.all(Array.from({ length: 4_000 }, (_, n) => one.names.registerName(`n${n}`, pid))))
    isSlow = true
    for (let ms = 0; ms < TTL_MS * 4; ms += 100) {
      await lab.pass(100)
      expect(alive(lab)).toBe(4_000)
    }
    const lines = lab.cluster.log.lines.filter(({ message }) => message.includes('give it a longer ttl'))
    expect(lines.length).toBeGreaterThan(0)
  })
})

describe('a store that does not answer', () => {
  it('keeps nobody waiting for longer than two calls take, however many wait, and asks again what the node has to do', async () => {
    let isHanging = false
    class Hanging extends FakeStore {
      override find(names: readonly string[]): Promise<readonly Answer<Uint8Array | undefined>[]> {
        return isHanging ? this.hang() : super.find(names)
      }

      override put(rows: readonly LocationRow[]): Promise<readonly Answer<boolean>[]> {
        return isHanging ? this.hang() : super.put(rows)
      }

      private hang(): Promise<never> {
        return new Promise((_resolve, reject) =>
          this.server.clock.setTimer(this.timeoutMs, () =>
            reject(new StoreError('ERR_STORE_UNAVAILABLE', 'it is away')),
          ),
        )
      }
    }
    const lab = await locationLab((server) => new Hanging(server))
    await registerMany(lab, 1)
    const [one, other] = lab.members
    isHanging = true
    const statuses: unknown[] = []
    const sendMany = (): void => {
      for (let n = 0; n < 1_000; n++) void other.names.send(`m${n}`, 1).then((status) => statuses.push(status))
    }
    sendMany()
    const pid = lab.spawn(one)
    for (let n = 0; n < 1_000; n++) one.names.registerName(`m${n}`, pid).catch(() => statuses.push('refused'))
    await lab.pass(500)
    sendMany()
    await lab.pass(2_000)
    expect(statuses.length).toBe(3_000)
    expect(statuses.every((status) => status === 'noconnection' || status === 'refused')).toBe(true)
    isHanging = false
    await lab.pass(TTL_MS)
    expect(alive(lab)).toBe(1)
    expect(other.names.stats.isAvailable).toBe(false)
    expect(await lab.run(other.names.send('n0', 1))).toBe('ok')
  })
})

describe('metadata', () => {
  it('are not undone by a refresh that is under way', async () => {
    const lab = await locationLab()
    const [one, other] = lab.members
    await lab.run(one.names.registerName('ann', lab.spawn(one), { v: 0 }))
    for (let v = 1; v < 1_500; v++) {
      expect(await lab.run(one.names.setMeta('ann', { v }))).toBe('ok')
      await lab.pass(3)
      expect((await lab.run(other.names.lookup('ann')))?.meta).toEqual({ v })
    }
  })
})

describe('a stop', () => {
  it('does not wait for what others have asked of a store that does not answer, and is one for all who ask', async () => {
    class Hanging extends FakeStore {
      override put(): Promise<readonly Answer<boolean>[]> {
        return new Promise((_resolve, reject) =>
          this.server.clock.setTimer(1_000, () => reject(new StoreError('ERR_STORE_UNAVAILABLE', 'it is away'))),
        )
      }
    }
    const lab = await locationLab((server) => new Hanging(server))
    const [one] = lab.members
    const pid = lab.spawn(one)
    const codes: unknown[] = []
    for (let n = 0; n < 3_000; n++)
      one.names.registerName(`n${n}`, pid).catch((error: { readonly code?: unknown }) => codes.push(error.code))
    await lab.pass(1_500)
    const startMs = lab.cluster.clock.monotonicMs()
    const both = [one.names.stop(), one.names.stop()]
    expect(both[0]).toBe(both[1])
    await lab.run(Promise.all(both))
    expect(lab.cluster.clock.monotonicMs() - startMs).toBeLessThan(1_100)
    expect(codes).toEqual(Array.from({ length: 3_000 }, () => 'ERR_STORE_UNAVAILABLE'))
  })

  it('ends also if the store hangs for ever, or its driver throws', async () => {
    class Broken extends FakeStore {
      override release(): Promise<never> {
        return new Promise(() => undefined)
      }

      override stop(): Promise<void> {
        throw new Error('no')
      }
    }
    const lab = await locationLab((server) => new Broken(server))
    await registerMany(lab, 3)
    await expect(lab.run(lab.members[0].names.stop())).resolves.toBeUndefined()
    await expect(lab.run(lab.members[0].node.stop())).resolves.toBeUndefined()
  })
})

describe('a start while the node stops', () => {
  it.each(['a location database', 'one with a channel', 'pub-sub'])(
    'of %s fails, and leaves nothing behind',
    async (kind) => {
      const cluster = new TestCluster({ seed: 1 })
      onTestFinished(() => cluster.stop())
      const server = new FakeServer(cluster.clock)
      const node = await cluster.start('a')
      const [store, broker] = [new FakeStore(server), new FakeBroker(server, true)]
      const starting =
        kind === 'pub-sub'
          ? BroadcastVia.start(node, { broker })
          : LocationVia.start(node, { store, ...(kind === 'one with a channel' && { channel: broker }) })
      const failed = starting.then(
        () => 'started',
        (error: { readonly code?: unknown }) => error.code,
      )
      const stopped = node.stop()
      expect(await cluster.run(failed)).toBe('ERR_NODE_STOPPED')
      await cluster.run(stopped)
      await cluster.advance(1_000)
      expect([server.brokers.size, store.isStopped || kind === 'pub-sub']).toEqual([0, true])
    },
  )
})

describe('two scopes', () => {
  it('on one broker are none of each other’s business', async () => {
    const lab = await startLab((node, server) =>
      LocationVia.start(node, { store: new FakeStore(server), channel: new FakeBroker(server, true), scope: 'x' }),
    )
    onTestFinished(() => lab.cluster.stop())
    const [one, other] = lab.members
    const store = new FakeStore(new FakeServer(lab.cluster.clock))
    const channel = new FakeBroker(lab.server, true)
    await lab.run(LocationVia.start(one.node, { store, channel, scope: 'y' }))
    const got: unknown[] = []
    await lab.run(one.names.registerName('ann', lab.spawn(one, got)))
    await lab.run(other.names.send('ann', 1))
    await lab.pass(50)
    expect(got).toEqual([1])
  })
})

describe('pub-sub', () => {
  it('leaves a channel later that it could not leave at once', async () => {
    const lab = await startLab((node, server) => BroadcastVia.start(node, { broker: new FakeBroker(server, true) }))
    onTestFinished(() => lab.cluster.stop())
    const [one, other] = lab.members
    const pid = lab.spawn(one)
    await lab.run(one.names.registerName('ann', pid))
    lab.server.isAway = true
    one.node.exit(pid, 'kill')
    await lab.pass(5_000)
    lab.server.isAway = false
    await lab.pass(1_100)
    expect(await lab.run(other.names.send('ann', 1))).toBe('noproc')
  })

  it('does not take a second registration for the first one, whose channel was not to be had', async () => {
    const lab = await startLab((node, server) => BroadcastVia.start(node, { broker: new FakeBroker(server, true) }))
    onTestFinished(() => lab.cluster.stop())
    const [one] = lab.members
    const pid = lab.spawn(one)
    lab.server.isAway = true
    const first = one.names.registerName('ann', pid).catch(() => 'failed')
    const left = one.names.unregisterName('ann')
    const second = one.names.registerName('ann', pid)
    await lab.pass(1)
    lab.server.isAway = false
    expect(await lab.run(Promise.all([first, left, second]))).toEqual(['failed', 'ok', 'yes'])
    expect(one.names.whereisName('ann')?.equals(pid)).toBe(true)
  })
})

describe('20,000 names of one process', () => {
  it('are held and let go in a time that grows with them and not with their square', async () => {
    const lab = await locationLab(undefined, { maxPending: 100_000 })
    const [one] = lab.members
    const timeOf = async (count: number): Promise<number> => {
      const pid = lab.spawn(one)
      const startMs = performance.now()
      await lab.run(Promise.all(Array.from({ length: count }, (_, n) => one.names.registerName(`${count} ${n}`, pid))))
      one.node.exit(pid, 'kill')
      await lab.pass(1_000)
      return performance.now() - startMs
    }
    const ratios: number[] = []
    // Something else may run beside one of them, and not beside all.
    for (let attempt = 0; attempt < 3; attempt++) {
      const few = await timeOf(2_000)
      ratios.push((await timeOf(20_000)) / few)
    }
    // Ten times as many: a hundred times as long if it were the square.
    expect(Math.min(...ratios)).toBeLessThan(40)
    expect(lab.server.rows.size).toBe(0)
  })
})
