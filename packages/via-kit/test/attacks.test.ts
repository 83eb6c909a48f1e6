/**
 * PURPOSE: what a second attacker has found in names in a store, one rule each.
 */
import { BroadcastVia, LocationVia, type Answer, type LocationRow, type TakenLocation } from '@pidmesh/via-kit'
import { FakeBroker, FakeStore } from '@pidmesh/via-kit/testing'
import { PidmeshError } from '@pidmesh/runtime'
import { describe, expect, it, onTestFinished } from 'vitest'
import { alive, away, locationLab, registerMany, startLab, storesLab } from './lab.ts'

const TTL_MS = 3_000

/** A takeover is done, and its answer lost. */
class LosesTakes extends FakeStore {
  isLosing = false

  override async take(rows: readonly LocationRow[]): Promise<readonly Answer<TakenLocation>[]> {
    const answers = await super.take(rows)
    if (this.isLosing) throw away()
    return answers
  }
}

describe('batches', () => {
  it('are as large with registers and unregisters in turn as with registers alone', async () => {
    const callsOf = async (isMixed: boolean): Promise<number> => {
      const lab = await locationLab()
      const [one] = lab.members
      const pid = await registerMany(lab, 1_600)
      const before = lab.server.calls
      const answers: unknown[] = []
      let given = 0
      for (let ms = 0; ms < 4_000; ms += 10) {
        for (let k = 0; k < 4; k++) {
          void one.names.registerName(`new${ms}-${k}`, pid).then((answer) => answers.push(answer))
          if (isMixed) void one.names.unregisterName(`n${given++}`)
        }
        await lab.pass(10)
      }
      await lab.pass(1_000)
      expect(answers).toEqual(Array.from({ length: 1_600 }, () => 'yes'))
      return lab.server.calls - before
    }
    expect(await callsOf(true)).toBeLessThan(3 * (await callsOf(false)))
  })

  it('keep the order of a name', async () => {
    const lab = await locationLab()
    const [one, other] = lab.members
    const pid = lab.spawn(one)
    const answers: unknown[] = []
    for (let n = 0; n < 20; n++) {
      void one.names.registerName('ann', pid).then((answer) => answers.push(answer))
      void one.names.registerName(`else${n}`, pid)
      await lab.pass(7)
      void one.names.unregisterName('ann')
    }
    expect(await lab.run(one.names.registerName('ann', pid))).toBe('yes')
    await lab.pass(TTL_MS)
    expect(answers).toEqual(Array.from({ length: 20 }, () => 'yes'))
    expect((await lab.run(other.names.resolveName('ann')))?.equals(pid)).toBe(true)
  })

  it('in which one row can not be written do not keep the others from being refreshed', async () => {
    let isLocked = false
    class Locked extends FakeStore {
      override async put(rows: readonly LocationRow[]): Promise<readonly Answer<boolean>[]> {
        if (isLocked && rows.some(({ name }) => name === 'n17' || name === 'n40')) {
          await new Promise<void>((resolve) => this.server.clock.setTimer(50, resolve))
          throw away()
        }
        return super.put(rows)
      }
    }
    const lab = await locationLab((server) => new Locked(server))
    const [, other] = lab.members
    await registerMany(lab, 50)
    isLocked = true
    for (let ms = 0; ms < 3 * TTL_MS; ms += 100) {
      await lab.pass(100)
      expect(alive(lab)).toBeGreaterThanOrEqual(48)
    }
    expect(await lab.run(other.names.registerName('n5', lab.spawn(other)))).toBe('no')
    isLocked = false
    await lab.pass(TTL_MS)
    expect(alive(lab)).toBe(50)
  })

  it('are not many more when one name can not be refreshed', async () => {
    const written: string[] = []
    class Counting extends FakeStore {
      override put(rows: readonly LocationRow[]): Promise<readonly Answer<boolean>[]> {
        written.push(...rows.map(({ name }) => name))
        return super.put(rows)
      }
    }
    const lab = await locationLab((server) => new Counting(server))
    await registerMany(lab, 500)
    const writtenIn = async (ms: number): Promise<number> => {
      written.length = 0
      await lab.pass(ms)
      return written.length
    }
    const healthy = await writtenIn(20_000)
    lab.server.isNameAway = (name) => name === 'n0'
    expect(await writtenIn(20_000)).toBeLessThan(1.2 * healthy)
  })
})

