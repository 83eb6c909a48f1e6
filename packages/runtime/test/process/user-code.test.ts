/**
 * What user code throws, rejects, forgets and passes on: it ends its own process at most.
 */
import { handler, Ref, type Context, type Node } from '@pidmesh/runtime'
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

/** What a caller without types, or with wrong ones, passes. */
const untyped = (value: unknown): never => value as never

const badArgument = expect.objectContaining({ code: 'ERR_BAD_ARGUMENT' })

/** A value that has a `then` and is no promise. */
// oxlint-disable-next-line unicorn/no-thenable -- it is what is tested
const thenable = (then: PropertyDescriptor): never => untyped(Object.defineProperty({}, 'then', then))

function brokenPromiseLike(): never {
  return thenable({
    value: () => {
      throw new Error('then')
    },
  })
}

describe('a plain process that gives a function', () => {
  const warnings = (): unknown[] =>
    cluster.log.lines.flatMap(({ level, fields }) =>
      fields['report'] === 'function_returned'
        ? [[level, fields['pid'], fields['registeredName'], fields['label']]]
        : [],
    )

  it.each<[string, (self: Context) => unknown]>([
    ['at once', () => () => undefined],
    ['by a promise', async () => () => undefined],
  ])('%s is warned of, for its handler is lost: the process ends as ever', async (_how, body) => {
    const pid = a.spawn(body, { name: 'orders', label: 'takes orders' })
    expect(await cluster.run(a.self.awaitDown(pid, 1_000))).toBe('normal')
    expect(warnings()).toEqual([['warn', pid.toString(), 'orders', 'takes orders']])
  })

  it('is not warned of if it was killed before; nor is one that gives anything else', async () => {
    a.spawn((self) => {
      self.exit(self.pid, 'kill')
      return () => undefined
    })
    a.spawn(() => ({ handler: () => undefined }))
    a.spawn(handler(() => () => undefined))
    await cluster.settle()
    expect(warnings()).toEqual([])
  })
})

describe('receive', () => {
  const broken = {
    match: () => {
      throw new Error('bad predicate')
    },
  }

  it('a predicate that throws rejects its receive, and the next receive gets the message', async () => {
    const seen: unknown[] = []
    a.spawn(async (self) => {
      self.send(self.pid, 'x')
      await self.receive(broken).catch((error: Error) => seen.push(error.message))
      seen.push(await self.receive())
    })
    await cluster.settle()
    expect(seen).toEqual(['bad predicate', 'x'])
  })

  it('a predicate that throws when the timer looks into the mailbox once more ends its process only', async () => {
    const pid = a.spawn(async (self) => void (await self.receive({ ...broken, timeoutMs: 10 })))
    await cluster.settle()
    // The message comes in the very moment of the timer: it is in the mailbox, and its turn has not yet come.
    cluster.clock.setTimer(9, () => void a.send(pid, 'x'))
    cluster.clock.fireNext(9)
    expect(() => cluster.clock.fireNext(10)).not.toThrow()
    await cluster.settle()
    expect(a.isProcessAlive(pid)).toBe(false)
  })
})

describe('a kill', () => {
  it('makes no unhandled rejection of a receive, or a request, that would have been awaited later', async () => {
    const mute = a.spawn(handler(() => () => undefined))
    const forever = new Promise<never>(() => undefined)
    const faults = await faultsOf(async () => {
      const pids = [
        a.spawn(async (self) => {
          const message = self.receive('answer')
          await forever
          await message
        }),
        a.spawn(async (self) => {
          const outcome = self.request(mute, () => 'x', 1_000)
          await forever
          await outcome
        }),
      ]
      await cluster.settle()
      for (const pid of pids) a.exit(pid, 'kill')
      await cluster.settle()
      expect(pids.map((pid) => a.isProcessAlive(pid))).toEqual([false, false])
    })
    expect(faults).toEqual([])
  })
})

