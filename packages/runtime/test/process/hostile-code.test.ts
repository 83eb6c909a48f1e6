/**
 * What an attacker has found: user code that acts in the midst of things, and data that bites whoever reads it. Each harms its own process at most.
 */
import { ExitError, handler, type Context, type Node, type Pid, type Ref } from '@pidmesh/runtime'
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

/** What a watcher of the process is told, and whether the node still runs others. */
function watch(pid: Pid, on: Node = node): { readonly reasons: unknown[] } {
  const reasons: unknown[] = []
  on.spawn(async (self) => {
    self.monitor(pid)
    reasons.push((await self.receive('DOWN')).reason)
  })
  return { reasons }
}

const boom = (): never => {
  throw new Error('boom')
}

const reasons: Record<string, () => unknown> = {
  'a getter that throws': () => Object.defineProperty({}, 'error', { get: boom, enumerable: true }),
  'an error whose message is a symbol': () => ({ error: { name: 'X', message: Symbol('m') } }),
  'an error whose message can not be made a text': () => ({ error: { name: 'X', message: { toString: boom } } }),
  'an error whose name has no prototype': () => ({ error: { name: Object.create(null) as unknown, message: 'm' } }),
  'a proxy that tells nothing': () => new Proxy({}, { has: boom, get: boom, ownKeys: boom }),
  'an error that is one only at first': () => {
    let reads = 0
    const error = { name: 'X', message: 'm' }
    return Object.defineProperty({}, 'error', { get: () => (++reads > 2 ? boom() : error), enumerable: true })
  },
}

describe('an exit reason', () => {
  it.each(Object.keys(reasons))('that is %s ends its process, and nothing else', async (what) => {
    const ends: { readonly reasons: unknown[] }[] = []
    const faults = await faultsOf(async () => {
      const reason = reasons[what]?.() as never
      const bodies = [
        handler(() => () => {
          throw new ExitError(reason, 'ERR_X', 'm')
        }),
        handler(() => async () => {
          await Promise.resolve()
          throw new ExitError(reason, 'ERR_X', 'm')
        }),
        handler((self) => () => self.exit(reason)),
      ]
      for (const body of bodies) {
        const pid = node.spawn(body)
        ends.push(watch(pid))
        await cluster.settle()
        node.send(pid, 'go')
      }
      await cluster.settle()
    })
    expect(faults).toEqual([])
    expect(ends.map((end) => end.reasons.length)).toEqual([1, 1, 1])
  })

  it.each(Object.keys(reasons))('that is %s reaches every watcher, here and on another node', async (what) => {
    const other = await cluster.start('b')
    await cluster.advance(100)
    const pid = node.spawn(handler(() => () => undefined))
    const there = watch(pid, other)
    await cluster.advance(100)
    const here = watch(pid)
    await cluster.settle()
    expect(() => node.exit(pid, reasons[what]?.() as never)).not.toThrow()
    await cluster.advance(100)
    expect([here.reasons.length, there.reasons.length]).toEqual([1, 1])
  })
})

describe('a trace listener', () => {
  it('that kills a process as it is spawned kills it for good: its code never runs', async () => {
    const stop = node.trace('all', { spawn: true }, (event) => {
      if (event.type === 'spawn') node.exit(event.child, 'kill')
    })
    let ran = false
    const pid = node.spawn(() => void (ran = true))
    await cluster.settle()
    stop()
    expect([ran, node.isProcessAlive(pid), node.counters().processesExited]).toEqual([false, false, 1])
  })

  it.each<[string, (self: Context, other: Pid) => void]>([
    ['link', (self, other) => self.link(other)],
    ['send', (self, other) => void self.send(other, 'from the dead')],
    ['spawn', (self) => void self.spawnLink(async (child) => void (await child.receive()))],
  ])('that kills the one who would %s leaves nothing half done', async (kind, act) => {
    const got: unknown[] = []
    const other = node.spawn(handler(() => (message) => void got.push(message)))
    const pid = node.spawn(handler((self) => () => act(self, other)))
    await cluster.settle()
    node.trace(pid, { [kind]: true }, () => node.exit(pid, 'kill'))
    node.send(pid, 'go')
    await cluster.settle()
    expect(node.isProcessAlive(pid)).toBe(false)
    expect([got, node.processInfo(other)?.links, node.processes()]).toEqual([[], [], [node.self.pid, other]])
  })

  it('that is async and rejects is ended and logged, and is no unhandled rejection', async () => {
    const pid = node.spawn(handler(() => () => undefined))
    await cluster.settle()
    const faults = await faultsOf(async () => {
      const listener: (event: unknown) => unknown = async () => Promise.reject(new Error('late'))
      node.trace(pid, { receive: true }, listener)
      node.send(pid, 1)
      await cluster.settle()
    })
    expect(faults).toEqual([])
    expect(cluster.log.lines.filter((line) => line.level === 'error')).toHaveLength(1)
  })
})

