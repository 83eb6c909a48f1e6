/**
 * PURPOSE: a location database under faults: the store away, slow to come back, or without what it had; nodes that crash; names that were taken by others meanwhile.
 */
import { LocationVia, StoreError, type Answer, type LocationRow, type TakenLocation } from '@pidmesh/via-kit'
import { describe, expect, it, onTestFinished } from 'vitest'
import { FakeBroker, FakeStore } from '@pidmesh/via-kit/testing'
import { locationLab, startLab, storesLab, type Lab } from './lab.ts'

const TTL_MS = 3_000

/** Takes nothing. */
class DumbBroker extends FakeBroker {
  override publish(): Promise<never> {
    return Promise.reject(new StoreError('ERR_STORE_UNAVAILABLE', 'the broker is away'))
  }
}

/** Does what it is asked, and answers too late. */
class LateStore extends FakeStore {
  isLate = false

  override async put(rows: readonly LocationRow[]): Promise<readonly Answer<boolean>[]> {
    return this.answer(await super.put(rows))
  }

  override async take(rows: readonly LocationRow[]): Promise<readonly Answer<TakenLocation>[]> {
    return this.answer(await super.take(rows))
  }

  private answer<T>(answer: T): T {
    if (this.isLate) throw new StoreError('ERR_STORE_UNAVAILABLE', 'it has not answered in time')
    return answer
  }
}

/** Does what it is asked at once, and its answer is on its way for so long. */
class FarStore extends FakeStore {
  wayMs = 0

  override async put(rows: readonly LocationRow[]): Promise<readonly Answer<boolean>[]> {
    return this.arrived(await super.put(rows))
  }

  override async take(rows: readonly LocationRow[]): Promise<readonly Answer<TakenLocation>[]> {
    return this.arrived(await super.take(rows))
  }

  private arrived<T>(answer: T): Promise<T> {
    return new Promise((resolve) => this.server.clock.setTimer(this.wayMs, () => resolve(answer)))
  }
}

class TerseStore extends FakeStore {
  override find(): Promise<readonly []> {
    return Promise.resolve([])
  }
}

async function registered(lab: Lab<LocationVia>, name: string, index: 0 | 1 = 0, got: unknown[] = []) {
  const member = lab.members[index]
  const pid = lab.spawn(member, got)
  expect(await lab.run(member.names.registerName(name, pid))).toBe('yes')
  return pid
}