describe('a process of any odd form', () => {
  const forms: Record<string, () => void> = {
    'a handler that kills itself and then throws': () => {
      const pid = a.spawn(
        handler((self) => async () => {
          self.exit(self.pid, 'kill')
          throw new Error('after')
        }),
      )
      a.send(pid, 1)
    },
    'a function that kills itself and rejects later': () => {
      a.spawn(async (self) => {
        self.exit(self.pid, 'kill')
        await Promise.resolve()
        throw new Error('after')
      })
    },
    'a function that kills itself and returns a rejection': () => {
      a.spawn((self) => {
        self.exit(self.pid, 'kill')
        return Promise.reject(new Error('late'))
      })
    },
    'an init that rejects': () => void a.spawn(handler<unknown>(() => Promise.reject(new Error('init')))),
    'an init that gives a thenable that throws': () => void a.spawn(handler(brokenPromiseLike)),
    'a function that gives a thenable that throws': () => void a.spawn(brokenPromiseLike),
    'a function that gives a `then` that throws when it is read': () => {
      a.spawn(() =>
        thenable({
          get: () => {
            throw new Error('getter')
          },
        }),
      )
    },
    'a handler that gives a thenable that throws': () => void a.send(a.spawn(handler(() => brokenPromiseLike)), 1),
  }

  it.each(Object.entries(forms))('%s: ends, and nothing else does', async (_form, spawn) => {
    const faults = await faultsOf(async () => {
      spawn()
      await cluster.settle()
    })
    expect(faults).toEqual([])
    expect(a.processes()).toEqual([a.self.pid])
  })

  it('a thenable that settles twice does not make a handler run twice at the same time', async () => {
    let resolveAgain = (): void => undefined
    let running = 0
    let most = 0
    const pid = a.spawn(
      handler(() => (message) => {
        if (message === 'twice') {
          return thenable({
            value: (resolve: () => void) => {
              resolveAgain = resolve
              resolve()
            },
          })
        }
        most = Math.max(most, ++running)
        return new Promise<void>(() => undefined)
      }),
    )
    a.send(pid, 'twice')
    await cluster.settle()
    a.send(pid, 'first')
    a.send(pid, 'second')
    await cluster.settle()
    resolveAgain()
    await cluster.settle()
    expect(most).toBe(1)
  })
})

describe('an argument that makes no sense', () => {
  it('a send to, a monitor of and a request to a name on a node that no process can have are errors at the caller', async () => {
    const b = await cluster.start('b')
    const errors: unknown[] = []
    const attempt = (act: () => unknown): void => {
      try {
        errors.push(act())
      } catch (error) {
        errors.push(error)
      }
    }
    a.spawn((self) => {
      for (const name of ['', 'x'.repeat(256), 'x'.repeat(10 * 1024 * 1024)]) {
        const target = { name, node: b.name }
        attempt(() => self.send(target, 'x'))
        attempt(() => self.monitor(target))
        attempt(() => self.request(target, () => 'x', 1_000))
      }
    })
    await cluster.advance(50)
    expect(errors).toEqual(new Array(9).fill(badArgument))
    expect(cluster.log.lines.filter(({ message }) => message === 'peer broke the protocol')).toEqual([])
    expect(a.nodes()).toEqual([b.name])
  })

  it('a request to what is no destination throws at once and leaves no alias', async () => {
    const { kernel } = a as unknown as { kernel: { aliases: { size: number } } }
    for (const target of [undefined, null, 7, {}, '']) {
      expect(() => a.request(untyped(target), () => 'x', Infinity)).toThrowError(badArgument)
    }
    expect(kernel.aliases.size).toBe(0)
  })

  it('a reference of another node cancels no timer and ends no monitor here, though it has the same number', async () => {
    const b = await cluster.start('b')
    const messages: unknown[] = []
    const refs: Ref[] = []
    let context: Context | undefined
    const other = a.spawn(handler(() => () => undefined))
    a.spawn(
      handler((self) => {
        context = self
        refs.push(self.startTimer(1_000, self.pid, 'x'), self.monitor(other))
        return (message) => void messages.push(message)
      }),
    )
    await cluster.settle()
    const [timer, monitor] = refs.map(({ id }) => new Ref({ name: b.name, incarnation: b.incarnation }, id))
    if (context === undefined || timer === undefined || monitor === undefined) throw new Error('it has not started')
    expect(context.readTimer(timer)).toBeUndefined()
    expect(context.cancelTimer(timer)).toBeUndefined()
    expect(context.demonitor(monitor, { info: true })).toBe(false)
    a.exit(other, 'kill')
    await cluster.advance(1_000)
    expect(messages).toMatchObject([{ type: 'DOWN' }, { type: 'timeout' }])
  })
})
