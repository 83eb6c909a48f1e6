/**
 * A context travels with each message, and with nothing else: docs/telemetry.md.
 */
import { erpc, handler, type Carrier, type Context, type Node, type Pid, type Propagation } from '@pidmesh/runtime'
import { TestCluster } from '@pidmesh/runtime/testing'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { TextPropagation } from './contexts.ts'

let cluster: TestCluster
/** One for both nodes: they are of one OS process. */
let texts: TextPropagation
let a: Node
let b: Node
/** Has none. */
let plain: Node

beforeEach(async () => {
  cluster = new TestCluster()
  texts = new TextPropagation()
  a = await cluster.start('a', { propagation: texts })
  b = await cluster.start('b', { propagation: texts })
  plain = await cluster.start('plain')
  await cluster.advance(100)
})

afterEach(async () => {
  await cluster.stop()
})

interface Seen {
  readonly pid: Pid
  readonly self: Context
  /** Messages, each with the context in which it was handled. */
  readonly seen: (readonly [message: unknown, context: string | undefined])[]
}

/** A handler process that notes what it gets, and in what context. */
async function sink(node: Node, name?: string): Promise<Seen> {
  const seen: (readonly [unknown, string | undefined])[] = []
  let self: Context | undefined
  const body = handler((context) => {
    self = context
    return (message) => void seen.push([message, texts.active])
  })
  const pid = node.spawn(body, name === undefined ? {} : { name })
  await cluster.settle()
  if (self === undefined) throw new Error('it has not started')
  return { pid, self, seen }
}

describe.each(['a', 'b'])('A message from a to %s is handled in the context of its sender', (name) => {
  const target = (): Node => (name === 'a' ? a : b)

  it('sent to a pid, a name, a name on a node, an alias, and to many', async () => {
    const { pid, self, seen } = await sink(target(), 'sink')
    const other = await sink(target())
    const alias = self.alias()
    texts.within('pid', () => a.send(pid, 1))
    texts.within('name', () => a.send({ name: 'sink', node: target().name }, 2))
    if (name === 'a') texts.within('local name', () => a.send('sink', 3))
    texts.within('alias', () => a.send(alias, 4))
    texts.within('many', () => a.sendAll([pid, other.pid], 5))
    a.send(pid, 6)
    await cluster.advance(10)
    expect(seen).toEqual([
      [1, 'pid'],
      [2, 'name'],
      ...(name === 'a' ? [[3, 'local name']] : []),
      [4, 'alias'],
      [5, 'many'],
      [6, undefined],
    ])
    expect(other.seen).toEqual([[5, 'many']])
  })

  it('a request is; who waits for the reply goes on in his own, and the reply carries nothing', async () => {
    const contexts: unknown[] = []
    const server = target().spawn(
      handler((self) => (message) => {
        contexts.push(texts.active)
        texts.within('the server’s', () => self.send(message as never, 'reply'))
      }),
      { name: 'server' },
    )
    await cluster.settle()
    texts.captures = 0
    for (const object of [server, { name: 'server', node: target().name }]) {
      const asked = texts.within('caller', async () => {
        const outcome = await a.request(object, (replyTo) => replyTo, 1_000)
        return [outcome, texts.active]
      })
      expect(await cluster.run(asked)).toEqual([{ type: 'reply', value: 'reply' }, 'caller'])
    }
    expect(contexts).toEqual(['caller', 'caller'])
    expect(texts.captures).toBe(2)
  })

  it('and so is what its handler does, and what that awaits', async () => {
    const last = await sink(a)
    const pid = target().spawn(
      handler((self) => async (message) => {
        self.send(last.pid, [message, 'at once'])
        await Promise.resolve()
        self.send(last.pid, [message, 'later'])
      }),
    )
    texts.within('x', () => a.send(pid, 1))
    texts.within('y', () => a.send(pid, 2))
    await cluster.advance(10)
    expect(last.seen).toEqual([
      [[1, 'at once'], 'x'],
      [[1, 'later'], 'x'],
      [[2, 'at once'], 'y'],
      [[2, 'later'], 'y'],
    ])
  })

  it('a message without a context is handled in none, whoever woke the scheduler', async () => {
    const { pid, seen } = await sink(target())
    a.send(pid, 'without')
    const other = await sink(target())
    texts.within('other', () => {
      a.send(other.pid, 'with')
      texts.within(undefined, () => a.send(pid, 'without, too'))
    })
    await texts.within('whose turn it is', () => cluster.advance(10))
    expect(seen).toEqual([
      ['without', undefined],
      ['without, too', undefined],
    ])
    expect(other.seen).toEqual([['with', 'other']])
  })
})