describe('a receive', () => {
  it('in an async init of a handler process is an error at once', async () => {
    const codes: unknown[] = []
    const pid = node.spawn(
      handler(async (self) => {
        for (const wait of [() => self.receive(), () => self.receive({ timeoutMs: 0 })]) {
          try {
            await wait()
          } catch (error) {
            codes.push((error as { code: unknown }).code)
          }
        }
        return () => undefined
      }),
    )
    node.send(pid, 'x')
    await cluster.settle()
    expect(codes).toEqual(['ERR_BAD_ARGUMENT', 'ERR_BAD_ARGUMENT'])
  })

  it('whose predicate throws what bites, when its timer looks once more, rejects, and other timers go on', async () => {
    const outcomes: unknown[] = []
    const faults = await faultsOf(async () => {
      node.spawn(async (self) => {
        self.sendAfter(30, self.pid, 'x')
        const match = (): never => {
          throw new Proxy({}, { getPrototypeOf: boom })
        }
        await self.receive({ timeoutMs: 30, match }).catch((error: unknown) => outcomes.push(error))
        self.sendAfter(10, self.pid, 'later')
        outcomes.push(await self.receive(), await self.receive())
      })
      await cluster.advance(100)
    })
    expect(faults).toEqual([])
    expect(outcomes).toEqual([expect.any(Error), 'x', 'later'])
  })

  it('whose predicate answers with a promise rejects: it must answer at once', async () => {
    const codes: unknown[] = []
    const faults = await faultsOf(async () => {
      const pid = node.spawn(async (self) => {
        const match = (async () => Promise.reject(new Error('late'))) as never
        await self.receive({ match }).catch((error: { code: unknown }) => codes.push(error.code))
        codes.push(await self.receive())
      })
      node.send(pid, 'still there')
      await cluster.settle()
    })
    expect([faults, codes]).toEqual([[], ['ERR_BAD_ARGUMENT', 'still there']])
  })

  it.each([true, false])(
    'whose predicate flushes the very message that it looks at, and says %s, loses and misses no other',
    async (answer) => {
      const got: unknown[] = []
      const watched = node.spawn(handler(() => () => undefined))
      const pid = node.spawn(async (self) => {
        self.monitor(watched)
        await self.receive('go')
        const flush = (message: unknown): boolean => {
          const { ref } = message as { ref?: Ref }
          if (ref === undefined) return message === 'second'
          self.demonitor(ref, { flush: true })
          return answer
        }
        got.push(await self.receive({ match: flush }))
        for (;;) got.push(await self.receive())
      })
      await cluster.settle()
      node.exit(watched, 'kill')
      for (const message of ['first', 'second', { type: 'go' }]) node.send(pid, message)
      await cluster.settle()
      if (answer) expect(got).toEqual([expect.objectContaining({ type: 'DOWN' }), 'first', 'second'])
      else expect(got).toEqual(['second', 'first'])
    },
  )

  it('that has worked off a burst gives its memory back', async () => {
    const pid = node.spawn(async (self) => {
      for (;;) await self.receive()
    })
    await cluster.settle()
    const before = node.processInfo(pid)?.memoryBytes
    for (let i = 0; i < 10_000; i++) node.send(pid, i)
    await cluster.settle()
    expect(node.processInfo(pid)?.memoryBytes).toBeLessThanOrEqual(before ?? 0)
  })
})

