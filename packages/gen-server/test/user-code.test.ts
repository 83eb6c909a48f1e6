/**
 * What the code of servers and callers throws, rejects and forgets.
 */
import { call, cast, GenServer, start, type Call } from '@pidmesh/gen-server'
import type { Node } from '@pidmesh/runtime'
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

class Mute extends GenServer<Call<{ type: 'x' }, never>, () => number> {
  override handleCall() {
    return this.noreply()
  }
}

describe('call', () => {
  it('of two calls side by side, of which one is awaited, a kill makes no unhandled rejection', async () => {
    const server = await cluster.run(start(a, Mute, []))
    const faults = await faultsOf(async () => {
      const pid = a.spawn(async (self) => {
        const first = call(self, server, { type: 'x' })
        const second = call(self, server, { type: 'x' })
        await first
        await second
      })
      await cluster.settle()
      a.exit(pid, 'kill')
      await cluster.settle()
      expect(a.isProcessAlive(pid)).toBe(false)
    })
    expect(faults).toEqual([])
  })
})

describe('cast', () => {
  it('throws at the caller what can not be sent to another node, and takes it for a server of the same node', async () => {
    const b = await cluster.start('b')
    const server = await cluster.run(start(a, Mute, []))
    expect(() => cast(b, server, () => 1)).toThrowError(expect.objectContaining({ code: 'ERR_NOT_SENDABLE' }))
    expect(() => cast(a, server, () => 1)).not.toThrow()
    expect(b.nodes()).toEqual([a.name])
  })
})

describe('messages of the protocol of servers', () => {
  const garbage: unknown[] = [
    { type: '$gen_call' },
    { type: '$gen_call', from: null, request: 1 },
    { type: '$gen_call', from: { pid: 7, tag: 7 }, request: 1 },
    { type: '$gen_ready' },
    { type: '$gen_ready', replyTo: 'nobody' },
  ]

  it.each(garbage)('that are malformed are as any other message: %j', async (message) => {
    const got: unknown[] = []
    class Listener extends GenServer {
      override handleInfo(info: unknown) {
        got.push(info)
      }
    }
    const server = await cluster.run(start(a, Listener, []))
    a.send(server, message)
    await cluster.settle()
    expect(got).toEqual([message])
    expect(a.isProcessAlive(server)).toBe(true)
  })
})

describe('terminate', () => {
  class Stubborn extends GenServer<never, 'throw' | 'reject' | 'never'> {
    private how = ''

    override handleCast(how: 'throw' | 'reject' | 'never') {
      this.how = how
      return this.stop('bye')
    }

    override terminate(): void | Promise<void> {
      if (this.how === 'throw') throw new Error('thrown')
      if (this.how === 'reject') return Promise.reject(new Error('rejected'))
      return new Promise(() => undefined)
    }
  }

  it.each(['throw', 'reject', 'never'] as const)(
    'that should %s makes no unhandled rejection, also if a kill comes upon it',
    async (how) => {
      const server = await cluster.run(start(a, Stubborn, []))
      const faults = await faultsOf(async () => {
        cast(a, server, how)
        await cluster.settle()
        a.exit(server, 'kill')
        await cluster.settle()
      })
      expect(faults).toEqual([])
      expect(a.isProcessAlive(server)).toBe(false)
    },
  )
})