describe('a process that has the only claim to a name', () => {
  it.each(['itself', 'another one of its node'])('keeps it if the answer to a takeover by %s is lost', async (by) => {
    const { lab, stores } = await storesLab((server) => new LosesTakes(server))
    const [one, other] = lab.members
    const pid = lab.spawn(one)
    await lab.run(one.names.registerName('ann', pid))
    for (const store of stores) store.isLosing = true
    await expect(lab.run(one.names.takeover('ann', by === 'itself' ? pid : lab.spawn(one)))).rejects.toMatchObject({
      code: 'ERR_STORE_UNAVAILABLE',
    })
    for (const store of stores) store.isLosing = false
    expect(await lab.run(one.names.setMeta('ann', { v: 1 }))).toBe('ok')
    await lab.pass(2 * TTL_MS)
    expect(one.node.isProcessAlive(pid)).toBe(true)
    expect(await lab.run(other.names.lookup('ann'))).toMatchObject({ meta: { v: 1 } })
    expect(await lab.run(other.names.registerName('ann', lab.spawn(other)))).toBe('no')
  })

  it('is not killed while a takeover by another one is under way; when it is done it gives way', async () => {
    const lab = await locationLab()
    const [one] = lab.members
    const [first, second] = [lab.spawn(one), lab.spawn(one)]
    await lab.run(one.names.registerName('ann', first))
    const taking = one.names.takeover('ann', second)
    void one.names.setMeta('ann', { v: 1 }).catch(() => undefined)
    expect(await lab.run(taking)).toBeDefined()
    await lab.pass(TTL_MS)
    expect([one.node.isProcessAlive(first), one.node.isProcessAlive(second)]).toEqual([false, true])
    expect(one.names.whereisName('ann')?.equals(second)).toBe(true)
  })

  it('keeps it if the store is back in an older state, in which it had the name by an earlier registration', async () => {
    const lab = await locationLab()
    const [one, other] = lab.members
    const pid = lab.spawn(one)
    await lab.run(one.names.registerName('ann', pid))
    const older = new Map(lab.server.rows)
    await lab.run(one.names.unregisterName('ann'))
    await lab.run(one.names.registerName('ann', pid))
    lab.server.lose()
    for (const [name, row] of older) lab.server.rows.set(name, row)
    await lab.pass(TTL_MS)
    expect(one.node.isProcessAlive(pid)).toBe(true)
    await lab.run(one.names.unregisterName('ann'))
    expect(await lab.run(other.names.registerName('ann', lab.spawn(other)))).toBe('yes')
  })

  it.each(['a refresh', 'setMeta'])(
    'and gives it up while %s finds an earlier registration in its place, leaves nothing behind',
    async (what) => {
      let onFind = (): void => undefined
      class Observed extends FakeStore {
        override find(names: readonly string[]): Promise<readonly Answer<Uint8Array | undefined>[]> {
          onFind()
          return super.find(names)
        }
      }
      const lab = await locationLab((server) => new Observed(server))
      const [one] = lab.members
      const pid = lab.spawn(one)
      await lab.run(one.names.registerName('ann', pid))
      const older = new Map(lab.server.rows)
      await lab.run(one.names.unregisterName('ann'))
      await lab.run(one.names.registerName('ann', pid))
      for (const [name, row] of older) lab.server.rows.set(name, row)
      let left: Promise<unknown> | undefined
      onFind = () => {
        left ??= one.names.unregisterName('ann')
      }
      if (what === 'setMeta') expect(await lab.run(one.names.setMeta('ann', { v: 1 }))).toBe('error')
      else await lab.pass(TTL_MS / 2)
      expect(await lab.run(left ?? expect.fail('nothing was found'))).toBe('ok')
      await lab.pass(10)
      expect([one.names.whereisName('ann'), lab.server.rows.size]).toEqual([undefined, 0])
    },
  )

  it('keeps it if what it has had in another table of its node is given back late', async () => {
    let isLate = false
    const late: (() => void)[] = []
    class Late extends FakeStore {
      override release(rows: readonly LocationRow[]): Promise<readonly Answer<true>[]> {
        if (!isLate) return super.release(rows)
        late.push(() => {
          for (const { name, owner } of rows)
            if (this.server.rows.get(name)?.owner === owner) this.server.rows.delete(name)
        })
        return Promise.reject(away())
      }
    }
    const lab = await locationLab((server) => new Late(server))
    const [one, other] = lab.members
    const pid = lab.spawn(one)
    await lab.run(one.names.registerName('ann', pid))
    isLate = true
    await lab.run(one.names.stop())
    isLate = false
    const again = await lab.run(LocationVia.start(one.node, { store: new Late(lab.server) }))
    for (let ms = 0; (await lab.run(again.registerName('ann', pid))) !== 'yes'; ms += 100) {
      expect(ms).toBeLessThan(2 * TTL_MS)
      await lab.pass(100)
    }
    for (const release of late) release()
    await lab.pass(5)
    expect(await lab.run(other.names.registerName('ann', lab.spawn(other)))).toBe('no')
  })
})