describe('What is no message of anybody’s has no context', () => {
  it('timers, EXIT, DOWN', async () => {
    const { pid, self, seen } = await sink(a)
    const ending = a.spawn((own) => own.receive())
    await cluster.settle()
    texts.within('x', () => {
      self.trapExit = true
      self.link(ending)
      self.monitor(ending)
      self.sendAfter(5, pid, 'timer')
      a.exit(ending, 'kill')
    })
    await cluster.advance(10)
    expect(seen.map(([, context]) => context)).toEqual([undefined, undefined, undefined])
  })
})

describe('A process begins in the context of who spawned it', () => {
  it('a plain one, and its first turn only of a handler process', async () => {
    const noted: unknown[] = []
    const pid = texts.within('parent', () => {
      a.spawn(async (self) => {
        noted.push(texts.active)
        await self.receive({ timeoutMs: 5 })
        noted.push(texts.active)
      })
      return a.spawn(
        handler(() => {
          noted.push(texts.active)
          return () => void noted.push(texts.active)
        }),
      )
    })
    a.send(pid, 'no context')
    await cluster.advance(10)
    expect(noted).toEqual(['parent', 'parent', undefined, 'parent'])
  })

  it('so that an exported function runs in that of its caller', async () => {
    b.exportFunctions({ context: () => texts.active })
    const called = texts.within('caller', () => erpc.call(a, b.name, 'context', []))
    expect(await cluster.run(called)).toBe('caller')
  })
})

describe('A plain process awaits in its own context, and has that of its last message when it asks for it', () => {
  it('inMessageContext, of the message that was received last, whatever stays in the mailbox', async () => {
    const noted: unknown[] = []
    const pid = a.spawn(async (self) => {
      noted.push(self.inMessageContext(() => texts.active))
      await self.receive('second')
      noted.push([texts.active, self.inMessageContext(() => texts.active)])
      await self.receive('first')
      noted.push([texts.active, self.inMessageContext(() => texts.active)])
      await self.receive()
      noted.push([texts.active, self.inMessageContext(() => texts.active)])
    })
    texts.within('one', () => a.send(pid, { type: 'first' }))
    texts.within('two', () => a.send(pid, { type: 'second' }))
    a.send(pid, 'third')
    await cluster.settle()
    expect(noted).toEqual([undefined, [undefined, 'two'], [undefined, 'one'], [undefined, undefined]])
  })

  it('of one that its own `match` has flushed it has none, and no other message’s', async () => {
    const noted: unknown[] = []
    const context = new Promise<Context>((resolve) => {
      a.spawn(async (self) => {
        resolve(self)
        const ref = self.monitor(a.spawn(() => undefined))
        await self.receive({ timeoutMs: 5, match: () => false })
        await self.receive({ match: () => self.demonitor(ref, { flush: true }) })
        noted.push(self.inMessageContext(() => texts.active))
        await self.receive()
        noted.push(self.inMessageContext(() => texts.active))
      })
    })
    const self = await cluster.run(context)
    await cluster.settle()
    texts.within('x', () => a.send(self.pid, 'x'))
    await cluster.advance(10)
    expect(noted).toEqual([undefined, 'x'])
  })

  it('gives what the function gives, and throws what it throws', async () => {
    const noted: unknown[] = []
    a.spawn(async (self) => {
      noted.push(await self.inMessageContext(async () => 'value'))
      try {
        self.inMessageContext(() => self.exit('thrown'))
      } catch (error) {
        noted.push((error as { reason?: unknown }).reason)
      }
    })
    await cluster.settle()
    expect(noted).toEqual(['value', 'thrown'])
  })

  it('in a handler process, and without a propagation, it just calls the function', async () => {
    const { self } = await sink(a)
    expect(texts.within('x', () => self.inMessageContext(() => texts.active))).toBe('x')
    expect(texts.within('x', () => plain.self.inMessageContext(() => texts.active))).toBe('x')
  })
})

