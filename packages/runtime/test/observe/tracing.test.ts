import { handler, type Context, type Node, type Pid, type TraceEvent } from '@pidmesh/runtime'
import { faultsOf, TestCluster } from '@pidmesh/runtime/testing'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'

let cluster: TestCluster
let node: Node

beforeEach(async () => {
  cluster = new TestCluster()
  node = await cluster.start('a')
})

afterEach(async () => {
  await cluster.stop()
})

const ALL = { send: true, receive: true, spawn: true, exit: true, link: true, register: true }

/** A process that does what it is sent. */
type Act = (self: Context) => void

function actor(): Pid {
  return node.spawn(handler((self) => (act) => (typeof act === 'function' ? (act as Act)(self) : undefined)))
}

async function act(pid: Pid, what: Act): Promise<void> {
  node.send(pid, what)
  await cluster.settle()
}

/** The events without what is the same in all. */
function briefly(events: readonly TraceEvent[]): unknown[] {
  return events.map(({ pid: _pid, atMs: _atMs, ...detail }) => detail)
}

describe('trace', () => {
  it('tells what a process does, in the order in which it happens', async () => {
    const events: TraceEvent[] = []
    const other = actor()
    const pid = actor()
    await cluster.settle()
    node.trace(pid, ALL, (event) => events.push(event))
    let child: Pid | undefined
    const doings: Act = (self) => {
      self.send(other, () => 'hello')
      child = self.spawn(() => undefined)
      self.link(other)
      self.unlink(other)
      self.register('traced')
      self.unregister('traced')
      self.exit('done')
    }
    await act(pid, doings)
    expect(briefly(events)).toEqual([
      { type: 'receive', message: doings },
      { type: 'send', to: other, message: expect.any(Function) },
      { type: 'spawn', child },
      { type: 'link', to: other },
      { type: 'unlink', to: other },
      { type: 'register', name: 'traced' },
      { type: 'unregister', name: 'traced' },
      { type: 'exit', reason: 'done' },
    ])
    expect(new Set(events.map((event) => event.pid))).toEqual(new Set([pid]))
    expect(events[0]?.atMs).toBe(cluster.clock.monotonicMs())
  })

  it('tells of the link of spawnLink, of the name that a process is spawned with, and of the name that goes with it', async () => {
    const events: TraceEvent[] = []
    const pid = actor()
    await cluster.settle()
    node.trace('all', { link: true, register: true, exit: true }, (event) => events.push(event))
    let child: Pid | undefined
    await act(pid, (self) => void (child = self.spawnLink(() => undefined, { name: 'child' })))
    expect(events.map(({ atMs: _atMs, ...event }) => event)).toEqual([
      { pid: child, type: 'register', name: 'child' },
      { pid, type: 'link', to: child },
      { pid: child, type: 'exit', reason: 'normal' },
      { pid: child, type: 'unregister', name: 'child' },
    ])
  })

  it('tells only what was asked for', async () => {
    for (const wanted of ['send', 'receive', 'spawn', 'exit'] as const) {
      const events: TraceEvent[] = []
      const pid = actor()
      await cluster.settle()
      node.trace(pid, { [wanted]: true }, (event) => events.push(event))
      await act(pid, (self) => {
        self.send(node.self.pid, 1)
        self.spawn(() => undefined)
        self.exit('done')
      })
      expect(events.map((event) => event.type)).toEqual([wanted])
    }
  })

  it('tells of messages of the runtime, of timers, of requests and of replies to them', async () => {
    const events: TraceEvent[] = []
    const server = node.spawn(
      handler((self) => (message) => void self.send((message as { replyTo: Pid }).replyTo, 'reply')),
    )
    const pid = actor()
    await cluster.settle()
    node.trace(pid, { send: true, receive: true }, (event) => events.push(event))
    await act(pid, (self) => {
      self.monitor(self.spawn(() => undefined))
      self.sendAfter(10, self.pid, 'timer')
      void self.request(server, (replyTo) => ({ replyTo }), 1_000)
    })
    await cluster.advance(10)
    expect(events.map((event) => event.type)).toEqual(['receive', 'send', 'receive', 'receive', 'receive'])
    expect(briefly(events).slice(1)).toMatchObject([
      { to: server },
      { message: { type: 'DOWN' } },
      { message: 'reply' },
      { message: 'timer' },
    ])
  })

  it('of all tells of the processes that are there and of those to come', async () => {
    const events: TraceEvent[] = []
    const old = actor()
    await cluster.settle()
    const stop = node.trace('all', { exit: true }, (event) => events.push(event))
    const young = actor()
    await cluster.settle()
    node.exit(old, 'kill')
    node.exit(young, 'boom')
    expect(events.map((event) => [event.pid, event])).toMatchObject([
      [old, { reason: 'killed' }],
      [young, { reason: 'boom' }],
    ])
    stop()
    node.exit(actor(), 'kill')
    expect(events).toHaveLength(2)
  })

  it('with inherit follows those that a process spawns, and theirs', async () => {
    const ended: Pid[] = []
    const pid = actor()
    node.trace(pid, { exit: true, inherit: true }, (event) => ended.push(event.pid))
    let grandchild: Pid | undefined
    await act(pid, (self) => {
      self.spawn((child) => void (grandchild = child.spawn(() => undefined)))
      self.spawn(() => undefined)
    })
    node.spawn(() => undefined)
    await cluster.settle()
    expect(ended).toHaveLength(3)
    expect(ended).toContain(grandchild)
  })

  it('any number of traces go side by side, and each ends for itself', async () => {
    const counts = [0, 0, 0]
    const pid = actor()
    await cluster.settle()
    const stops = counts.map((_, i) => node.trace(pid, { receive: true }, () => counts[i]!++))
    await act(pid, () => undefined)
    stops[1]?.()
    stops[1]?.()
    await act(pid, () => undefined)
    expect(counts).toEqual([2, 1, 2])
  })

  it('does not trace what its listener does, so that none can go round in circles', async () => {
    const events: TraceEvent[] = []
    const pid = actor()
    await cluster.settle()
    node.trace('all', { send: true, receive: true, spawn: true }, (event) => {
      events.push(event)
      node.send(pid, () => undefined)
      node.spawn(() => undefined)
    })
    await act(pid, () => undefined)
    expect(events.map((event) => event.type)).toEqual(['send', 'receive'])
  })

  it('whose listener throws is ended and logged, and harms nobody', async () => {
    const pid = actor()
    let told = 0
    const seen: unknown[] = []
    const faults = await faultsOf(async () => {
      node.trace(pid, { receive: true }, () => {
        told++
        throw new Error('a bad listener')
      })
      node.trace(pid, { receive: true }, (event) => seen.push(event.type))
      await act(pid, () => undefined)
      await act(pid, () => undefined)
    })
    expect([faults, told, seen]).toEqual([[], 1, ['receive', 'receive']])
    expect(cluster.log.lines.filter((line) => line.level === 'error')).toMatchObject([
      { message: 'a trace has been ended: its listener threw', fields: { reason: { error: {} } } },
    ])
  })

  it('whose listener rejects is ended and logged once, however much it was told of before that', async () => {
    const pid = actor()
    let told = 0
    const listener = (): unknown => {
      told++
      return Promise.reject(new Error('a bad listener'))
    }
    const faults = await faultsOf(async () => {
      node.trace(pid, { receive: true }, listener)
      for (let sent = 0; sent < 50; sent++) node.send(pid, sent)
      await cluster.settle()
    })
    expect([faults, told]).toEqual([[], 50])
    expect(cluster.log.lines.filter((line) => line.level === 'error')).toMatchObject([
      { message: 'a trace has been ended: its listener threw' },
    ])
  })

  it('a process that is not traced, or no more, holds nothing of it', async () => {
    const pid = actor()
    await cluster.settle()
    node.trace(pid, ALL, () => undefined)()
    const { process } = pid as unknown as { process: { traces: unknown } }
    expect(process.traces).toBeUndefined()
  })

  it('of what is no living process here, with an unknown option or without a function is an error at the caller', async () => {
    const dead = node.spawn(() => undefined)
    const other = await cluster.start('b')
    await cluster.settle()
    const listener = (): void => undefined
    const code = (begin: () => unknown): unknown => {
      try {
        begin()
        return 'it could'
      } catch (error) {
        return (error as { code: unknown }).code
      }
    }
    expect(code(() => node.trace(dead, ALL, listener))).toBe('ERR_BAD_ARGUMENT')
    expect(code(() => node.trace(other.self.pid, ALL, listener))).toBe('ERR_BAD_ARGUMENT')
    expect(code(() => node.trace('some' as never, ALL, listener))).toBe('ERR_BAD_ARGUMENT')
    expect(code(() => node.trace('all', ALL, undefined as never))).toBe('ERR_BAD_ARGUMENT')
    expect(code(() => node.trace('all', { sned: true } as never, listener))).toBe('ERR_BAD_OPTION')
  })
})

