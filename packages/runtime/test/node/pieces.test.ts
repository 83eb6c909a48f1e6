/**
 * Frames of many signals, and requests, between two nodes on the memory network.
 */
import { handler, type Node, type Pid, type Ref } from '@pidmesh/runtime'
import { TestCluster } from '@pidmesh/runtime/testing'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'

const COUNT = 1_000

let cluster: TestCluster
let a: Node
let b: Node
let log: unknown[]
let receiver: Pid

beforeEach(async () => {
  cluster = new TestCluster()
  a = await cluster.start('a')
  b = await cluster.start('b')
  log = []
  receiver = b.spawn(
    handler((self) => {
      self.monitorNode(a.name, true)
      return (message) => void log.push((message as { type?: string }).type ?? message)
    }),
  )
  await cluster.settle()
})

afterEach(async () => {
  await cluster.stop()
})

const numbers = Array.from({ length: COUNT }, (_, n) => n)

describe('A frame of many signals', () => {
  /** Sends it. Resolves with how many signals had to wait at b. */
  const mostThatWait = async (): Promise<number> => {
    for (const n of numbers) a.send(receiver, n)
    let most = 0
    b.clock.setTimer(1, function look() {
      most = Math.max(most, b.counters().waitingSignals)
      if (log.length < COUNT) b.clock.setTimer(0, look)
    })
    await cluster.advance(10)
    return most
  }

  it('is taken in by pieces, in order, and between them others get theirs', async () => {
    expect(await mostThatWait()).toBeGreaterThan(100)
    expect(log).toEqual(numbers)
    expect(b.counters().waitingSignals).toBe(0)
  })

  it('is taken in at once if its sender has something else to do with, for an eighth of a tick', async () => {
    const busy = a.spawn(handler(() => () => undefined))
    const sendTwoFrames = async (): Promise<void> => {
      for (let n = 0; n < 2; n++) {
        b.send(busy, n)
        await cluster.settle()
      }
    }
    await sendTwoFrames()
    expect(await mostThatWait()).toBe(0)
    expect(log).toEqual(numbers)
    log = []
    await sendTwoFrames()
    await cluster.advance(200)
    expect(await mostThatWait()).toBeGreaterThan(100)
  })

  it('is taken in to its end before the sender’s goodbye', async () => {
    for (const n of numbers) a.send(receiver, n)
    await cluster.run(a.stop())
    await cluster.advance(10)
    expect(log).toEqual([...numbers, 'nodedown'])
  })

  it('is taken in to its end before the end of a connection that breaks behind it', async () => {
    for (const n of numbers) a.send(receiver, n)
    await cluster.settle()
    cluster.crash('a')
    await cluster.advance(10)
    expect(log).toEqual([...numbers, 'nodedown'])
  })

  it('ends where it leads to the end of its own connection', async () => {
    const breaker = b.spawn(handler(() => () => void b.disconnectNode(a.name)))
    a.send(receiver, 'before')
    a.send(breaker, 'now')
    for (const n of numbers) a.send(receiver, n)
    await cluster.advance(10)
    // What has been delivered before the breaker's turn came was there before the end; of the rest nothing comes.
    expect(log[0]).toBe('before')
    expect(log.at(-1)).toBe('nodedown')
    expect(log.length).toBeLessThan(COUNT)
    expect(log.slice(1, -1)).toEqual(numbers.slice(0, log.length - 2))
  })
})