describe('A context can be kept', () => {
  it('and run in later, as often as one likes; without a propagation there is none', () => {
    const kept = texts.within('kept', () => a.self.keepContext())
    const none = a.self.keepContext()
    const active = (): string | undefined => texts.active
    texts.within('other', () => {
      expect([kept?.(active), kept?.(active), none?.(active)]).toEqual(['kept', 'kept', undefined])
      expect(() => kept?.(() => a.self.exit('thrown'))).toThrow('thrown')
    })
    expect(plain.self.keepContext()).toBeUndefined()
  })
})

describe('Nodes with and without a propagation', () => {
  it('one without takes no notice of a context, and sends none', async () => {
    const here = await sink(plain)
    const there = await sink(b)
    texts.within('x', () => {
      a.send(here.pid, 1)
      plain.send(there.pid, 2)
    })
    await cluster.advance(10)
    expect(here.seen.map(([message]) => message)).toEqual([1])
    expect(there.seen).toEqual([[2, undefined]])
  })
})

describe('A propagation that misbehaves harms nobody', () => {
  const cases: Record<string, Partial<Propagation>> = {
    'capture throws': {
      capture: () => {
        throw new Error('capture')
      },
    },
    'capture gives no object': { capture: () => 'text' as never },
    'capture gives other than texts': { capture: () => ({ number: 7 }) as never },
    'capture gives bytes': { capture: () => ({ bytes: Uint8Array.of(7) }) as never },
    'capture gives a list': { capture: () => ['x'] as never },
    'capture gives what throws when it is read': {
      capture: () => ({
        get text(): string {
          throw new Error('read')
        },
      }),
    },
    'capture gives more than 1 KiB': { capture: () => ({ text: 'ä'.repeat(512) }) },
    'capture gives more than 32 names': {
      capture: () => Object.fromEntries(Array.from({ length: 33 }, (_, index) => [`${index}`, ''])),
    },
    'run throws before': {
      run: () => {
        throw new Error('run')
      },
    },
    'run throws afterwards': {
      run: (_carrier, run) => {
        run()
        throw new Error('run')
      },
    },
    'run rejects': { run: (): unknown => Promise.reject(new Error('run')) },
    'run does not run': { run: () => undefined },
    'run runs twice': {
      run: (_carrier, run) => {
        run()
        run()
      },
    },
    'run runs later': { run: (_carrier, run) => void Promise.resolve().then(run) },
  }
  const silent = new Set(['run does not run', 'run runs twice', 'run runs later'])

  it.each(Object.entries(cases))(
    '%s: each message is handled once, in its order, and it is logged',
    async (what, bad) => {
      const propagation: Propagation = {
        capture: (): Carrier => ({ text: 'x' }),
        run: (_carrier, run) => run(),
        ...bad,
      }
      const c = await cluster.start('c', { propagation })
      await cluster.advance(100)
      const [here, there] = [await sink(c), await sink(b)]
      for (let number = 0; number < 5; number++) {
        c.send(here.pid, number)
        c.send(there.pid, number)
        a.send(here.pid, `a ${number}`)
      }
      const asked = c.request(
        b.spawn(handler((self) => (replyTo) => void self.send(replyTo as never, 'there'))),
        (replyTo) => replyTo,
        100,
      )
      expect(await cluster.run(asked)).toEqual({ type: 'reply', value: 'there' })
      const messages = ({ seen }: Seen): unknown[] => seen.map(([message]) => message)
      expect(messages(here).filter((message) => typeof message === 'number')).toEqual([0, 1, 2, 3, 4])
      expect(messages(here).filter((message) => typeof message === 'string')).toEqual([
        'a 0',
        'a 1',
        'a 2',
        'a 3',
        'a 4',
      ])
      expect(messages(there)).toEqual([0, 1, 2, 3, 4])
      const lines = cluster.log.lines.filter(({ message }) => /context/.test(message))
      expect(lines.length > 0).toBe(!silent.has(what))
    },
  )

  it('what a handler throws ends its process, with its reason', async () => {
    const pid = a.spawn(handler((self) => () => self.exit('its own')))
    const ended = a.self.awaitDown(pid, 1_000)
    texts.within('x', () => a.send(pid, 1))
    expect(await cluster.run(ended)).toBe('its own')
  })

  it('1 KiB is what goes, in UTF-8', async () => {
    const c = await cluster.start('c', {
      propagation: { capture: () => ({ text: 'ä'.repeat(510) }), run: (_, run) => run() },
    })
    const { pid, seen } = await sink(b)
    await cluster.advance(100)
    c.send(pid, 1)
    await cluster.advance(10)
    expect(seen).toEqual([[1, 'ä'.repeat(510)]])
  })

  it('a capture that sends is not captured itself', async () => {
    const { pid, seen } = await sink(a)
    const started: Node[] = []
    const propagation: Propagation = {
      capture: () => {
        for (const node of started) node.send(pid, 'from capture')
        return { text: 'x' }
      },
      run: (_carrier, run) => run(),
    }
    const node = await cluster.start('c', { propagation })
    started.push(node)
    await cluster.advance(100)
    node.send(pid, 'sent')
    await cluster.advance(10)
    expect(seen.slice(-2)).toEqual([
      ['from capture', undefined],
      ['sent', 'x'],
    ])
  })

  it('a capture that ends the caller leaves nothing of its request behind', async () => {
    const ends: Pid[] = []
    const propagation: Propagation = {
      capture: () => {
        for (const pid of ends) node.exit(pid, 'kill')
        return undefined
      },
      run: (_carrier, run) => run(),
    }
    const node = await cluster.start('c', { propagation })
    await cluster.advance(100)
    const aliases = node.counters().aliases
    const there = await sink(b)
    const self = await new Promise<Context>((resolve) => {
      node.spawn((own) => {
        resolve(own)
        return own.receive()
      })
      void cluster.settle()
    })
    ends.push(self.pid)
    await expect(cluster.run(self.request(there.pid, () => 'x', 1_000))).rejects.toMatchObject({
      code: 'ERR_PROCESS_EXITED',
    })
    await cluster.advance(10)
    expect(node.counters().aliases).toBe(aliases)
    expect(b.processInfo(there.pid)?.monitoredBy).toEqual([])
  })
})