it('a name that was given up while the store was away is nobody’s on its own node, also as long as the store has it', async () => {
  const lab = await locationLab()
  const [one] = lab.members
  const got: unknown[] = []
  await lab.run(one.names.registerName('ann', lab.spawn(one, got)))
  lab.server.isAway = true
  await lab.run(one.names.unregisterName('ann'))
  lab.server.isAway = false
  expect(lab.server.rowOf('ann')).toBeDefined()
  expect(await lab.run(one.names.send('ann', 1))).toBe('noproc')
  await lab.cluster.settle()
  expect(got).toEqual([])
})

describe('a node that comes back under its name', () => {
  it('has the names at once that its processes had in its earlier life', async () => {
    const lab = await locationLab()
    const [one, other] = lab.members
    await lab.run(one.names.registerName('ann', lab.spawn(one)))
    const row = lab.server.rowOf('ann')
    await lab.run(one.node.stop())
    // It was killed: nothing was given back.
    if (row !== undefined) lab.server.rows.set('ann', row)
    const node = await lab.cluster.start('a')
    const names = await lab.run(LocationVia.start(node, { store: new FakeStore(lab.server) }))
    expect(await lab.run(other.names.registerName('ann', lab.spawn(other)))).toBe('no')
    expect(await lab.run(names.send('ann', 1))).toBe('noproc')
    expect(await lab.run(names.registerName('ann', lab.spawn({ node, names })))).toBe('yes')
  })
})

describe('a stop', () => {
  it('of the node gives all names back before it resolves', async () => {
    const lab = await locationLab()
    await registerMany(lab, 300)
    await lab.run(lab.members[0].node.stop())
    expect(lab.server.rows.size).toBe(0)
  })

  it('leaves no row but those in a part of the store that is away', async () => {
    const lab = await locationLab()
    await registerMany(lab, 200)
    lab.server.isNameAway = (name) => name === 'n0'
    await lab.run(lab.members[0].names.stop())
    expect([...lab.server.rows.keys()]).toEqual(['n0'])
  })

  it.each([0, 1, 2, 3, 4])('leaves no row of what was asked for %d ms before', async (ms) => {
    for (const how of ['registerName', 'takeover'] as const) {
      const lab = await locationLab()
      const [one] = lab.members
      one.names[how]('ann', lab.spawn(one)).catch(() => undefined)
      await lab.pass(ms)
      await lab.run(one.names.stop())
      expect(lab.server.rows.size, how).toBe(0)
    }
  })

  it('gives back what could not be given back before', async () => {
    const lab = await locationLab()
    const [one] = lab.members
    await registerMany(lab, 1)
    lab.server.isAway = true
    await lab.run(one.names.unregisterName('n0'))
    lab.server.isAway = false
    await lab.run(one.names.stop())
    expect(lab.server.rows.size).toBe(0)
  })

  it('leaves no timer behind', async () => {
    const lab = await locationLab()
    const [, other] = lab.members
    await registerMany(lab, 2)
    await lab.run(other.names.takeover('n0', lab.spawn(other)))
    for (const { node } of lab.members) await lab.run(node.stop())
    const startMs = lab.cluster.clock.monotonicMs()
    await lab.cluster.settle()
    expect(lab.cluster.clock.monotonicMs() - startMs).toBeLessThan(1_000)
  })

  it('is told to whoever calls afterwards, and the store is not blamed', async () => {
    const lab = await locationLab()
    const [{ names, node }] = lab.members
    const pid = await registerMany(lab, 1)
    await lab.run(names.stop())
    const calls: readonly (() => Promise<unknown>)[] = [
      () => names.registerName('x', pid),
      () => names.takeover('x', pid),
      () => names.send('x', 1),
      () => names.lookup('x'),
      () => names.resolveName('x'),
    ]
    for (const call of calls) await expect(lab.run(call())).rejects.toMatchObject({ code: 'ERR_NODE_STOPPED' })
    expect(await lab.run(names.unregisterName('x'))).toBe('ok')
    const broadcast = await lab.run(BroadcastVia.start(node, { broker: new FakeBroker(lab.server, true) }))
    await lab.run(broadcast.stop())
    await expect(lab.run(broadcast.send('x', 1))).rejects.toMatchObject({ code: 'ERR_NODE_STOPPED' })
    expect(lab.cluster.log.lines.filter(({ level }) => level === 'warn')).toEqual([])
  })
})