describe('while the store is away', () => {
  it('a push to another node says that it was not sent, one to this node goes', async () => {
    const lab = await locationLab()
    const got: unknown[] = []
    await registered(lab, 'ann', 0, got)
    lab.server.isAway = true
    const [one, other] = lab.members
    expect(await lab.run(other.names.send('ann', 1))).toBe('noconnection')
    expect(await lab.run(one.names.send('ann', 2))).toBe('ok')
    await lab.cluster.settle()
    expect(got).toEqual([2])
    expect(other.names.stats).toMatchObject({ isAvailable: false, failed: 1, pending: 0 })
  })

  it('nobody gets a name, and a name that may have been written is given back', async () => {
    const { lab, stores } = await storesLab((server) => new LateStore(server))
    const [one, other] = lab.members
    for (const store of stores) store.isLate = true
    const registering = one.names.registerName('ann', lab.spawn(one))
    await expect(lab.run(registering)).rejects.toMatchObject({ code: 'ERR_STORE_UNAVAILABLE' })
    expect([one.names.whereisName('ann'), lab.server.rows.size]).toEqual([undefined, 1])
    for (const store of stores) store.isLate = false
    await lab.pass(TTL_MS / 2)
    expect(await lab.run(other.names.registerName('ann', lab.spawn(other)))).toBe('yes')
  })

  it('names stay, and are given up, and all of that is in the store when it is back', async () => {
    const lab = await locationLab()
    const [one, other] = lab.members
    const kept = await registered(lab, 'kept')
    await registered(lab, 'left')
    const ended = await registered(lab, 'ended')
    lab.server.isAway = true
    expect(await lab.run(one.names.unregisterName('left'))).toBe('ok')
    one.node.exit(ended, 'kill')
    await lab.pass(TTL_MS / 2)
    expect(one.names.whereisName('kept')?.equals(kept)).toBe(true)
    lab.server.isAway = false
    await lab.pass(TTL_MS / 2)
    expect((await lab.run(other.names.resolveName('kept')))?.equals(kept)).toBe(true)
    for (const name of ['left', 'ended']) expect(await lab.run(other.names.resolveName(name)), name).toBeUndefined()
  })

  it('metadata that could not be written keeps a name from nothing: it is back with the others, and with it', async () => {
    const lab = await locationLab()
    const [one] = lab.members
    await registered(lab, 'ann')
    await registered(lab, 'bob')
    lab.server.isAway = true
    await lab.pass(TTL_MS)
    await expect(lab.run(one.names.setMeta('ann', { seat: 7 }))).rejects.toMatchObject({
      code: 'ERR_STORE_UNAVAILABLE',
    })
    lab.server.rows.clear()
    lab.server.isAway = false
    while (lab.server.rowOf('bob') === undefined) await lab.pass(1)
    expect(lab.server.rowOf('ann')).toBeDefined()
    expect(await lab.run(lab.members[1].names.lookup('ann'))).toMatchObject({ meta: { seat: 7 } })
  })

  it('no more wait for it than may, and the others are told so at once', async () => {
    const lab = await locationLab(undefined, { maxPending: 100 })
    const { names } = lab.members[1]
    const statuses = await lab.run(Promise.all(Array.from({ length: 150 }, () => names.send('nobody', 1))))
    expect(statuses.filter((status) => status === 'noproc')).toHaveLength(100)
    expect(statuses.filter((status) => status === 'noconnection')).toHaveLength(50)
    expect(names.stats.pending).toBe(0)
    expect(await lab.run(names.send('nobody', 1))).toBe('noproc')
  })

  it('what is to be given back later is no more than may wait', async () => {
    const lab = await locationLab(undefined, { maxPending: 10 })
    const { names } = lab.members[0]
    lab.server.isAway = true
    const pid = lab.spawn(lab.members[0])
    for (let n = 0; n < 30; n++) await lab.run(names.registerName(`n${n}`, pid).catch(() => 'no'))
    expect(names.stats.unreleased).toBe(10)
    lab.server.isAway = false
    await lab.pass(TTL_MS)
    expect(names.stats.unreleased).toBe(0)
  })

  it('is said once in the log, and once when it is back', async () => {
    const lab = await locationLab()
    await registered(lab, 'ann')
    lab.server.isAway = true
    for (let n = 0; n < 5; n++) await lab.run(lab.members[0].names.send('x', 1))
    await lab.pass(TTL_MS)
    lab.server.isAway = false
    await lab.pass(TTL_MS)
    const lines = lab.cluster.log.lines.map(({ message }) => message).filter((text) => text.includes('store of names'))
    expect(lines).toEqual(['the store of names does not answer', 'the store of names is back'])
  })
})

describe('a store that has lost what it had', () => {
  it('has it again within a third of the ttl: the owners write it', async () => {
    const lab = await locationLab()
    const pid = await registered(lab, 'ann')
    lab.server.lose()
    expect(await lab.run(lab.members[1].names.send('ann', 1))).toBe('noproc')
    await lab.pass(TTL_MS / 2)
    expect((await lab.run(lab.members[1].names.resolveName('ann')))?.equals(pid)).toBe(true)
  })

  it('and gives a name to another meanwhile: the one who had it gives way', async () => {
    const lab = await locationLab()
    const [one, other] = lab.members
    const former = await registered(lab, 'ann')
    lab.server.lose()
    const newer = await registered(lab, 'ann', 1)
    await lab.pass(TTL_MS / 2)
    expect(one.node.isProcessAlive(former)).toBe(false)
    expect((await lab.run(one.names.resolveName('ann')))?.equals(newer)).toBe(true)
    expect(one.names.stats).toMatchObject({ names: 0, lost: 1 })
    expect(other.names.stats.lost).toBe(0)
  })
})

