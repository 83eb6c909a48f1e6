import { afterEach, describe, expect, it } from 'vitest'
import {
  erpc,
  handler,
  nodeName,
  spawnMonitorOn,
  spawnOn,
  type Context,
  type Node,
  type Pid,
  type Ref,
} from '@pidmesh/runtime'
import { seededRandom, TestCluster } from '@pidmesh/runtime/testing'

let cluster: TestCluster

async function startTwo(): Promise<[Node, Node]> {
  cluster = new TestCluster()
  return [await cluster.start('a'), await cluster.start('b')]
}

/** A process that keeps what it gets. */
function collector(node: Node, prepare: (self: Context) => void = () => undefined): { pid: Pid; messages: unknown[] } {
  const messages: unknown[] = []
  const pid = node.spawn(
    handler((self) => {
      prepare(self)
      return (message) => {
        messages.push(message)
      }
    }),
  )
  return { pid, messages }
}

afterEach(async () => {
  await cluster.stop()
})

describe('nodes', () => {
  it('nodes that dial a seed are connected with it and with all that it knows', async () => {
    cluster = new TestCluster()
    const a = await cluster.start('a')
    const b = await cluster.start('b', { seeds: [a.address] })
    const c = await cluster.start('c', { seeds: [a.address] })
    await cluster.advance(100)
    expect(a.nodes()).toEqual(['b@127.0.0.1', 'c@127.0.0.1'])
    expect(b.nodes()).toEqual(['a@127.0.0.1', 'c@127.0.0.1'])
    expect(c.nodes()).toEqual(['a@127.0.0.1', 'b@127.0.0.1'])
  })

  it('a message to a process of another node arrives, and messages of one sender in their order', async () => {
    const [a, b] = await startTwo()
    const { pid, messages } = collector(b)
    for (let i = 0; i < 100; i++) a.send(pid, { i, from: a.self.pid })
    await cluster.advance(10)
    expect(messages).toHaveLength(100)
    expect(messages.map((message) => (message as { i: number }).i)).toEqual([...Array(100).keys()])
    expect(a.self.pid.equals((messages[0] as { from: Pid }).from)).toBe(true)
  })

  it('a message to a name on a node arrives, and one to a name that nobody has is dropped silently', async () => {
    const [a, b] = await startTwo()
    const { pid, messages } = collector(b)
    b.register('inbox', pid)
    expect(a.send({ name: 'inbox', node: b.name }, 'hello')).toBe('ok')
    expect(a.send({ name: 'nobody', node: b.name }, 'hello')).toBe('ok')
    await cluster.advance(10)
    expect(messages).toEqual(['hello'])
  })

  it.each([7, 0, -1, 1.5, 'x', undefined, null])(
    'a name on a node that has an id besides (%s) is that name, for all that is asked of it',
    async (id) => {
      const [a, b] = await startTwo()
      const { pid } = collector(b)
      b.register('inbox', pid)
      const answerer = b.spawn(handler((self) => (message) => void self.send((message as { to: Ref }).to, 'yes')))
      b.register('answerer', answerer)
      const [inbox, asked] = [
        { id, name: 'inbox', node: b.name },
        { id, name: 'answerer', node: b.name },
      ]
      const watcher = collector(a, (self) => void self.monitor(inbox))
      const [answer, down] = [a.request(asked, (to) => ({ to }), 1_000), a.self.awaitDown(inbox, 1_000)]
      expect(await cluster.run(answer)).toMatchObject({ type: 'reply', value: 'yes' })
      b.exit(pid, 'enough')
      expect(await cluster.run(down)).toBe('enough')
      await cluster.advance(10)
      expect(watcher.messages).toMatchObject([{ type: 'DOWN', reason: 'enough' }])
      expect([a.nodes(), b.counters().protocolErrors]).toEqual([[b.name], 0])
    },
  )

  it('a node is connected with itself, and hears nothing of its own end', async () => {
    const [a] = await startTwo()
    const { messages } = collector(a, (self) => {
      self.monitorNode(a.name, true)
      self.monitorNode(a.name, false)
    })
    await cluster.advance(10)
    expect(messages).toEqual([])
    expect(await cluster.run(a.connectNode(a.name))).toBe(true)
  })

  it('a send to a node that is not connected says noconnection', async () => {
    const [a] = await startTwo()
    expect(a.send({ name: 'inbox', node: nodeName('nowhere@127.0.0.1') }, 'hello')).toBe('noconnection')
  })

  it('a monitor of a remote process gives its DOWN with the reason, after the messages that it sent before', async () => {
    const [a, b] = await startTwo()
    const watcher = collector(a)
    const target = b.spawn(async (self) => {
      const { to } = await self.receive<{ to: Pid }>()
      self.send(to, 'last words')
      self.exit({ broken: 'heart' })
    })
    const monitoring = collector(a, (self) => self.monitor(target))
    await cluster.advance(10)
    a.send(target, { to: monitoring.pid })
    await cluster.advance(10)
    expect(monitoring.messages).toMatchObject(['last words', { type: 'DOWN', reason: { broken: 'heart' } }])
    expect(watcher.messages).toEqual([])
  })

  it('a monitor of a dead remote process gives DOWN noproc, one on an unknown node noconnection', async () => {
    const [a, b] = await startTwo()
    const dead = b.spawn(() => undefined)
    await cluster.settle()
    const { messages } = collector(a, (self) => {
      self.monitor(dead)
      self.monitor({ name: 'x', node: nodeName('nowhere@127.0.0.1') })
    })
    await cluster.advance(10)
    expect(messages).toMatchObject([
      { type: 'DOWN', reason: 'noconnection', pid: { name: 'x', node: 'nowhere@127.0.0.1' } },
      { type: 'DOWN', reason: 'noproc' },
    ])
  })

  it('DOWN and EXIT with noconnection come before nodedown, when a node crashes', async () => {
    const [a, b] = await startTwo()
    const target = collector(b)
    const { messages } = collector(a, (self) => {
      self.trapExit = true
      self.monitorNodes(true)
      self.monitor(target.pid)
      self.link(target.pid)
    })
    await cluster.advance(10)
    cluster.crash('b')
    await cluster.advance(10)
    expect(messages).toMatchObject([
      { type: 'EXIT', reason: 'noconnection' },
      { type: 'DOWN', reason: 'noconnection' },
      { type: 'nodedown', node: 'b@127.0.0.1', reason: 'connection_closed' },
    ])
  })

  it('a silent node is down after four ticks and a quarter at most, and up again when the cut has healed', async () => {
    const [a, b] = await startTwo()
    const { messages } = collector(a, (self) => self.monitorNodes(true))
    await cluster.advance(2_000)
    cluster.partition(['a'], ['b'])
    await cluster.advance(3_000)
    expect(a.nodes()).toEqual([b.name])
    await cluster.advance(1_300)
    expect(a.nodes()).toEqual([])
    expect(messages).toMatchObject([{ type: 'nodedown', reason: 'net_tick_timeout' }])
    cluster.heal()
    await cluster.advance(10_000)
    expect(a.nodes()).toEqual([b.name])
    expect(b.nodes()).toEqual([a.name])
    expect(messages).toMatchObject([{ type: 'nodedown' }, { type: 'nodeup', node: b.name }])
  })

  it('a node that stops is seen to go with the reason shutdown', async () => {
    const [a, b] = await startTwo()
    const { messages } = collector(a, (self) => self.monitorNodes(true))
    await cluster.settle()
    await cluster.run(b.stop())
    await cluster.advance(10)
    expect(messages).toMatchObject([{ type: 'nodedown', node: b.name, reason: 'shutdown' }])
  })

  it('a node that goes is a line of level info if it was meant, and a warning if it was not', async () => {
    const levels = (): string[] =>
      cluster.log.lines.filter(({ message }) => message === 'node down').map(({ level }) => level)
    const [a, b] = await startTwo()
    a.disconnectNode(b.name)
    await cluster.advance(10)
    expect(levels()).toEqual(['info', 'info'])
    await cluster.run(a.connectNode(b.name))
    cluster.crash('b')
    await cluster.advance(10)
    expect(levels()).toEqual(['info', 'info', 'warn'])
  })

  it('a pid of an earlier life of a node never reaches a process of its later life', async () => {
    const [a, b] = await startTwo()
    const old = collector(b)
    await cluster.advance(10)
    cluster.crash('b')
    await cluster.advance(100)
    const again = await cluster.start('b')
    const fresh = again.processes().concat(collector(again).pid)
    expect(fresh.map((pid) => pid.id)).toContain(old.pid.id)
    const { messages } = collector(a, (self) => self.monitor(old.pid))
    expect(a.send(old.pid, 'for the dead')).toBe('ok')
    await cluster.advance(10)
    expect(messages).toMatchObject([{ type: 'DOWN', reason: 'noproc' }])
  })

  it('a wrong cookie is refused: the start fails, and the node that refused goes on', async () => {
    const [a, b] = await startTwo()
    await expect(cluster.start('c', { cookie: 'another-cookie' })).rejects.toMatchObject({ code: 'ERR_BAD_COOKIE' })
    await cluster.advance(100)
    expect(a.nodes()).toEqual([b.name])
  })

  it('a second node of a name that is running is refused: the start fails, and the first stays connected', async () => {
    const [a, b] = await startTwo()
    await expect(cluster.start('b', { seeds: [a.address] })).rejects.toMatchObject({
      code: 'ERR_DUPLICATE_NODE',
      message: `a node named ${b.name} is already running: ${a.name}, at ${a.address}, is connected with it`,
    })
    await expect(cluster.start('b', { seeds: [b.address] })).rejects.toMatchObject({
      code: 'ERR_DUPLICATE_NODE',
      message: `a node named ${b.name} is already running, at ${b.address}`,
    })
    await cluster.advance(10_000)
    expect(a.nodes()).toEqual([b.name])
  })

  it('two nodes that dial each other at the same time end with one connection', async () => {
    cluster = new TestCluster()
    const ports = { a: 7001, b: 7002 }
    const seeds = Object.values(ports).map((port) => `127.0.0.1:${port}`)
    const [a, b] = await cluster.run(
      Promise.all([cluster.start('a', { port: ports.a, seeds }), cluster.start('b', { port: ports.b, seeds })]),
    )
    const { messages } = collector(a, (self) => self.monitorNodes(true))
    await cluster.advance(10_000)
    expect(a.nodes()).toEqual([b.name])
    expect(b.nodes()).toEqual([a.name])
    expect(messages.filter((message) => (message as { type: string }).type === 'nodedown')).toEqual([])
  })

  it('two nodes that dial each other at about the same time have one connection, which is never taken down again (500 seeds)', async () => {
    for (let seed = 1; seed <= 500; seed++) {
      cluster = new TestCluster({ seed, latencyMs: [1, 10] })
      const random = seededRandom(seed)
      const seeds = ['127.0.0.1:7001', '127.0.0.1:7002']
      const heard: unknown[] = []
      const watch = (node: Node): Node => {
        node.spawn(
          handler((self) => {
            self.monitorNodes(true)
            return (message) => {
              heard.push(message)
            }
          }),
        )
        return node
      }
      const later = new Promise<Node>((resolve, reject) => {
        cluster.clock.setTimer(100 + random.fraction() * 130, () => {
          cluster.begin('b', { port: 7002, seeds }).then(watch).then(resolve, reject)
        })
      })
      const [a, b] = await cluster.run(Promise.all([cluster.begin('a', { port: 7001, seeds }).then(watch), later]))
      await cluster.advance(3_000)
      expect([a.nodes(), b.nodes()], `seed ${seed}`).toEqual([[b.name], [a.name]])
      expect(
        heard.filter((message) => (message as { type: string }).type === 'nodedown'),
        `seed ${seed}`,
      ).toEqual([])
      await cluster.stop()
    }
  })

  it('what cannot be sent is an error at the sender, and nothing is sent', async () => {
    const [a, b] = await startTwo()
    const { pid, messages } = collector(b)
    expect(() => a.send(pid, { user: { callback: () => 1 } })).toThrowError(
      expect.objectContaining({ code: 'ERR_NOT_SENDABLE', message: expect.stringContaining('message.user.callback') }),
    )
    await cluster.advance(10)
    expect(messages).toEqual([])
    expect(a.nodes()).toEqual([b.name])
  })

  it('a request to a process of another node gets its reply, and a late reply is never seen', async () => {
    const [a, b] = await startTwo()
    const server = b.spawn(
      handler((self) => (message) => {
        const { replyTo, delayMs } = message as { replyTo: Pid; delayMs: number }
        self.sendAfter(delayMs, 'relay', { to: replyTo })
      }),
    )
    const relay = b.spawn(handler((self) => (message) => void self.send((message as { to: Pid }).to, 'pong')))
    b.register('relay', relay)
    await expect(cluster.run(a.request(server, (replyTo) => ({ replyTo, delayMs: 5 }), 100))).resolves.toEqual({
      type: 'reply',
      value: 'pong',
    })
    await expect(cluster.run(a.request(server, (replyTo) => ({ replyTo, delayMs: 500 }), 100))).resolves.toEqual({
      type: 'timeout',
    })
    await cluster.advance(1_000)
  })
})