describe('the log', () => {
  it('says once that a part of the store is away, however many pushes go there and elsewhere', async () => {
    const lab = await locationLab()
    const [, other] = lab.members
    await registerMany(lab, 2)
    lab.server.isNameAway = (name) => name === 'n0'
    for (let n = 0; n < 500; n++) for (const name of ['n0', 'n1']) await lab.run(other.names.send(name, 1))
    const lines = lab.cluster.log.lines.filter(({ message }) => message.includes('store of names'))
    expect(lines.length).toBeLessThanOrEqual(2)
  })

  it('is not flooded by names that are lost in masses', async () => {
    const lab = await locationLab()
    const [one, other] = lab.members
    for (let n = 0; n < 2_000; n += 50)
      await lab.run(
        Promise.all(Array.from({ length: 50 }, (_, k) => one.names.registerName(`n${n + k}`, lab.spawn(one)))),
      )
    const winner = lab.spawn(other)
    for (let n = 0; n < 2_000; n += 50)
      await lab.run(Promise.all(Array.from({ length: 50 }, (_, k) => other.names.takeover(`n${n + k}`, winner))))
    await lab.pass(100)
    expect(one.names.stats.lost).toBe(2_000)
    expect(lab.cluster.log.lines.filter(({ message }) => message.includes('gives way')).length).toBeLessThan(250)
  })

  it('has nothing of what a driver says that is no StoreError', async () => {
    class Talkative extends FakeStore {
      override find(): Promise<never> {
        return Promise.reject(new Error('mysql://u:s3cret@h'))
      }

      override sweep(): Promise<never> {
        return Promise.reject(new Error('mysql://u:s3cret@h'))
      }
    }
    const lab = await locationLab((server) => new Talkative(server))
    expect(await lab.run(lab.members[0].names.send('ann', 1))).toBe('noconnection')
    await lab.pass(TTL_MS)
    expect(lab.cluster.log.lines.some(({ message }) => message.includes('are not removed'))).toBe(true)
    expect(JSON.stringify(lab.cluster.log.lines)).not.toContain('s3cret')
  })

  it('does not blame the broker for a message that is too large for it, and the sender is told', async () => {
    class Small extends FakeBroker {
      override publish(channel: string, bytes: Uint8Array): Promise<number | undefined> {
        if (bytes.length > 1_000) return Promise.reject(new PidmeshError('ERR_MESSAGE_TOO_LARGE', 'too large'))
        return super.publish(channel, bytes)
      }
    }
    const lab = await startLab((node, server) => BroadcastVia.start(node, { broker: new Small(server, true) }))
    onTestFinished(() => lab.cluster.stop())
    const [{ names }] = lab.members
    await expect(lab.run(names.send('ann', 'x'.repeat(2_000)))).rejects.toMatchObject({ code: 'ERR_MESSAGE_TOO_LARGE' })
    expect(names.stats).toMatchObject({ isAvailable: true, storeFailures: 0, pending: 0, pendingBytes: 0 })
  })
})