describe('a node that crashes', () => {
  it('leaves ghosts for no longer than the ttl', async () => {
    const lab = await locationLab()
    const { names } = lab.members[1]
    await registered(lab, 'ann')
    lab.cluster.crash('a')
    await lab.pass(100)
    expect(await lab.run(names.send('ann', 1))).toBe('noconnection')
    expect(await lab.run(names.registerName('ann', lab.spawn(lab.members[1])))).toBe('no')
    await lab.pass(TTL_MS)
    expect(await lab.run(names.send('ann', 1))).toBe('noproc')
    await registered(lab, 'ann', 1)
  })
})

describe('names of a living process', () => {
  it('hold for as long as it lives, however long that is', async () => {
    const lab = await locationLab()
    const pid = await registered(lab, 'ann')
    for (let n = 0; n < 20; n++) {
      await lab.pass(TTL_MS / 2)
      expect((await lab.run(lab.members[1].names.resolveName('ann')))?.equals(pid)).toBe(true)
    }
  })

  it('are refreshed in batches', async () => {
    const lab = await locationLab()
    const { node, names } = lab.members[0]
    const pid = lab.spawn(lab.members[0])
    await lab.run(Promise.all(Array.from({ length: 500 }, (_, n) => names.registerName(`n${n}`, pid))))
    const before = lab.server.calls
    await lab.pass(TTL_MS)
    // Ten batches, three times, and what the other node asks.
    expect(lab.server.calls - before).toBeLessThan(50)
    expect(lab.server.calls - before).toBeGreaterThan(20)
    node.exit(pid, 'kill')
    await lab.pass(100)
    expect(lab.server.rows.size).toBe(0)
  })

  it('are given back when its node stops, or leaves the store', async () => {
    const lab = await locationLab()
    const [one, other] = lab.members
    await registered(lab, 'of a')
    const pid = await registered(lab, 'of b', 1)
    await lab.run(other.names.stop())
    expect([...lab.server.rows.keys()]).toEqual(['of a'])
    expect(other.node.isProcessAlive(pid)).toBe(true)
    await lab.run(one.node.stop())
    await lab.pass(100)
    expect(lab.server.rows.size).toBe(0)
  })
})

it('a takeover that has failed is given back, if it has come to the store all the same', async () => {
  const { lab, stores } = await storesLab((server) => new LateStore(server))
  const [one] = lab.members
  for (const store of stores) store.isLate = true
  const taking = one.names.takeover('ann', lab.spawn(one))
  await expect(lab.run(taking)).rejects.toMatchObject({ code: 'ERR_STORE_UNAVAILABLE' })
  expect(lab.server.rows.size).toBe(1)
  for (const store of stores) store.isLate = false
  await lab.pass(TTL_MS / 2)
  expect(lab.server.rows.size).toBe(0)
})

it('no more than 10,000 calls wait for the store, if nobody has said otherwise', async () => {
  const lab = await locationLab()
  const { names } = lab.members[0]
  const asked = Array.from({ length: 10_000 }, () => names.resolveName('ann').catch(() => undefined))
  await expect(names.resolveName('ann')).rejects.toMatchObject({ code: 'ERR_STORE_OVERLOADED' })
  expect([asked.length, names.stats.pending]).toEqual([10_000, 10_000])
})