describe('the order of what a process has sent and of its end', () => {
  it('holds for a monitor that is made when it has ended: its noproc comes after its last message, however large that is', async () => {
    const cluster = new TestCluster({ latencyMs: 5 })
    const a = await cluster.start('a')
    const b = await cluster.start('b')
    await cluster.advance(100)
    const order: string[] = []
    const receiver = a.spawn(
      handler((self) => (message) => {
        if (Array.isArray(message)) self.monitor(message[0] as never)
        else order.push(message instanceof Uint8Array ? 'message' : (message as { type: string }).type)
      }),
    )
    await cluster.settle()
    const sender = b.spawn((self) => void self.send(receiver, new Uint8Array(3_000_000)))
    await cluster.settle()
    a.send(receiver, [sender])
    await cluster.advance(1_000)
    expect(order).toEqual(['message', 'DOWN'])
    await cluster.stop()
  })

  it('12,000 watchers on another node of one that crashes are all told why, in a turn of more than 16 MiB', async () => {
    const cluster = new TestCluster({ latencyMs: 5 })
    const a = await cluster.start('a')
    const b = await cluster.start('b')
    await cluster.advance(100)
    const server = b.spawn(
      handler(() => (message) => {
        if (message === 'crash') throw new Error('x'.repeat(1_000))
      }),
    )
    const reasons: unknown[] = []
    a.spawn(
      handler((self) => {
        for (let n = 0; n < 12_000; n++) self.monitor(server)
        return (message) => void reasons.push((message as { reason: { error?: unknown } }).reason.error)
      }),
    )
    await cluster.advance(100)
    b.send(server, 'crash')
    await cluster.advance(5_000)
    expect(reasons).toHaveLength(12_000)
    expect(reasons.every((error) => (error as { name?: unknown } | undefined)?.name === 'Error')).toBe(true)
    expect(a.nodes()).toEqual([b.name])
    await cluster.stop()
  })
})