describe('calls', () => {
  it('of a driver that never answers end, and others go on', async () => {
    let isHanging = true
    class Hanging extends FakeStore {
      override find(names: readonly string[]): Promise<readonly Answer<Uint8Array | undefined>[]> {
        return isHanging ? new Promise(() => undefined) : super.find(names)
      }
    }
    const lab = await locationLab((server) => new Hanging(server))
    const [, other] = lab.members
    await registerMany(lab, 1)
    const startMs = lab.cluster.clock.monotonicMs()
    expect(await lab.run(other.names.send('n0', 1))).toBe('noconnection')
    expect(lab.cluster.clock.monotonicMs() - startMs).toBeLessThan(2_500)
    expect(other.names.stats).toMatchObject({ isAvailable: false, storeFailures: 1 })
    isHanging = false
    expect(await lab.run(other.names.send('n0', 1))).toBe('ok')
  })

  it('to give a name up end in time, however much else is to be given back to a store that hangs', async () => {
    let isHanging = false
    class Hanging extends FakeStore {
      override release(rows: readonly LocationRow[]): Promise<readonly Answer<true>[]> {
        return isHanging
          ? new Promise((_, reject) => this.server.clock.setTimer(this.timeoutMs, () => reject(away())))
          : super.release(rows)
      }
    }
    const lab = await locationLab((server) => new Hanging(server))
    const [one] = lab.members
    const pid = await registerMany(lab, 1_000)
    await registerMany(lab, 1, 5_000)
    isHanging = true
    one.node.exit(pid, 'kill')
    await lab.pass(1)
    const startMs = lab.cluster.clock.monotonicMs()
    expect(await lab.run(one.names.unregisterName('n5000'))).toBe('ok')
    expect(lab.cluster.clock.monotonicMs() - startMs).toBeLessThanOrEqual(2_000)
    isHanging = false
    await lab.pass(TTL_MS)
    expect(lab.server.rowOf('n5000')).toBeUndefined()
  })

  it('for which another node says that a name may be taken are one at a time, however often it says so', async () => {
    const brokers: FakeBroker[] = []
    const lab = await startLab((node, server) => {
      const channel = new FakeBroker(server, true)
      brokers.push(channel)
      return LocationVia.start(node, { store: new FakeStore(server), channel, maxPending: 100 })
    })
    onTestFinished(() => lab.cluster.stop())
    const [one, other] = lab.members
    await registerMany(lab, 1)
    const channels = [...(brokers[0]?.channels ?? [])]
    const published: Uint8Array[] = []
    const [, theirs] = brokers
    if (theirs === undefined) throw new Error('two brokers')
    const publish = theirs.publish.bind(theirs)
    theirs.publish = (channel, bytes) => {
      published.push(bytes.slice())
      return publish(channel, bytes)
    }
    await lab.run(other.names.takeover('n0', lab.spawn(other)))
    await lab.pass(100)
    await lab.run(other.names.unregisterName('n0'))
    await registerMany(lab, 1)
    const [taken] = published
    if (taken === undefined) throw new Error('nothing was told')
    const before = lab.server.calls
    for (let n = 0; n < 2_000; n++) void publish(channels[0] ?? '', taken)
    await lab.pass(20)
    expect(one.names.stats.pending).toBeLessThan(10)
    expect(await lab.run(one.names.registerName('bob', lab.spawn(one)))).toBe('yes')
    // Two thousand publishes, and a few questions.
    expect(lab.server.calls - before).toBeLessThan(2_100)
  })
})