describe('Nothing is kept', () => {
  /** As the runtime holds them. */
  const mailboxOf = (node: Node, pid: Pid): { readonly carriers?: { readonly length: number } } | undefined =>
    (node as unknown as { kernel: { processes: ReadonlyMap<number, { mailbox?: object }> } }).kernel.processes.get(
      pid.id,
    )?.mailbox

  it('of messages that were handled, or flushed; and a process that has ended has no mailbox', async () => {
    let self: Context | undefined
    const deaf = a.spawn((own) => {
      self = own
      return new Promise(() => undefined)
    })
    const { pid } = await sink(a)
    texts.within('x', () => {
      for (let number = 0; number < 100; number++) {
        a.send(pid, number)
        a.send(deaf, number)
      }
    })
    await cluster.settle()
    expect(mailboxOf(a, pid)?.carriers?.length).toBe(0)
    expect(mailboxOf(a, deaf)?.carriers?.length).toBe(100)
    expect(a.processInfo(deaf, { messages: 1 })?.messages).toEqual([0])
    const process = (self as unknown as { process: { mailbox: unknown } }).process
    a.exit(deaf, 'kill')
    expect(process.mailbox).toBeUndefined()
  })

  it('and a node without a propagation never makes any', async () => {
    const { pid } = await sink(plain)
    plain.send(pid, 1)
    await cluster.settle()
    expect(mailboxOf(plain, pid)).toMatchObject({ carriers: undefined })
  })
})