describe('two nodes that tick differently', () => {
  it('stay connected: the slower one says what is silence', async () => {
    const cluster = new TestCluster()
    const a = await cluster.start('a', { netTickTimeMs: 500 })
    const b = await cluster.start('b', { netTickTimeMs: 20_000 })
    await cluster.advance(60_000)
    expect([a.nodes(), a.counters().connectionsLost, b.counters().connectionsLost]).toEqual([[b.name], 0, 0])
    cluster.partition(['a'], ['b'])
    await cluster.advance(30_000)
    expect([a.nodes(), b.nodes()]).toEqual([[], []])
    await cluster.stop()
  })
})

describe('what only looks like a node', () => {
  it('is an error at the caller: a name of a node that none can have, and one who calls that is no process', async () => {
    const cluster = new TestCluster()
    const a = await cluster.start('a')
    const bad = 'bb' as never
    for (const call of [
      () => a.send({ name: 'x', node: bad }, 1),
      () => a.self.monitor({ name: 'x', node: bad }),
      () => a.request({ name: 'x', node: bad }, () => 1, 100),
      () => erpc.call(undefined as never, a.name, 'x', []),
      () => spawnOn('a@b' as never, a.name, 'x', []),
    ])
      expect(call).toThrowError(expect.objectContaining({ code: 'ERR_BAD_ARGUMENT' }))
    a.exportFunctions({ idle: async (self: Context) => void (await self.receive()) })
    expect(await cluster.run(spawnMonitorOn(a as never, a.name, 'idle', []))).toHaveProperty('pid')
    await cluster.stop()
  })
})
