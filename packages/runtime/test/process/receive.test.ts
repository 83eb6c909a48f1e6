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
})
