import { handler, hasType, type Node, type Pid } from '@pidmesh/runtime'
import { TestCluster } from '@pidmesh/runtime/testing'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'

describe('with connectAll: false', () => {
  let cluster: TestCluster
  let hub: Node
  let b: Node
  let c: Node
  let got: unknown[]
  let sink: Pid

  beforeEach(async () => {
    cluster = new TestCluster({ latencyMs: [1, 20] })
    hub = await cluster.start('a', { connectAll: false })
    b = await cluster.start('b', { connectAll: false, seeds: [hub.address] })
    c = await cluster.start('c', { connectAll: false, seeds: [hub.address] })
    await cluster.advance(5_000)
    got = []
    sink = c.spawn(
      handler((self) => (message) => {
        if (message === 'end') self.exit('told to')
        else got.push(message)
      }),
      { name: 'sink' },
    )
    await cluster.settle()
  })

  afterEach(async () => {
    await cluster.stop()
  })

  it('nodes that hear of each other from a third are not connected until something is sent', async () => {
    expect([hub.nodes(), b.nodes(), c.nodes()]).toEqual([[b.name, c.name], [hub.name], [hub.name]])
    expect(b.send(sink, 'hello')).toBe('ok')
    await cluster.advance(200)
    expect(got).toEqual(['hello'])
    expect([b.nodes(), c.nodes()]).toEqual([
      [hub.name, c.name],
      [hub.name, b.name],
    ])
  })

  it('what is sent while the connection is made arrives in the order in which it was sent, by pid, name or alias', async () => {
    const alias = c.self.alias()
    expect(alias).toBeDefined()
    for (let n = 0; n < 100; n++) b.send(n % 2 === 0 ? sink : { name: 'sink', node: c.name }, n)
    await cluster.advance(1)
    for (let n = 100; n < 200; n++) b.send(n % 2 === 0 ? sink : { name: 'sink', node: c.name }, n)
    await cluster.advance(200)
    b.send(sink, 200)
    await cluster.advance(200)
    expect(got).toEqual(Array.from({ length: 201 }, (_, n) => n))
  })

  it('a monitor and a link make the connection too, and hold', async () => {
    const seen: unknown[] = []
    b.spawn(
      handler((self) => {
        self.trapExit = true
        self.monitor(sink)
        self.monitor({ name: 'nobody', node: c.name })
        self.link(sink)
        return (message) => void seen.push(message)
      }),
    )
    await cluster.advance(300)
    expect(seen).toMatchObject([{ type: 'DOWN', reason: 'noproc', pid: { name: 'nobody' } }])
    c.send(sink, 'end')
    await cluster.advance(300)
    expect(seen.slice(1)).toMatchObject([
      { type: 'EXIT', reason: 'told to' },
      { type: 'DOWN', reason: 'told to' },
    ])
  })

  it('a monitor and a request are told that there is no connection, if whoever is told of the node ends it at once', async () => {
    const seen: unknown[] = []
    const watcher = b.spawn(
      handler((self) => {
        self.monitorNodes(true)
        self.monitor(sink)
        return (message) => void seen.push(message)
      }),
    )
    b.trace(watcher, { receive: true }, (event) => {
      if (event.type === 'receive' && hasType(event.message, 'nodeup')) b.disconnectNode(c.name)
    })
    const asked = b.request(sink, () => 'never answered', Infinity)
    await cluster.advance(300)
    expect(await cluster.run(asked)).toMatchObject({ type: 'down', reason: 'noconnection' })
    expect(seen).toContainEqual(expect.objectContaining({ type: 'DOWN', reason: 'noconnection' }))
  })

  it('a monitor and a link that are taken back before the connection is there leave nothing', async () => {
    const seen: unknown[] = []
    b.spawn(
      handler((self) => {
        self.trapExit = true
        self.demonitor(self.monitor(sink))
        self.link(sink)
        self.unlink(sink)
        self.send(sink, 'after them')
        return (message) => void seen.push(message)
      }),
    )
    await cluster.advance(300)
    c.send(sink, 'end')
    await cluster.advance(300)
    expect([got, seen]).toEqual([['after them'], []])
  })

  it('one who ends before the connection is there ends those that it has linked to', async () => {
    const reasons: unknown[] = []
    const linked = c.spawn(
      handler((self) => {
        self.trapExit = true
        return (message) => void reasons.push((message as { reason: unknown }).reason)
      }),
    )
    await cluster.settle()
    b.spawn((self) => {
      self.link(linked)
      self.exit('gone early')
    })
    await cluster.advance(300)
    expect(reasons).toEqual(['gone early'])
  })

  it('a request makes the connection, and is answered', async () => {
    const echo = c.spawn(handler((self) => (message) => void self.send((message as [never])[0], 'here')))
    expect(await cluster.run(b.request(echo, (replyTo) => [replyTo], 1_000))).toEqual({ type: 'reply', value: 'here' })
  })

  it('a pid of an earlier life of the node is noproc, and nothing sent to it arrives; what is sent by name does', async () => {
    cluster.crash('c')
    await cluster.advance(100)
    const port = Number(c.address.split(':')[1])
    const next = await cluster.start('c', { connectAll: false, seeds: [hub.address], port })
    const late: unknown[] = []
    // The same id, and the same name, in the next life.
    const reborn = next.spawn(
      handler(() => (message) => void late.push(message)),
      { name: 'sink' },
    )
    await cluster.advance(100)
    const seen: unknown[] = []
    b.spawn(
      handler((self) => {
        self.trapExit = true
        self.send(sink, 'to the dead')
        self.send({ name: 'sink', node: c.name }, 'to whoever it is')
        self.monitor(sink)
        self.link(sink)
        return (message) => void seen.push(message)
      }),
    )
    await cluster.advance(300)
    expect(reborn.id).toBe(sink.id)
    expect(late).toEqual(['to whoever it is'])
    expect(seen).toMatchObject([
      { type: 'EXIT', reason: 'noproc' },
      { type: 'DOWN', reason: 'noproc' },
    ])
  })

  it('a node that can not be found is noconnection for monitors and links, and for what is sent next', async () => {
    cluster.crash('c')
    await cluster.advance(100)
    const seen: unknown[] = []
    b.spawn(
      handler((self) => {
        self.trapExit = true
        self.monitor(sink)
        self.link(sink)
        return (message) => void seen.push(message)
      }),
    )
    expect(b.send(sink, 'lost')).toBe('ok')
    await cluster.advance(300)
    expect(seen).toMatchObject([
      { type: 'EXIT', reason: 'noconnection' },
      { type: 'DOWN', reason: 'noconnection' },
    ])
    expect(b.send(sink, 'lost')).toBe('noconnection')
    expect(await cluster.run(b.self.sendOk(sink, 'lost'))).toBe('noconnection')
  })

  it('nodedown of a node that can not be found comes after all EXITs and DOWNs, of processes and of names', async () => {
    cluster.crash('c')
    await cluster.advance(100)
    const seen: unknown[] = []
    b.spawn(
      handler((self) => {
        self.trapExit = true
        self.monitorNode(c.name, true)
        self.monitor({ name: 'sink', node: c.name })
        self.monitor(sink)
        self.link(sink)
        return (message) => void seen.push(message)
      }),
    )
    await cluster.advance(6_000)
    expect(seen).toMatchObject([
      { type: 'EXIT', reason: 'noconnection' },
      { type: 'DOWN', reason: 'noconnection' },
      { type: 'DOWN', reason: 'noconnection' },
      { type: 'nodedown', reason: 'disconnect' },
    ])
  })

  it('what waits for a connection is bounded, and busy says so', async () => {
    const statuses = new Set<string>()
    for (let n = 0; n < 60; n++) statuses.add(b.send(sink, new Uint8Array(512 * 1024)))
    expect([...statuses]).toEqual(['ok', 'busy', 'noconnection'])
    expect(b.counters().bufferedBytes).toBeLessThan(17 * 1024 * 1024)
  })

  it('more than may wait for a connection ends all that waits, with noconnection for each monitor, link and request; nothing is lost in the middle', async () => {
    const seen: unknown[] = []
    b.spawn(
      handler((self) => {
        self.trapExit = true
        self.send(sink, 'before')
        for (let n = 0; n < 40; n++) self.send(sink, new Uint8Array(512 * 1024))
        self.monitor(sink)
        self.link(sink)
        self.send(sink, 'after')
        return (message) => void seen.push(message)
      }),
    )
    const large = new Uint8Array(7 * 1024 * 1024)
    const requests = [1, 2, 3, 4].map(() => b.request(sink, (replyTo) => [replyTo, large], Infinity))
    const outcomes: unknown[] = []
    for (const request of requests) void request.then((outcome) => outcomes.push(outcome))
    await cluster.advance(10_000)
    expect(seen).toMatchObject([
      { type: 'EXIT', reason: 'noconnection' },
      { type: 'DOWN', reason: 'noconnection' },
    ])
    expect(outcomes).toHaveLength(4)
    expect(got).toEqual([])
    b.send(sink, 'next')
    await cluster.advance(300)
    expect(got).toEqual(['next'])
  })

  it('what waits for a connection is counted with all that it holds', () => {
    const other = { name: 'x', node: b.name }
    for (let n = 0; n < 100; n++) {
      b.send(sink, 1)
      // On its own node: takes nothing, but is encoded in the same memory if it goes further.
      b.send(other, new Uint8Array(8_000))
    }
    b.self.exit(sink, { details: 'x'.repeat(30_000) })
    expect(b.counters().bufferedBytes).toBeGreaterThan(30_000)
  })

  it('many who wait for room on a connection that is being made are let go as many as fit', async () => {
    let done = 0
    const statuses = new Set<string>()
    for (let process = 0; process < 300; process++) {
      b.spawn(async (self) => {
        for (let n = 0; n < 3; n++) statuses.add(await self.sendOk(sink, new Uint8Array(32 * 1024)))
        done++
      })
    }
    await cluster.advance(20_000)
    expect([done, got.length, [...statuses], b.counters().connectionsLost]).toEqual([300, 900, ['ok'], 0])
  })

  it('what a listener sends when it is told that a life is over comes after what was sent before', async () => {
    cluster.crash('c')
    await cluster.advance(100)
    const port = Number(c.address.split(':')[1])
    const next = await cluster.start('c', { connectAll: false, seeds: [hub.address], port })
    const order: unknown[] = []
    next.spawn(
      handler(() => (message) => void order.push(message)),
      { name: 'keeper' },
    )
    const keeper = { name: 'keeper', node: c.name }
    b.spawn((self) => {
      // Of the life that is over: it ends by this, when the other life is found there.
      self.link(sink)
      self.signal.addEventListener('abort', () => b.send(keeper, 2))
      return new Promise(() => undefined)
    })
    await cluster.settle()
    b.send(keeper, 1)
    await cluster.advance(300)
    expect(order).toEqual([1, 2])
  })

  it('an address at which another node is found now is where that one is dialed', async () => {
    const port = Number(c.address.split(':')[1])
    cluster.crash('c')
    await cluster.advance(100)
    const y = await cluster.start('y', { connectAll: false, seeds: [hub.address], port })
    await cluster.advance(100)
    const late: unknown[] = []
    const there = y.spawn(handler(() => (message) => void late.push(message)))
    expect(b.send(there, 'to y')).toBe('ok')
    await cluster.advance(300)
    expect(late).toEqual(['to y'])
  })

  it(
    'a node that comes again and again at other addresses does not fill the memory of addresses',
    { timeout: 60_000 },
    async () => {
      for (let life = 0; life < 60; life++) {
        const x = await cluster.start('x', { connectAll: false, seeds: [hub.address], port: 40_000 + life })
        await cluster.advance(50)
        await cluster.run(x.stop())
        await cluster.advance(100)
      }
      const dials = cluster.network.dials
      const x = await cluster.start('x', { connectAll: false, seeds: [hub.address], port: 50_000 })
      await cluster.advance(100)
      const there = x.spawn(handler(() => (message) => void got.push(message)))
      b.send(there, 'to the last')
      await cluster.advance(300)
      expect(got).toEqual(['to the last'])
      // One to its seed, and one to it: none to where it was before.
      expect(cluster.network.dials - dials).toBe(2)
    },
  )

  it('monitorNode makes the connection, as in Erlang, and says nodedown if none can be made', async () => {
    const seen: unknown[] = []
    b.spawn(
      handler((self) => {
        self.monitorNode(c.name, true)
        return (message) => void seen.push(message)
      }),
    )
    await cluster.advance(300)
    expect([b.nodes(), seen]).toEqual([[hub.name, c.name], []])
    cluster.crash('c')
    await cluster.advance(100)
    expect(seen).toMatchObject([{ type: 'nodedown', reason: 'connection_closed' }])
    b.spawn(
      handler((self) => {
        self.monitorNode(c.name, true)
        return (message) => void seen.push(message)
      }),
    )
    await cluster.advance(6_000)
    expect(seen).toHaveLength(2)
  })

  it('a connection that was lost is not made again until something is sent', async () => {
    b.send(sink, 1)
    await cluster.advance(200)
    cluster.partition(['b'], ['c'])
    await cluster.advance(10_000)
    cluster.heal()
    await cluster.advance(10_000)
    expect([b.nodes(), c.nodes()]).toEqual([[hub.name], [hub.name]])
    b.send(sink, 2)
    await cluster.advance(200)
    expect(got).toEqual([1, 2])
  })

  it('a node that was disconnected on purpose is not dialed by a send', async () => {
    b.send(sink, 1)
    await cluster.advance(200)
    b.disconnectNode(c.name)
    await cluster.advance(200)
    expect(b.send(sink, 2)).toBe('noconnection')
    expect(await cluster.run(b.connectNode(c.name))).toBe(true)
    b.send(sink, 3)
    await cluster.advance(200)
    expect(got).toEqual([1, 3])
  })

  it('both sides send first, at the same time: there is one connection, and both messages arrive', async () => {
    const there = b.spawn(handler(() => (message) => void got.push(message)))
    const ups: unknown[] = []
    for (const node of [b, c]) {
      node.spawn(
        handler((self) => {
          self.monitorNodes(true)
          return (message) => void ups.push(message)
        }),
      )
    }
    await cluster.settle()
    b.send(sink, 'to c')
    c.send(there, 'to b')
    await cluster.advance(3_000)
    expect(new Set(got)).toEqual(new Set(['to b', 'to c']))
    expect(ups).toMatchObject([{ type: 'nodeup' }, { type: 'nodeup' }])
  })

  it('a node that is stopped while something waits tells those who wait', async () => {
    const seen: unknown[] = []
    const request = b.request(sink, (replyTo) => replyTo, 60_000)
    await cluster.run(b.stop())
    request.then(
      (outcome) => seen.push(outcome),
      (error: { code: unknown }) => seen.push(error.code),
    )
    await cluster.advance(10)
    expect(seen).toEqual(['ERR_NODE_STOPPED'])
  })
})

it('connectNode on both sides at the same time is true on both, whatever the delays', async () => {
  for (let seed = 1; seed <= 50; seed++) {
    const cluster = new TestCluster({ seed, latencyMs: [1, 20] })
    const a = await cluster.start('a')
    const b = await cluster.start('b')
    await cluster.advance(1_000)
    a.disconnectNode(b.name)
    await cluster.advance(1_000)
    const outcomes = await cluster.run(Promise.all([a.connectNode(b.name), b.connectNode(a.name)]))
    expect(outcomes, `seed ${seed}`).toEqual([true, true])
    await cluster.stop()
  }
})