describe('who has lost a name to a takeover', () => {
  it('and does not end of it, is killed', async () => {
    const lab = await locationLab()
    const [one, other] = lab.members
    const stubborn = one.node.spawn(
      async (self) => {
        for (;;) await self.receive()
      },
      { trapExit: true },
    )
    await lab.run(one.names.registerName('ann', stubborn))
    await lab.run(other.names.takeover('ann', lab.spawn(other)))
    await lab.pass(1_000)
    expect(one.node.isProcessAlive(stubborn)).toBe(true)
    expect(one.names.whereisName('ann')).toBeUndefined()
    await lab.pass(5_000)
    expect(one.node.isProcessAlive(stubborn)).toBe(false)
    const kills = lab.cluster.log.lines.filter(
      ({ message }) => message === 'who has lost a name has not ended: it is killed',
    )
    expect(kills.map(({ level, fields }) => [level, fields['loser']])).toEqual([['warn', stubborn.toString()]])
  })

  it('and is still there when its node gives up all names, is left alone', async () => {
    const lab = await locationLab()
    const [one, other] = lab.members
    const stubborn = one.node.spawn(
      async (self) => {
        for (;;) await self.receive()
      },
      { trapExit: true },
    )
    await lab.run(one.names.registerName('ann', stubborn))
    await lab.run(other.names.takeover('ann', lab.spawn(other)))
    await lab.pass(1_000)
    expect(one.names.stats.lost).toBe(1)
    await lab.run(one.names.stop())
    await lab.pass(10_000)
    expect(one.node.isProcessAlive(stubborn)).toBe(true)
  })

  it('and whose node stops meanwhile, is not looked after any more', async () => {
    const lab = await locationLab()
    const [one, other] = lab.members
    await registered(lab, 'ann')
    await lab.run(other.names.takeover('ann', lab.spawn(other)))
    await lab.pass(100)
    await lab.run(one.node.stop())
    await expect(lab.pass(10_000)).resolves.toBeUndefined()
  })

  it('and the answer came too late: the name is given back, and stays with who had it', async () => {
    const { lab, stores } = await storesLab((server) => new LateStore(server))
    const [one] = lab.members
    const former = await registered(lab, 'ann')
    for (const store of stores) store.isLate = true
    const taking = one.names.takeover('ann', lab.spawn(one))
    await expect(lab.run(taking)).rejects.toMatchObject({ code: 'ERR_STORE_UNAVAILABLE' })
    for (const store of stores) store.isLate = false
    await lab.pass(TTL_MS)
    expect((await lab.run(lab.members[1].names.resolveName('ann')))?.equals(former)).toBe(true)
  })

  it.each(['registerName', 'takeover'] as const)(
    'and hears of it before the answer to its own %s has come, gives way as soon as that has',
    async (call) => {
      const { lab, stores } = await storesLab((server) => new FarStore(server))
      const [one, other] = lab.members
      // Also where another process of the node has the name meanwhile, and is looked after.
      const former = call === 'takeover' ? await registered(lab, 'ann') : undefined
      const loser = lab.spawn(one)
      for (const store of stores.slice(0, 1)) store.wayMs = 500
      const answer = one.names[call]('ann', loser)
      await lab.pass(100)
      const winner = lab.spawn(other)
      await lab.run(other.names.takeover('ann', winner))
      await lab.run<unknown>(answer)
      for (const store of stores) store.wayMs = 0
      // Long before the next refresh.
      await lab.pass(20)
      for (const pid of [former, loser]) expect(pid !== undefined && one.node.isProcessAlive(pid)).toBe(false)
      expect((await lab.run(one.names.resolveName('ann')))?.equals(winner)).toBe(true)
    },
  )

  it('over a channel that fails, has lost it: the takeover says so, and it is told by its next refresh', async () => {
    const lab = await startLab((node, server) =>
      LocationVia.start(node, { store: new FakeStore(server), channel: new DumbBroker(server, true) }),
    )
    onTestFinished(() => lab.cluster.stop())
    const [one, other] = lab.members
    const former = await registered(lab, 'ann')
    expect(await lab.run(other.names.takeover('ann', lab.spawn(other)))).toBeGreaterThan(0)
    await lab.pass(TTL_MS / 2)
    expect(one.node.isProcessAlive(former)).toBe(false)
  })
})

describe('a driver', () => {
  it('that answers less than it was asked is not taken for one that knows nobody', async () => {
    const lab = await startLab((node, server) => LocationVia.start(node, { store: new TerseStore(server) }))
    onTestFinished(() => lab.cluster.stop())
    await registered(lab, 'ann')
    expect(await lab.run(lab.members[1].names.send('ann', 1))).toBe('noconnection')
  })
})

describe('a start', () => {
  it('fails if the store is away, and leaves nothing behind', async () => {
    const lab = await locationLab()
    lab.server.isAway = true
    const { node } = lab.members[0]
    const store = new FakeStore(lab.server)
    await expect(lab.run(LocationVia.start(node, { store, scope: 'x' }))).rejects.toMatchObject({
      code: 'ERR_STORE_UNAVAILABLE',
    })
    expect(store.isStopped).toBe(true)
    lab.server.isAway = false
    await lab.run(LocationVia.start(node, { store: new FakeStore(lab.server), scope: 'x' }))
  })
})

