import { handler, type Node, type Pid } from '@pidmesh/runtime'
import { TestCluster } from '@pidmesh/runtime/testing'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { itemsOf } from '../../src/few.ts'
import type { LocalPid } from '../../src/process/process.ts'

const KILOBYTES_100 = new Uint8Array(100 * 1024)

describe('sendOk', () => {
  let cluster: TestCluster
  let near: Node
  let far: Node
  let got: number
  let sink: Pid

  beforeEach(async () => {
    cluster = new TestCluster({ latencyMs: 10 })
    near = await cluster.start('a')
    far = await cluster.start('b')
    await cluster.advance(100)
    got = 0
    sink = far.spawn(handler(() => () => void got++))
  })

  afterEach(async () => {
    await cluster.stop()
  })

  it('waits while the connection is busy, so that any amount can be sent: it is never closed for it', async () => {
    const statuses = new Set<string>()
    let sent = 0
    near.spawn(async (self) => {
      // 40 MB, where 16 MiB would close the connection.
      for (; sent < 400; sent++) statuses.add(await self.sendOk(sink, KILOBYTES_100))
    })
    await cluster.settle()
    expect(sent).toBeLessThan(20)
    await cluster.advance(5_000)
    expect([sent, got, [...statuses], near.nodes()]).toEqual([400, 400, ['ok'], [far.name]])
  })

  it('resolves at once on its own node, or if there is room', async () => {
    const outcomes: unknown[] = []
    near.spawn(async (self) => {
      outcomes.push(await self.sendOk(self.pid, 'here'), await self.sendOk(sink, 'there'))
    })
    await cluster.settle()
    expect(outcomes).toEqual(['ok', 'ok'])
  })

  it('resolves with noconnection if there is none, or if it ends meanwhile', async () => {
    const outcomes: unknown[] = []
    near.spawn(async (self) => {
      let status: string = 'ok'
      while (status === 'ok') {
        status = await self.sendOk(sink, KILOBYTES_100)
        outcomes.push(status)
      }
      outcomes.push(await self.sendOk(sink, 'to nobody'))
    })
    await cluster.settle()
    cluster.crash('b')
    await cluster.advance(100)
    expect(outcomes.slice(-2)).toEqual(['noconnection', 'noconnection'])
  })

  it('rejects when its process is killed while it waits', async () => {
    const outcomes: unknown[] = []
    cluster.partition(['a'], ['b'])
    const pid = near.spawn(async (self) => {
      for (let i = 0; i < 20; i++) self.send(sink, KILOBYTES_100)
      await self.sendOk(sink, 'more').catch((error: { code: unknown }) => outcomes.push(error.code))
    })
    await cluster.settle()
    near.exit(pid, 'kill')
    await cluster.settle()
    expect(outcomes).toEqual(['ERR_PROCESS_EXITED'])
  })

  it('that has been waited for leaves nothing in its process', async () => {
    let left: unknown[] = []
    let waited = 0
    near.spawn(async (self) => {
      const { process } = self.pid as LocalPid
      for (let n = 0; n < 30; n++) {
        const sent = self.sendOk(sink, KILOBYTES_100)
        waited += [...itemsOf(process?.exitHooks)].length
        await sent
      }
      left = [...itemsOf(process?.exitHooks)]
    })
    await cluster.advance(1_000)
    expect([waited > 0, left]).toEqual([true, []])
  })

  it('keeps the order of messages, whoever waits', async () => {
    const order: unknown[] = []
    const keeper = far.spawn(handler(() => (message) => void order.push((message as [number])[0])))
    near.spawn(async (self) => {
      const waiting = Array.from({ length: 30 }, (_, n) => self.sendOk(keeper, [n, KILOBYTES_100]))
      self.send(keeper, [30])
      await Promise.all(waiting)
      self.send(keeper, [31])
    })
    await cluster.advance(1_000)
    expect(order).toEqual(Array.from({ length: 32 }, (_, n) => n))
  })

  it('hundreds who wait do not go on all at once, which would fill the connection beyond its limit', async () => {
    let done = 0
    // Who sends something small, and is told to wait.
    for (let i = 0; i < 20; i++) near.send(sink, KILOBYTES_100)
    for (let process = 0; process < 400; process++) {
      near.spawn(async (self) => {
        await self.sendOk(sink, 'small')
        // 80 MB, had they gone on all at once.
        for (let i = 0; i < 2; i++) await self.sendOk(sink, KILOBYTES_100)
        done++
      })
    }
    let most = 0
    for (let rounds = 0; done < 400 && rounds < 2_000; rounds++) {
      await cluster.advance(10)
      most = Math.max(most, near.counters().bufferedBytes)
    }
    await cluster.advance(1_000)
    expect([done, got, near.nodes()]).toEqual([400, 20 + 1_200, [far.name]])
    expect(most).toBeLessThan(4 * 1024 * 1024)
  })
})

