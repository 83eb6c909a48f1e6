import { handler } from '@pidmesh/runtime'
import { TestCluster } from '@pidmesh/runtime/testing'
import { afterEach, describe, expect, it } from 'vitest'

const cluster = new TestCluster()

afterEach(async () => {
  await cluster.stop()
})

describe('a receive that waits', () => {
  it('misses nothing when another part of its process flushes a DOWN that it has seen already', async () => {
    const node = await cluster.start('a')
    const watched = node.spawn(handler(() => () => undefined))
    const got: unknown[] = []
    const pid = node.spawn(async (self) => {
      const ref = self.monitor(watched)
      await self.receive('go')
      // It looks at the DOWN and at 'first', and takes neither.
      const waiting = self.receive({ match: (message) => message === 'wanted' })
      await self.request('keeper', (replyTo) => replyTo, 1_000)
      self.demonitor(ref, { flush: true })
      // Were the place of the DOWN still counted, this one would be passed over.
      self.send(self.pid, 'wanted')
      got.push(await waiting, await self.receive({ timeoutMs: 0 }), await self.receive({ timeoutMs: 0 }))
    })
    node.spawn(
      handler((self) => (replyTo) => void self.send(replyTo as typeof self.pid, 'now')),
      { name: 'keeper' },
    )
    await cluster.settle()
    node.exit(watched, 'kill')
    node.send(pid, 'first')
    node.send(pid, { type: 'go' })
    await cluster.settle()
    expect(got).toEqual(['wanted', 'first', undefined])
  })

  it('whose predicate ends its own process takes no message, and rejects', async () => {
    const node = await cluster.start('a')
    const outcomes: unknown[] = []
    const pid = node.spawn(async (self) => {
      const receiving = self.receive({ match: () => (self.exit(self.pid, 'kill'), true) })
      await receiving.catch((error: { code: unknown }) => outcomes.push(error.code))
    })
    node.send(pid, 'x')
    await cluster.settle()
    expect(outcomes).toEqual(['ERR_PROCESS_EXITED'])
  })

  it('whose predicate answers with a promise is told so, and what that rejects with ends nothing', async () => {
    const node = await cluster.start('a')
    const codes: unknown[] = []
    const pid = node.spawn(async (self) => {
      const match = (() => Promise.reject(new Error('of the predicate'))) as unknown as () => boolean
      await self.receive({ match }).catch((error: { code: unknown }) => codes.push(error.code))
    })
    node.send(pid, 'x')
    // Nobody heeding it, the test runner would tell of it.
    await cluster.settle()
    await new Promise((resolve) => setImmediate(resolve))
    expect(codes).toEqual(['ERR_BAD_ARGUMENT'])
  })
})

it('a mailbox that has been full takes nothing until half of it has been worked off, and then as much as before', async () => {
  const node = await cluster.start('a')
  const goOn: (() => void)[] = []
  const pid = node.spawn(
    handler(() => () => new Promise<void>((resolve) => goOn.push(resolve))),
    { mailbox: { limit: 10, policy: 'drop' } },
  )
  const dropped = (): number => node.counters().messagesDropped
  await cluster.settle()
  node.send(pid, 'is being handled')
  await cluster.settle()
  for (let n = 1; n < 12; n++) node.send(pid, n)
  expect(dropped()).toBe(1)
  const takes: boolean[] = []
  for (let handled = 0; handled < 7; handled++) {
    goOn.shift()?.()
    await cluster.settle()
    const before = dropped()
    node.send(pid, 'more')
    takes.push(dropped() === before)
  }
  expect(takes).toEqual([false, false, false, false, false, true, true])
})
