import { describe, expect, it, onTestFinished } from 'vitest'
import type { Connection } from '../src/connection.ts'
import type { OnDemand } from '../src/on-demand.ts'
import { Subscriptions, type SubscriptionsOptions } from '../src/subscriptions.ts'

/** Answers when the test says so, or at once if it does not say. */
class FakeConnection {
  isOpen = true
  /** In the order in which it was asked. */
  readonly subscribed: string[] = []
  readonly left: string[] = []
  answer: (channel: string) => Promise<void> = () => Promise.resolve()

  subscribe(channel: string): Promise<void> {
    this.subscribed.push(channel)
    return this.answer(channel)
  }

  async unsubscribe(channel: string): Promise<void> {
    this.left.push(channel)
  }

  get real(): Connection {
    return this as unknown as Connection
  }
}

/** A node with one connection at a time: another one when that is lost. */
class FakeNode {
  readonly connections: FakeConnection[] = [new FakeConnection()]
  private readonly made: (connection: FakeConnection) => void

  constructor(made: (connection: FakeConnection) => void = () => undefined) {
    this.made = made
    this.made(this.last)
  }

  get last(): FakeConnection {
    return this.connections.at(-1) ?? new FakeConnection()
  }

  get(): Promise<Connection> {
    if (!this.last.isOpen) {
      this.connections.push(new FakeConnection())
      this.made(this.last)
    }
    return Promise.resolve(this.last.real)
  }

  has(connection: Connection): boolean {
    return this.last.real === connection
  }

  get real(): OnDemand {
    return this as unknown as OnDemand
  }
}

function start(options: Pick<SubscriptionsOptions, 'home'> & Partial<SubscriptionsOptions>): {
  readonly subscriptions: Subscriptions
  readonly listen: (channel: string) => Promise<void>
} {
  const ending = new AbortController()
  onTestFinished(() => ending.abort())
  const subscriptions = new Subscriptions({
    isSharded: false,
    signal: ending.signal,
    redirected: () => undefined,
    refresh: () => Promise.resolve(),
    ...options,
  })
  return { subscriptions, listen: (channel) => subscriptions.listen(channel, (place) => place()) }
}

function lose(subscriptions: Subscriptions, connection: FakeConnection): void {
  connection.isOpen = false
  subscriptions.onLost(connection.real)
}

function held(): { readonly answer: () => Promise<void>; readonly come: () => void } {
  let come = (): void => undefined
  const coming = new Promise<void>((resolve) => (come = resolve))
  return { answer: () => coming, come: () => come() }
}

describe('a channel', () => {
  it('whose connection is lost in the moment in which it is subscribed is subscribed again', async () => {
    const node = new FakeNode()
    const { subscriptions, listen } = start({ home: () => node.real })
    const { answer, come } = held()
    const [first] = node.connections as [FakeConnection]
    first.answer = answer
    const listening = listen('a')
    await expect.poll(() => first.subscribed).toEqual(['a'])
    // The answer, and the end, in one chunk of bytes.
    come()
    lose(subscriptions, first)
    await listening
    await expect.poll(() => node.connections[1]?.subscribed).toEqual(['a'])
  })

  it('that has moved is subscribed again, if it is its connection that says so', async () => {
    const node = new FakeNode()
    const { subscriptions, listen } = start({ home: () => node.real })
    await Promise.all(['a', 'b'].map(listen))
    subscriptions.onMoved('a', new FakeConnection().real)
    subscriptions.onMoved('b', node.last.real)
    await expect.poll(() => subscriptions.unsettledUntilMs).toBeLessThan(Infinity)
    expect(node.last.subscribed).toEqual(['a', 'b', 'b'])
  })

  it('that belongs elsewhere now is left where it was, and others stay', async () => {
    const nodes = [new FakeNode(), new FakeNode()] as const
    const moved = new Set<string>()
    const { subscriptions, listen } = start({ home: (channel) => nodes[moved.has(channel) ? 1 : 0].real })
    await Promise.all(['a', 'b'].map(listen))
    moved.add('b')
    subscriptions.check()
    await expect.poll(() => nodes[1].last.subscribed).toEqual(['b'])
    expect([nodes[0].last.subscribed, nodes[0].last.left]).toEqual([['a', 'b'], ['b']])
  })

  it('that is given up before it is subscribed is left when it is', async () => {
    const node = new FakeNode()
    const { subscriptions, listen } = start({ home: () => node.real })
    const { answer, come } = held()
    node.last.answer = answer
    const listening = listen('a')
    await expect.poll(() => node.last.subscribed).toEqual(['a'])
    await subscriptions.unlisten('a')
    come()
    await listening
    expect([node.last.left, subscriptions.isWanted('a')]).toEqual([['a'], false])
  })

  it('that can’t be listened to is not wanted, unless it was before', async () => {
    const node = new FakeNode()
    const { subscriptions, listen } = start({ home: () => node.real })
    await listen('a')
    node.last.answer = () => Promise.reject(new Error('no'))
    lose(subscriptions, node.last)
    await node.get()
    node.last.answer = () => Promise.reject(new Error('no'))
    await expect(listen('a')).rejects.toThrow('no')
    await expect(listen('b')).rejects.toThrow('no')
    expect(['a', 'b'].map((channel) => subscriptions.isWanted(channel))).toEqual([true, false])
    node.last.answer = () => Promise.resolve()
    await expect.poll(() => subscriptions.unsettledUntilMs).toBeLessThan(Infinity)
    expect(node.last.subscribed.at(-1)).toBe('a')
  })

  it('is looked for where it is said to be, and not for ever', async () => {
    const says = (connection: FakeConnection): void => {
      connection.answer = () => Promise.reject(new Error('elsewhere'))
    }
    const nodes = Array.from({ length: 20 }, () => new FakeNode(says))
    const next = (connection: Connection): OnDemand | undefined =>
      nodes[nodes.findIndex((node) => node.has(connection)) + 1]?.real
    const { listen } = start({ home: () => (nodes[0] ?? new FakeNode()).real, redirected: (_, from) => next(from) })
    await expect(listen('a')).rejects.toThrow('elsewhere')
    expect(nodes.filter(({ last }) => last.subscribed.length > 0)).toHaveLength(9)
    const [, , third] = nodes
    if (third !== undefined) third.last.answer = () => Promise.resolve()
    await listen('a')
    expect(third?.last.subscribed).toEqual(['a', 'a'])
  })
})

describe('channels of a connection that was lost', () => {
  it('are listened to again also if so many others can’t be that those are not all tried at once', async () => {
    const isRefused = (channel: string): boolean => channel.startsWith('refused')
    let isNew = false
    const node = new FakeNode((connection) => {
      if (isNew)
        connection.answer = (channel) => (isRefused(channel) ? Promise.reject(new Error('no')) : Promise.resolve())
    })
    const { subscriptions, listen } = start({ home: () => node.real })
    for (let n = 0; n < 1_500; n++) await listen(`refused ${n}`)
    await listen('a')
    isNew = true
    lose(subscriptions, node.last)
    await expect.poll(() => node.connections[1]?.subscribed ?? []).toContain('a')
    expect(subscriptions.unsettledUntilMs).toBe(Infinity)
  })
})
