import { expect, it } from 'vitest'
import type { Connection } from '../src/connection.ts'
import type { OnDemand } from '../src/on-demand.ts'
import { Subscriptions } from '../src/subscriptions.ts'

/** Answers when the test says so. */
class FakeConnection {
  isOpen = true
  readonly answers: (() => void)[] = []

  subscribe(): Promise<void> {
    return new Promise((resolve) => this.answers.push(resolve))
  }
}

it('a channel whose connection is lost in the moment in which it is subscribed is subscribed again', async () => {
  const connections: FakeConnection[] = []
  const node = {
    get: () => {
      const last = connections.at(-1)
      if (last?.isOpen !== true) connections.push(new FakeConnection())
      return Promise.resolve(connections.at(-1))
    },
  } as unknown as OnDemand
  const ending = new AbortController()
  const subscriptions = new Subscriptions({
    isSharded: false,
    signal: ending.signal,
    home: () => node,
    redirected: () => undefined,
    refresh: () => Promise.resolve(),
  })
  const listening = subscriptions.listen('a', (place) => place())
  await expect.poll(() => connections[0]?.answers.length).toBe(1)
  const [first] = connections as [FakeConnection]
  // The answer, and the end, in one chunk of bytes.
  first.answers[0]?.()
  first.isOpen = false
  subscriptions.onLost(first as unknown as Connection)
  await listening
  await expect.poll(() => connections[1]?.answers.length).toBe(1)
  ending.abort()
})