describe('A request to another node', () => {
  const ask = (replyTo: Ref): unknown => replyTo
  const watchers = (): readonly Pid[] => b.processInfo(server)?.monitoredBy ?? []
  let server: Pid
  let asked: Ref[]

  beforeEach(() => {
    asked = []
    server = b.spawn(handler(() => (replyTo) => void asked.push(replyTo as Ref)))
  })

  it('is one signal, and its answer another: no monitor is left on either side', async () => {
    const before = [a.counters().signalsSent, b.counters().signalsSent]
    const answered = a.request(server, ask, 5_000)
    await cluster.advance(10)
    expect(watchers()).toEqual([a.self.pid])
    b.send(asked[0] as Ref, 'here')
    expect(watchers()).toEqual([])
    expect(await cluster.run(answered)).toEqual({ type: 'reply', value: 'here' })
    await cluster.advance(10_000)
    const after = [a.counters().signalsSent, b.counters().signalsSent]
    expect(after.map((count, index) => count - (before[index] ?? 0))).toEqual([1, 1])
    expect(a.processInfo(a.self.pid)?.monitors).toEqual([])
  })

  it('that is answered from a third node ends the monitor on the second too', async () => {
    const c = await cluster.start('c')
    const answered = a.request(server, ask, 5_000)
    await cluster.advance(10)
    c.send(asked[0] as Ref, 'from elsewhere')
    expect(await cluster.run(answered)).toEqual({ type: 'reply', value: 'from elsewhere' })
    await cluster.advance(1_000)
    expect(watchers()).toEqual([])
  })

  it('that is answered from its node before it has come there leaves no monitor there', async () => {
    const hasty = b.spawn(handler((self) => (replyTo) => void self.send(replyTo as Ref, 'early')))
    const build = (replyTo: Ref): unknown => {
      a.send(hasty, replyTo)
      return [replyTo, new Uint8Array(1_000_000)]
    }
    expect(await cluster.run(a.request(server, build, 5_000))).toEqual({ type: 'reply', value: 'early' })
    await cluster.advance(1_000)
    expect(asked).toHaveLength(1)
    expect(watchers()).toEqual([])
  })

  it('whose alias was told otherwise, and not with a message, leaves no monitor either', async () => {
    const answered = a.self.awaitAnswer(
      server,
      (replyTo) => void a.send(server, replyTo),
      5_000,
      (outcome) => outcome,
    )
    await cluster.advance(10)
    expect(watchers()).toEqual([a.self.pid])
    b.send(asked[0] as Ref, 'here')
    expect(await cluster.run(answered)).toEqual({ type: 'reply', value: 'here' })
    await cluster.advance(1_000)
    expect(watchers()).toEqual([])
  })

  it('that times out ends the monitor, and a late answer harms nobody', async () => {
    const answered = a.request(server, ask, 100)
    await cluster.advance(200)
    expect(await answered).toEqual({ type: 'timeout' })
    await cluster.advance(1_000)
    expect(watchers()).toEqual([])
    b.send(asked[0] as Ref, 'late')
    await cluster.advance(10)
    expect(a.counters().aliases).toBe(0)
  })

  it('to a name, to nobody, and to one who ends is told how it ends', async () => {
    b.register('server', server)
    const named = a.request({ name: 'server', node: b.name }, ask, 5_000)
    const nobody = a.request({ name: 'nobody', node: b.name }, ask, 5_000)
    await cluster.advance(10)
    b.exit(server, 'boom')
    expect(await cluster.run(Promise.all([named, nobody]))).toEqual([
      { type: 'down', reason: 'boom' },
      { type: 'down', reason: 'noproc' },
    ])
  })

  it('that can’t be sent leaves no monitor', async () => {
    await expect(a.request(server, () => () => 1, 5_000)).rejects.toMatchObject({ code: 'ERR_NOT_SENDABLE' })
    await cluster.advance(10)
    expect(watchers()).toEqual([])
    expect(a.processInfo(a.self.pid)?.monitors).toEqual([])
  })

  it('whose building ends the connection is told so', async () => {
    const cut = a.request(
      server,
      (replyTo) => {
        a.disconnectNode(b.name)
        return replyTo
      },
      5_000,
    )
    expect(await cluster.run(cut)).toEqual({ type: 'down', reason: 'noconnection' })
  })

  it('an alias that is no request’s ends no monitor of the same process', async () => {
    const watcher = a.spawn(
      handler((self) => {
        const ref = self.monitor(server, { alias: 'explicit_unalias' })
        self.send(server, ref)
        return (message) => void log.push((message as { type?: string }).type ?? message)
      }),
    )
    await cluster.advance(10)
    b.send(asked[0] as Ref, 'to the alias')
    await cluster.advance(10)
    expect(watchers()).toEqual([watcher])
    b.exit(server, 'kill')
    await cluster.advance(10)
    expect(log).toEqual(['to the alias', 'DOWN'])
  })
})