describe('a start', () => {
  it('with a driver that is in use fails, and harms nobody', async () => {
    const { lab, stores } = await storesLab((server) => new FakeStore(server))
    const [one, other] = lab.members
    await registerMany(lab, 1)
    const [store] = stores
    if (store === undefined) throw new Error('a store')
    for (const scope of ['default', 'another'])
      await expect(lab.run(LocationVia.start(one.node, { store, scope }))).rejects.toMatchObject({
        name: 'StoreError',
        code: 'ERR_ALREADY_STARTED',
      })
    expect(await lab.run(other.names.send('n0', 1))).toBe('ok')
    const broker = new FakeBroker(lab.server, true)
    const broadcast = await lab.run(BroadcastVia.start(one.node, { broker }))
    await expect(lab.run(BroadcastVia.start(other.node, { broker }))).rejects.toMatchObject({
      code: 'ERR_ALREADY_STARTED',
    })
    await expect(
      lab.run(LocationVia.start(one.node, { store: new FakeStore(lab.server), scope: 'x', channel: broker })),
    ).rejects.toMatchObject({ code: 'ERR_ALREADY_STARTED' })
    expect(await lab.run(broadcast.registerName('bob', lab.spawn(one)))).toBe('yes')
    expect(await lab.run(broadcast.send('bob', 1))).toBe('ok')
  })

  it('with options that are none fails with a sentence that says which', async () => {
    const lab = await locationLab()
    const [{ node }] = lab.members
    const store = (): FakeStore => new FakeStore(lab.server)
    const broken = (change: object): FakeStore => Object.assign(store(), change)
    const wrong: readonly [unknown, RegExp][] = [
      [undefined, /options are an object/],
      [{}, /store is a driver/],
      [store(), /no option/],
      [{ store: null }, /store is a driver/],
      [{ store: new FakeBroker(lab.server, true) }, /put is missing/],
      [{ store: store(), channel: store() }, /listen is missing/],
      [{ store: store(), scope: '' }, /scope/],
      [{ store: store(), scope: 5 }, /scope/],
      [{ store: store(), maxPending: Number.NaN }, /maxPending/],
      [{ store: store(), ttlMs: 5 }, /no option ttlMs/],
      [{ store: broken({ ttlMs: Number.NaN }) }, /ttlMs of the store/],
      [{ store: broken({ batchSize: 0 }) }, /batchSize of the store/],
      [{ store: broken({ partOf: 'a' }) }, /partOf of the store/],
    ]
    for (const [options, message] of wrong)
      await expect(lab.run(LocationVia.start(node, options as never))).rejects.toMatchObject({
        code: 'ERR_BAD_OPTION',
        message: expect.stringMatching(message),
      })
    for (const options of [undefined, {}, { broker: store() }, { broker: new FakeBroker(lab.server, true), x: 1 }])
      await expect(lab.run(BroadcastVia.start(node, options as never))).rejects.toMatchObject({
        code: 'ERR_BAD_OPTION',
      })
  })
})

it('metadata is as large as in the replicated table', async () => {
  const lab = await locationLab()
  const [one] = lab.members
  const pid = lab.spawn(one)
  expect(await lab.run(one.names.registerName('ann', pid, { text: 'x'.repeat(1_000) }))).toBe('yes')
  const large = { text: 'x'.repeat(1_100) }
  await expect(lab.run(one.names.registerName('bob', pid, large))).rejects.toMatchObject({ code: 'ERR_BAD_ARGUMENT' })
  await expect(lab.run(one.names.setMeta('ann', large))).rejects.toMatchObject({ code: 'ERR_BAD_ARGUMENT' })
})

it('metadata that can not be sent is told of with where in it the reason stands', async () => {
  const lab = await locationLab()
  const [one] = lab.members
  const meta = { f: () => 1 } as never
  await expect(lab.run(one.names.registerName('ann', lab.spawn(one), meta))).rejects.toMatchObject({
    code: 'ERR_BAD_ARGUMENT',
    message: "metadata can't be sent: metadata.f is a function and can't be sent to another node",
  })
})

it.each(['a location database', 'pub-sub'])(
  'metadata in %s is a copy: what the caller does with its object later changes nothing',
  async (kind) => {
    const lab = await startLab<LocationVia | BroadcastVia>((node, server) =>
      kind === 'pub-sub'
        ? BroadcastVia.start(node, { broker: new FakeBroker(server, true) })
        : LocationVia.start(node, { store: new FakeStore(server) }),
    )
    onTestFinished(() => lab.cluster.stop())
    const [one] = lab.members
    const meta = { v: 1 }
    const { names } = one
    expect(await lab.run(names.registerName('ann', lab.spawn(one), meta))).toBe('yes')
    meta.v = 2
    if (names instanceof LocationVia) expect(await lab.run(names.lookup('ann'))).toMatchObject({ meta: { v: 1 } })
    await expect(lab.run(names.registerName('bob', lab.spawn(one), { f: () => 1 }))).rejects.toMatchObject({
      code: 'ERR_BAD_ARGUMENT',
    })
  },
)

it('a takeover with a condition that is not known here is refused, and not taken for one without', async () => {
  const lab = await locationLab()
  const [one] = lab.members
  await expect(lab.run(one.names.takeover('ann', lab.spawn(one), { expectedEpoch: 1 } as never))).rejects.toMatchObject(
    {
      code: 'ERR_BAD_ARGUMENT',
    },
  )
})
