import { handler, type Context, type Node, type Pid } from '@pidmesh/runtime'
import { faultsOf, TestCluster } from '@pidmesh/runtime/testing'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'

let cluster: TestCluster
let a: Node

beforeEach(async () => {
  cluster = new TestCluster()
  a = await cluster.start('a')
})

afterEach(async () => {
  await cluster.stop()
})

const badArgument = expect.objectContaining({ code: 'ERR_BAD_ARGUMENT' })

/** How a process ends, as its monitor is told. */
async function endOf(watcher: Node, pid: Pid): Promise<unknown> {
  const downs: unknown[] = []
  watcher.spawn(async (self) => {
    self.monitor(pid)
    downs.push((await self.receive('DOWN')).reason)
  })
  await cluster.advance(10)
  watcher.send(pid, 'go')
  await cluster.advance(10)
  return downs[0]
}

describe.each([[null], [undefined], [42], [false]])('an exit reason that is %s', (value) => {
  const reason = value as never

  it('is an error at its process, which is then its end as any other error is, and the end of no other', async () => {
    const bodies = [
      (self: Context) => self.exit(reason),
      async (self: Context) => {
        await Promise.resolve()
        self.exit(reason)
      },
    ]
    let ran = false
    const faults = await faultsOf(async () => {
      for (const body of bodies) a.spawn(body)
      a.spawn(() => {
        ran = true
      })
      await cluster.settle()
    })
    expect(faults).toEqual([])
    expect(ran).toBe(true)
    expect(a.processes()).toEqual([a.self.pid])
  })

  it('reaches watchers on any node as the error that it is, and their connection stays up', async () => {
    const b = await cluster.start('b')
    for (const watcher of [a, b]) {
      const pid = b.spawn(async (self) => {
        await self.receive()
        self.exit(reason)
      })
      expect(await endOf(watcher, pid)).toMatchObject({ error: { code: 'ERR_BAD_ARGUMENT' } })
    }
    expect(a.nodes()).toEqual([b.name])
  })

  it('is an error at whoever sends it to another process, here or on another node', async () => {
    const b = await cluster.start('b')
    for (const node of [a, b]) {
      const pid = node.spawn(handler(() => () => undefined))
      expect(() => a.exit(pid, reason)).toThrowError(badArgument)
      await cluster.advance(10)
      expect(node.isProcessAlive(pid)).toBe(true)
    }
  })
})

describe('an exit reason that is long', () => {
  it('reaches the watchers of other nodes with the first part of its message and stack, and those here as a whole', async () => {
    const b = await cluster.start('b')
    const crasher = (): Pid =>
      b.spawn(async (self) => {
        await self.receive()
        throw new Error('x'.repeat(3_000))
      })
    expect(await endOf(b, crasher())).toMatchObject({ error: { message: 'x'.repeat(3_000) } })
    expect(await endOf(a, crasher())).toMatchObject({ error: { name: 'Error', message: 'x'.repeat(1_024) } })
  })

  it('and too large to be sent is unsendable_reason on other nodes', async () => {
    const b = await cluster.start('b')
    const pid = b.spawn(async (self) => {
      await self.receive()
      self.exit({ details: 'x'.repeat(100_000) })
    })
    expect(await endOf(a, pid)).toBe('unsendable_reason')
  })
})

describe('the main process', () => {
  it('is ended by nobody, whatever it was told about trapping exits', async () => {
    const b = await cluster.start('b')
    a.self.trapExit = false
    for (const node of [a, b]) {
      for (const reason of ['boom', 'kill', 'normal']) node.spawn((self) => self.exit(a.self.pid, reason))
      node.spawn((self) => {
        self.link(a.self.pid)
        throw new Error('linked')
      })
    }
    await cluster.advance(50)
    expect(a.self.isAlive).toBe(true)
  })
})