describe('a request', () => {
  it('whose message can not be built, and whose error does not say what it is, rejects and leaves nothing open', async () => {
    const mute = node.spawn(handler(() => () => undefined))
    const before = node.counters()
    const build = (): never => {
      throw new Proxy({}, { getPrototypeOf: boom })
    }
    await expect(node.request(mute, build, 1_000)).rejects.toBeInstanceOf(Error)
    const { aliases, timers } = node.counters()
    expect({ aliases, timers }).toEqual({ aliases: before.aliases, timers: before.timers })
    expect(node.processInfo(mute)?.monitoredBy).toEqual([])
  })
})

describe('a mailbox that drops', () => {
  it('with room for one takes messages again after what was in it has been flushed', async () => {
    const got: unknown[] = []
    const watched = node.spawn(handler(() => () => undefined))
    const pid = node.spawn(
      async (self) => {
        const ref = self.monitor(watched)
        await self.request('keeper', (replyTo) => replyTo, 1_000)
        self.demonitor(ref, { flush: true })
        for (;;) got.push(await self.receive())
      },
      { mailbox: { limit: 1, policy: 'drop' } },
    )
    let keeper: (() => void) | undefined
    node.spawn(
      handler((self) => (replyTo) => {
        keeper = () => void self.send(replyTo as Ref, 'go on')
      }),
      { name: 'keeper' },
    )
    await cluster.settle()
    node.exit(watched, 'kill')
    node.send(pid, 'refused')
    keeper?.()
    await cluster.settle()
    node.send(pid, 'taken')
    await cluster.settle()
    expect(got).toEqual(['taken'])
  })
})

describe('an abort listener', () => {
  it('finds the requests of its process closed: a reply comes too late', async () => {
    const outcomes: unknown[] = []
    let alias: Ref | undefined
    const mute = node.spawn(handler(() => (replyTo) => void (alias = replyTo as Ref)))
    const pid = node.spawn(async (self) => {
      self.signal.addEventListener('abort', () => {
        if (alias !== undefined) node.send(alias, 'a reply')
      })
      await self
        .request(mute, (replyTo) => replyTo, 1_000)
        .then(
          (outcome) => outcomes.push(outcome),
          (error: { code: unknown }) => outcomes.push(error.code),
        )
    })
    await cluster.settle()
    node.exit(pid, 'kill')
    await cluster.settle()
    expect(outcomes).toEqual(['ERR_PROCESS_EXITED'])
  })

  it('that links another to its own process once more makes no second EXIT', async () => {
    const got: unknown[] = []
    let other: Context | undefined
    node.spawn(
      handler((self) => {
        other = self
        return (message) => void got.push(message)
      }),
      { trapExit: true },
    )
    const pid = node.spawn(async (self) => {
      self.signal.addEventListener('abort', () => other?.link(self.pid))
      await self.receive()
    })
    await cluster.settle()
    other?.link(pid)
    node.exit(pid, 'kill')
    await cluster.settle()
    expect(got).toEqual([{ type: 'EXIT', from: pid, reason: 'killed' }])
  })
})

describe('a promise', () => {
  it('with a `then` of its own that calls back twice does not make a handler run twice at the same time', async () => {
    let running = 0
    let most = 0
    const pid = node.spawn(
      handler(() => () => {
        most = Math.max(most, ++running)
        const promise = Promise.resolve()
        const { then } = promise
        // oxlint-disable-next-line unicorn/no-thenable -- it is what is tested
        return Object.defineProperty(promise, 'then', {
          value: (done: () => void) => {
            done()
            done()
            void Reflect.apply(then, promise, [() => running--])
          },
        })
      }),
    )
    for (let i = 0; i < 5; i++) node.send(pid, i)
    await cluster.settle()
    expect([most, running]).toEqual([1, 0])
  })
})

describe('the main process', () => {
  it('is told of the stop of its node when a request of its own waits', async () => {
    const mute = node.spawn(handler(() => () => undefined))
    const outcome = node.request(mute, () => 'anybody?', 1_000).catch((error: { code: unknown }) => error.code)
    await cluster.run(node.stop())
    expect(await outcome).toBe('ERR_NODE_STOPPED')
  })
})