describe('one turn that sends more than a connection may hold', () => {
  it('is told noconnection from 16 MiB on, costs no more than that, and ends the connection with buffer_limit', async () => {
    const cluster = new TestCluster({ latencyMs: 10 })
    const near = await cluster.start('a')
    const far = await cluster.start('b')
    await cluster.advance(100)
    let got = 0
    const sink = far.spawn(handler(() => () => void got++))
    const seen: unknown[] = []
    near.spawn(
      handler((self) => {
        self.monitorNodes(true)
        self.monitor(sink)
        return (message) => void seen.push(message)
      }),
    )
    await cluster.advance(100)
    const statuses = new Set<string>()
    let most = 0
    for (let n = 0; n < 500; n++) {
      statuses.add(near.send(sink, new Uint8Array(1024 * 1024)))
      most = Math.max(most, near.counters().bufferedBytes)
    }
    expect([...statuses]).toEqual(['busy', 'noconnection'])
    expect(most).toBeLessThan(18 * 1024 * 1024)
    await cluster.advance(100)
    expect(seen.slice(0, 2)).toMatchObject([
      { type: 'DOWN', reason: 'noconnection' },
      { type: 'nodedown', reason: 'buffer_limit' },
    ])
    await cluster.advance(5_000)
    expect(near.nodes()).toEqual([far.name])
    expect(got).toBeLessThan(18)
    const lost = cluster.log.lines.find(
      ({ message, fields }) => message === 'node down' && fields['reason'] === 'buffer_limit',
    )
    expect(lost).toMatchObject({ level: 'warn', fields: { lostBytes: expect.any(Number) } })
    await cluster.stop()
  })
})

describe('a connection that takes nothing', () => {
  it('ends with no_progress after ten seconds, though both sides are heard', async () => {
    const cluster = new TestCluster({ latencyMs: 10 })
    const near = await cluster.start('a', { netTickTimeMs: 60_000 })
    const far = await cluster.start('b', { netTickTimeMs: 60_000 })
    await cluster.advance(100)
    const seen: unknown[] = []
    near.spawn(
      handler((self) => {
        self.monitorNodes(true)
        return (message) => void seen.push(message)
      }),
    )
    const sink = far.spawn(handler(() => () => undefined))
    cluster.network.cut('a', 'b')
    near.send(sink, KILOBYTES_100)
    await cluster.advance(9_000)
    expect(near.nodes()).toEqual([far.name])
    await cluster.advance(12_000)
    expect(seen).toMatchObject([{ type: 'nodedown', reason: 'no_progress' }])
    await cluster.stop()
  })

  it('is another than one that takes little: that goes on for as long as something is passed on', async () => {
    const cluster = new TestCluster({ latencyMs: 10 })
    const near = await cluster.start('a', { netTickTimeMs: 60_000 })
    const far = await cluster.start('b', { netTickTimeMs: 60_000 })
    await cluster.advance(100)
    let got = 0
    const sink = far.spawn(handler(() => () => void got++))
    cluster.network.setRate('a', 'b', 100 * 1024)
    // 30 seconds of it.
    for (let n = 0; n < 30; n++) near.send(sink, KILOBYTES_100)
    await cluster.advance(25_000)
    expect([got < 30, near.nodes()]).toEqual([true, [far.name]])
    await cluster.advance(10_000)
    expect([got, near.nodes()]).toEqual([30, [far.name]])
    await cluster.stop()
  })
})