describe('a registration that is under way', () => {
  it('comes to nothing if the name is unregistered meanwhile, and the name is free', async () => {
    const lab = await locationLab()
    const [one, other] = lab.members
    const registering = one.names.registerName('ann', lab.spawn(one))
    expect(await lab.run(one.names.unregisterName('ann'))).toBe('ok')
    expect(await lab.run(registering)).toBe('no')
    await lab.pass(10)
    expect([one.names.whereisName('ann'), lab.server.rows.size]).toEqual([undefined, 0])
    expect(await lab.run(other.names.registerName('ann', lab.spawn(other)))).toBe('yes')
  })

  it('is none of the business of another process that gives the name back', async () => {
    const lab = await locationLab()
    const [one] = lab.members
    const registering = one.names.registerName('ann', lab.spawn(one))
    await lab.run(one.names.unregisterName('ann', lab.spawn(one)))
    expect(await lab.run(registering)).toBe('yes')
  })
})

describe('a takeover that is under way', () => {
  it('comes to nothing if the name is unregistered meanwhile, and the name is free', async () => {
    const lab = await locationLab()
    const [one, other] = lab.members
    for (const pid of [await registered(lab, 'ann'), lab.spawn(one)]) {
      const taking = one.names.takeover('ann', pid)
      expect(await lab.run(one.names.unregisterName('ann'))).toBe('ok')
      expect(await lab.run(taking)).toBeUndefined()
      await lab.pass(10)
      expect([one.names.whereisName('ann'), lab.server.rows.size]).toEqual([undefined, 0])
    }
    expect(await lab.run(other.names.registerName('ann', lab.spawn(other)))).toBe('yes')
  })

  it('and is called off, leaves the name with who had it, on whatever node', async () => {
    const lab = await locationLab()
    const [one, other] = lab.members
    for (const index of [0, 1] as const) {
      const name = `ann${index}`
      const former = await registered(lab, name, index)
      const taker = lab.spawn(one)
      const taking = one.names.takeover(name, taker)
      await lab.run(one.names.unregisterName(name, taker))
      expect(await lab.run(taking)).toBeUndefined()
      await lab.pass(100)
      expect(lab.members[index].names.whereisName(name)?.equals(former)).toBe(true)
      const there = index === 0 ? other : one
      expect((await lab.run(there.names.resolveName(name)))?.equals(former)).toBe(true)
    }
  })

  it('is none of the business of another process that gives the name back', async () => {
    const lab = await locationLab()
    const [one] = lab.members
    const taking = one.names.takeover('ann', lab.spawn(one))
    await lab.run(one.names.unregisterName('ann', lab.spawn(one)))
    expect(await lab.run(taking)).toBeGreaterThan(0)
  })

  it('does not undo metadata that is set meanwhile, and sets what it was given after that', async () => {
    const lab = await locationLab()
    const [one, other] = lab.members
    const pid = await registered(lab, 'ann')
    const metas = async (): Promise<unknown> => {
      const here = (await lab.run(one.names.lookup('ann')))?.meta
      return [here, (await lab.run(other.names.lookup('ann')))?.meta]
    }
    const taking = one.names.takeover('ann', pid, { meta: { by: 'takeover' } })
    const setting = one.names.setMeta('ann', { by: 'setMeta' })
    await lab.run(Promise.all([taking, setting]))
    expect(await metas()).toEqual([{ by: 'setMeta' }, { by: 'setMeta' }])
    await lab.pass(TTL_MS)
    expect(await metas()).toEqual([{ by: 'setMeta' }, { by: 'setMeta' }])
    const first = one.names.takeover('ann', pid, { meta: { by: 'first' } })
    const second = one.names.takeover('ann', pid, { meta: { by: 'second' } })
    await lab.run(Promise.all([first, second]))
    await lab.pass(TTL_MS)
    expect(await metas()).toEqual([{ by: 'second' }, { by: 'second' }])
  })
})