describe('counters', () => {
  it('count what happens on the node', async () => {
    const before = node.counters()
    const crasher = node.spawn(() => {
      throw new Error('crash')
    })
    const idle = node.spawn(
      handler((self) => {
        self.alias()
        self.sendAfter(1_000, self.pid, 'later')
        return () => undefined
      }),
      { name: 'idle' },
    )
    node.send(idle, 1)
    expect(node.counters().runQueueLength).toBe(2)
    await cluster.settle()
    expect(node.isProcessAlive(crasher)).toBe(false)
    const after = node.counters()
    const differences = Object.fromEntries(
      Object.entries(after).map(([name, value]) => [name, value - before[name as keyof typeof before]]),
    )
    expect(differences).toEqual({
      processes: 1,
      processesSpawned: 2,
      processesExited: 1,
      processesCrashed: 1,
      messagesDelivered: 1,
      messagesDropped: 0,
      turns: expect.any(Number),
      runQueueLength: 0,
      timers: 1,
      aliases: 1,
      registeredNames: 1,
      longSchedules: 0,
      largeMailboxes: 0,
      nodes: 0,
      bufferedBytes: 0,
      waitingSignals: 0,
      signalsSent: 0,
      signalsReceived: 0,
      busySends: 0,
      connectionsLost: 0,
      protocolErrors: 0,
      handshakesRefused: 0,
      handshakesTimedOut: 0,
      handshakesMalformed: 0,
      handshakesEvicted: 0,
    })
    expect(differences['turns']).toBeGreaterThan(0)
    await cluster.start('b')
    expect(node.counters().nodes).toBe(1)
  })
})
