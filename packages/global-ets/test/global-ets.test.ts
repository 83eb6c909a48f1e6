import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { handler, TermCodec, type Context, type Node, type Pid } from '@pidmesh/runtime'
import { TestCluster } from '@pidmesh/runtime/testing'
import { GlobalEts, type GlobalEtsOptions } from '@pidmesh/global-ets'

interface Member {
  readonly node: Node
  readonly names: GlobalEts
}

let cluster: TestCluster

async function join(name: string, options?: GlobalEtsOptions): Promise<Member> {
  const node = await cluster.start(name)
  const names = await cluster.run(GlobalEts.start(node, options))
  await cluster.advance(50)
  return { node, names }
}

function collector(node: Node, prepare: (self: Context) => void = () => undefined): { pid: Pid; messages: unknown[] } {
  const messages: unknown[] = []
  const pid = node.spawn(
    handler((self) => {
      prepare(self)
      return (message) => {
        messages.push(message)
      }
    }),
  )
  return { pid, messages }
}

/** What a member sees, in a form that is the same on all nodes that agree. */
function picture({ names }: Member): string[] {
  return names.registeredInfo().map(({ name, pid, meta }) => `${name} ${pid} ${JSON.stringify(meta)}`)
}

beforeEach(() => {
  cluster = new TestCluster()
})

afterEach(async () => {
  await cluster.stop()
})

describe('as simple_global', () => {
  it('registerName says yes, or no if the name is taken, by the same process as well, or the pid is not local or dead', async () => {
    const a = await join('a')
    const b = await join('b')
    const { pid } = collector(a.node)
    const remote = collector(b.node)
    const dead = a.node.spawn(() => undefined)
    await cluster.settle()
    expect(a.names.registerName('x', pid)).toBe('yes')
    expect(a.names.registerName('x', pid)).toBe('no')
    expect(a.names.registerName('y', pid)).toBe('yes')
    expect(a.names.registerName('z', remote.pid)).toBe('no')
    expect(a.names.registerName('z', dead)).toBe('no')
    await cluster.advance(10)
    expect(b.names.registerName('x', remote.pid)).toBe('no')
  })

  it('the rows say local or the node, a reference for local ones only, and the metadata, in key order', async () => {
    const a = await join('a')
    const b = await join('b')
    const { pid } = collector(a.node)
    a.names.registerName('zoe', pid)
    a.names.registerName('adam', pid, { room: 'lobby' })
    await cluster.advance(10)
    expect(a.names.registeredInfo()).toEqual([
      { name: 'adam', pid, node: 'local', ref: expect.anything(), meta: { room: 'lobby' } },
      { name: 'zoe', pid, node: 'local', ref: expect.anything(), meta: {} },
    ])
    expect(b.names.registeredInfo()).toEqual([
      { name: 'adam', pid: expect.anything(), node: a.node.name, ref: undefined, meta: { room: 'lobby' } },
      { name: 'zoe', pid: expect.anything(), node: a.node.name, ref: undefined, meta: {} },
    ])
    expect(b.names.registeredNames()).toEqual(['adam', 'zoe'])
    expect(b.names.localRegisteredNames()).toEqual([])
    expect(a.names.localRegisteredNames()).toEqual(['adam', 'zoe'])
    expect(a.names.localRegisteredInfo()).toEqual(a.names.registeredInfo())
    expect(b.names.localRegisteredInfo()).toEqual([])
    expect(b.names.whereisName('zoe')?.equals(pid)).toBe(true)
  })

  it('unregisterName always says ok and does nothing to a name of another node; setMeta says error for one', async () => {
    const a = await join('a')
    const b = await join('b')
    const { pid } = collector(a.node)
    a.names.registerName('x', pid)
    await cluster.advance(10)
    expect(b.names.unregisterName('x')).toBe('ok')
    expect(b.names.unregisterName('nobody')).toBe('ok')
    expect(b.names.setMeta('x', { stolen: true })).toBe('error')
    await cluster.advance(10)
    expect(a.names.whereisName('x')?.equals(pid)).toBe(true)
    expect(a.names.setMeta('x', { room: 'kitchen' })).toBe('ok')
    await cluster.advance(10)
    expect(b.names.metaOf('x')).toEqual({ room: 'kitchen' })
    expect(a.names.unregisterName('x')).toBe('ok')
    await cluster.advance(10)
    expect(b.names.whereisName('x')).toBeUndefined()
  })

  it('unregisterName for a process leaves the name to any other, one of another node with the same id included', async () => {
    const [a, b] = [await join('a'), await join('b')]
    let [own, other] = [collector(a.node).pid, collector(b.node).pid]
    while (own.id < other.id) own = collector(a.node).pid
    while (other.id < own.id) other = collector(b.node).pid
    expect(own.id).toBe(other.id)
    a.names.registerName('x', own)
    expect(a.names.unregisterName('x', other)).toBe('ok')
    expect(a.names.whereisName('x')?.equals(own)).toBe(true)
    expect(a.names.unregisterName('x', own)).toBe('ok')
    expect(a.names.whereisName('x')).toBeUndefined()
  })

  it('a message to a name reaches its process from any node, and noproc is said of a name that nobody has', async () => {
    const a = await join('a')
    const b = await join('b')
    const { pid, messages } = collector(a.node)
    a.names.registerName('user:alice', pid)
    await cluster.advance(10)
    expect(b.names.send('user:alice', { text: 'from b' })).toBe('ok')
    expect(a.names.send('user:alice', { text: 'from a' })).toBe('ok')
    expect(a.names.send('user:bob', {})).toBe('noproc')
    await cluster.advance(10)
    expect(messages).toEqual([{ text: 'from a' }, { text: 'from b' }])
  })

  it('when two parts meet the smaller node name keeps the name, and the process that loses it ends and is told why', async () => {
    const a = await join('a')
    const b = await join('b')
    cluster.partition(['a'], ['b'])
    await cluster.advance(6_000)
    const onA = collector(a.node)
    const onB = collector(b.node)
    const trapping = collector(b.node, (self) => {
      self.trapExit = true
    })
    await cluster.settle()
    expect(a.names.registerName('x', onA.pid)).toBe('yes')
    expect(a.names.registerName('y', onA.pid)).toBe('yes')
    expect(b.names.registerName('x', onB.pid)).toBe('yes')
    expect(b.names.registerName('y', trapping.pid)).toBe('yes')
    cluster.heal()
    await cluster.advance(3_000)
    expect(b.names.whereisName('x')?.equals(onA.pid)).toBe(true)
    expect(picture(b)).toEqual(picture(a))
    expect(a.node.isProcessAlive(onA.pid)).toBe(true)
    expect(b.node.isProcessAlive(onB.pid)).toBe(false)
    expect(trapping.messages).toMatchObject([
      { type: 'EXIT', reason: { name_conflict: { name: 'y', winner: expect.anything(), policy: 'smaller_node' } } },
    ])
    expect(b.node.isProcessAlive(trapping.pid)).toBe(true)
    await cluster.advance(6_000)
    expect(b.node.isProcessAlive(trapping.pid)).toBe(false)
  })

  it('who has lost and traps exits is killed after 5 s, also if the table server ends meanwhile, or none runs', async () => {
    const a = await join('a', { policy: 'newest' })
    const b = await join('b', { policy: 'newest' })
    const losers = ['x', 'y'].map((name) => {
      const { pid, messages } = collector(a.node, (self) => {
        self.trapExit = true
      })
      return { name, pid, messages }
    })
    await cluster.settle()
    for (const { name, pid } of losers) a.names.registerName(name, pid)
    await cluster.advance(10)
    // x is lost to another node just before the server ends, y to a process of this node while none runs.
    expect(b.names.takeover('x', collector(b.node).pid)).toBeGreaterThan(0)
    await cluster.advance(10)
    const server = a.node.whereis('pidmesh_global_ets:default')
    if (server === undefined) throw new Error('there is no table server')
    a.node.exit(server, 'kill')
    expect(a.names.takeover('y', collector(a.node).pid)).toBeGreaterThan(0)
    await cluster.advance(4_900)
    for (const { name, pid, messages } of losers) {
      expect(messages).toMatchObject([{ type: 'EXIT', reason: { name_conflict: { name, policy: 'newest' } } }])
      expect(a.node.isProcessAlive(pid)).toBe(true)
    }
    await cluster.advance(200)
    for (const { pid } of losers) expect(a.node.isProcessAlive(pid)).toBe(false)
    // A supervisor says of it `killed`, and no more: why stands here.
    const kills = cluster.log.lines.filter(
      ({ message }) => message === 'who has lost a name has not ended: it is killed',
    )
    expect(kills.map(({ level, fields }) => [level, fields['loser'], fields['afterMs']])).toEqual(
      losers.map(({ pid }) => ['warn', pid.toString(), 5_000]),
    )
  })

  /*
   *     0   a loses x to b; its process traps exits, and is to be killed after 5 s
   *  1000   a's table is stopped: it learns of no end any more
   *  1000   a is stopped, and its process ends
   *  5000   there is nobody to be killed, and no node to do it
   */
  it('who has lost and traps exits is left alone when the table is stopped, and a node that is stopped then does nothing more', async () => {
    const a = await join('a', { policy: 'newest' })
    const b = await join('b', { policy: 'newest' })
    const { pid } = collector(a.node, (self) => {
      self.trapExit = true
    })
    await cluster.settle()
    a.names.registerName('x', pid)
    await cluster.advance(10)
    expect(b.names.takeover('x', collector(b.node).pid)).toBeGreaterThan(0)
    await cluster.advance(1_000)
    const stopped = a.names.stop()
    await cluster.advance(10)
    await stopped
    await cluster.advance(1_000)
    expect(a.node.isProcessAlive(pid)).toBe(true)
    const ended = a.node.stop()
    await cluster.advance(10_000)
    await ended
  })

  it('with the policy newest the later claim keeps the name, whatever the node names', async () => {
    const a = await join('a', { policy: 'newest' })
    const b = await join('b', { policy: 'newest' })
    const before = collector(a.node)
    a.names.registerName('x', before.pid)
    await cluster.advance(10)
    cluster.partition(['a'], ['b'])
    await cluster.advance(6_000)
    const later = collector(b.node)
    expect(b.names.registerName('x', later.pid)).toBe('yes')
    cluster.heal()
    await cluster.advance(3_000)
    expect(a.names.whereisName('x')?.equals(later.pid)).toBe(true)
    expect(a.node.isProcessAlive(before.pid)).toBe(false)
    expect(b.node.isProcessAlive(later.pid)).toBe(true)
  })

  it('names that clash, however many after a cut, do not fill the log, which says how many were left out', async () => {
    const [a, b] = [await join('a'), await join('b')]
    const clash = async (names: readonly string[]): Promise<void> => {
      cluster.partition(['a'], ['b'])
      await cluster.advance(6_000)
      for (const { node, names: table } of [a, b])
        for (const name of names) expect(table.registerName(name, collector(node).pid)).toBe('yes')
      cluster.heal()
      await cluster.advance(3_000)
    }
    await clash(Array.from({ length: 250 }, (_, n) => `name ${n}`))
    const clashes = () => cluster.log.lines.filter(({ message }) => message.startsWith('name clash'))
    expect(clashes()).toHaveLength(100)
    await clash(['another'])
    expect(clashes().slice(100)).toMatchObject([{ fields: { name: 'another', omittedBefore: 150 } }])
  })
})

describe('replication', () => {
  it('a node that joins has all names, also more than one chunk of a snapshot holds', async () => {
    const a = await join('a')
    const { pid } = collector(a.node)
    for (let i = 0; i < 1_234; i++) a.names.registerName(`name ${i}`, pid)
    const b = await join('b')
    expect(b.names.size).toBe(1_234)
    expect(picture(b)).toEqual(picture(a))
  })

  it('the names of a process that ends are gone everywhere', async () => {
    const a = await join('a')
    const b = await join('b')
    const { pid } = collector(a.node)
    a.names.registerName('x', pid)
    a.names.registerName('y', pid)
    await cluster.advance(10)
    expect(b.names.size).toBe(2)
    a.node.exit(pid, 'kill')
    expect(a.names.whereisName('x')).toBeUndefined()
    await cluster.advance(10)
    expect(a.names.size).toBe(0)
    expect(b.names.size).toBe(0)
  })

  it('the names of a node that crashes are gone at once, and those of a silent node within 4.5 seconds', async () => {
    const a = await join('a')
    const b = await join('b')
    const c = await join('c')
    b.names.registerName('on b', collector(b.node).pid)
    c.names.registerName('on c', collector(c.node).pid)
    await cluster.advance(10)
    expect(a.names.registeredNames()).toEqual(['on b', 'on c'])
    cluster.crash('b')
    await cluster.advance(10)
    expect(a.names.registeredNames()).toEqual(['on c'])
    cluster.partition(['a'], ['c'])
    await cluster.advance(4_500)
    expect(a.names.registeredNames()).toEqual([])
    cluster.heal()
    await cluster.advance(5_000)
    expect(a.names.registeredNames()).toEqual(['on c'])
  })

  it('the names of a process or node are gone before anyone is told of its end', async () => {
    const [a, b] = [await join('a'), await join('b')]
    const { pid } = collector(a.node)
    a.names.registerName('on a', pid)
    b.names.registerName('on b', collector(b.node).pid)
    await cluster.advance(10)
    const seen: unknown[] = []
    const look = (): void => void seen.push(a.names.registeredNames())
    // Is asked right after the names are, before there is any message.
    a.node.self.attachTable({ onProcessEnd: look, onNodeDown: look }).watch(pid)
    a.node.exit(pid, 'kill')
    await cluster.settle()
    cluster.crash('b')
    await cluster.advance(10)
    expect(seen).toEqual([['on b'], []])
  })

  it('the names of a node that is gone are kept for a minute, in case it comes back, and no longer', async () => {
    const [a, b] = [await join('a'), await join('b')]
    b.names.registerName('on b', collector(b.node).pid)
    await cluster.advance(10)
    cluster.crash('b')
    await cluster.advance(59_000)
    expect(a.names.stats).toMatchObject({ size: 0, rowsHeld: 1, nodes: [{ state: 'hidden' }] })
    await cluster.advance(1_100)
    expect(a.names.stats).toMatchObject({ size: 0, rowsHeld: 0, nodes: [] })
  })

  it('a node that does not read is sent no more than may wait on its connection, and all of the rest when it reads again', async () => {
    const [a, b, c] = [await join('a'), await join('b'), await join('c')]
    const { pid } = collector(a.node)
    cluster.network.setRate('a', 'b', 1)
    const text = 'x'.repeat(900)
    for (let i = 0; i < 2_000; i++) a.names.registerName(`name ${i}`, pid, { text })
    await cluster.advance(1_000)
    expect(c.names.size).toBe(2_000)
    // That of the node: beyond it whoever sends is told `busy`. And what one turn sends to a node that isn't yet.
    expect(a.node.counters().bufferedBytes).toBeLessThan(1.5 * 1024 * 1024)
    expect(a.names.stats.nodes.map(({ node, isBusy }) => [node, isBusy])).toEqual([
      [b.node.name, true],
      [c.node.name, false],
    ])
    cluster.heal()
    await cluster.advance(2_000)
    expect(b.names.size).toBe(2_000)
    expect(a.names.stats.nodes.map(({ isBusy }) => isBusy)).toEqual([false, false])
  })

  it('who watches is told of what changes, and the changes of one turn are one message', async () => {
    const a = await join('a')
    const b = await join('b')
    const { pid, messages } = collector(a.node)
    await cluster.settle()
    a.names.watch(pid)
    const other = collector(b.node)
    for (let i = 0; i < 10; i++) b.names.registerName(`name ${i}`, other.pid)
    await cluster.advance(10)
    expect(messages).toHaveLength(1)
    b.node.exit(other.pid, 'kill')
    await cluster.advance(10)
    expect(messages).toHaveLength(2)
  })

  it('a table server that is killed is started again, with its names, those of others, and who is told of changes', async () => {
    const a = await join('a')
    const b = await join('b')
    const { pid, messages } = collector(a.node)
    a.names.registerName('on a', pid)
    b.names.registerName('on b', collector(b.node).pid)
    a.names.watch(pid)
    await cluster.advance(10)
    const server = a.node.whereis('pidmesh_global_ets:default')
    if (server === undefined) throw new Error('there is no table server')
    a.node.exit(server, 'kill')
    expect(a.names.registeredNames()).toEqual(['on a'])
    await cluster.advance(100)
    expect(a.names.registeredNames()).toEqual(['on a', 'on b'])
    expect(b.names.registeredNames()).toEqual(['on a', 'on b'])
    const before = messages.length
    b.names.registerName('later', collector(b.node).pid)
    await cluster.advance(10)
    expect(messages).toHaveLength(before + 1)
    a.node.exit(pid, 'kill')
    await cluster.advance(10)
    expect(b.names.registeredNames()).toEqual(['later', 'on b'])
  })

  it('a table server is started again later and later, and soon again after it has run for a minute', async () => {
    const a = await join('a')
    const kill = (): void => {
      const server = a.node.whereis('pidmesh_global_ets:default')
      if (server !== undefined) a.node.exit(server, 'kill')
    }
    for (let ends = 0; ends < 8; ends++) {
      kill()
      await cluster.advance(5_000)
    }
    kill()
    await cluster.advance(1_000)
    expect(a.node.whereis('pidmesh_global_ets:default')).toBeUndefined()
    await cluster.advance(65_000)
    kill()
    await cluster.advance(20)
    expect(a.node.whereis('pidmesh_global_ets:default')).toBeDefined()
    expect(a.names.stats.restarts).toBe(10)
  })

  it('a message that is no message of the protocol harms nothing', async () => {
    const a = await join('a')
    const b = await join('b')
    const { pid } = collector(a.node)
    a.names.registerName('x', pid)
    const server = { name: 'pidmesh_global_ets:default', node: a.node.name }
    for (const message of [
      undefined,
      'x',
      {},
      { type: 'delta', from: b.node.self.pid, ops: 7 },
      { type: 'snapshot_chunk', from: b.node.self.pid, id: 1, ops: [{}] },
    ]) {
      b.node.send(server, message)
    }
    await cluster.advance(10)
    expect(picture(b)).toEqual(picture(a))
    expect(a.names.size).toBe(1)
  })

  it('bad names, pids and metadata are errors at the caller, and the table goes on', async () => {
    const a = await join('a')
    const { pid } = collector(a.node)
    for (const name of ['', 'x'.repeat(257), '€'.repeat(86), 7 as unknown as string]) {
      expect(() => a.names.registerName(name, pid)).toThrowError(expect.objectContaining({ code: 'ERR_BAD_ARGUMENT' }))
    }
    for (const meta of [
      null,
      'text',
      [],
      { big: 'x'.repeat(2_000) },
      { f: () => 1 },
      { r: /x/ },
      { b: new ArrayBuffer(1) },
      { s: new String('x') },
      { m: new Map([['k', 'x'.repeat(2_000)]]) },
      deep(200),
    ]) {
      expect(() => a.names.registerName('x', pid, meta as never)).toThrowError(
        expect.objectContaining({ code: 'ERR_BAD_ARGUMENT' }),
      )
    }
    expect(() => a.names.registerName('x', pid, { f: () => 1 })).toThrowError(/: metadata\.f is a function/)
    expect(() => a.names.registerName('x', 'no pid' as never)).toThrowError(
      expect.objectContaining({ code: 'ERR_BAD_ARGUMENT' }),
    )
    expect(a.names.registerName('x', pid)).toBe('yes')
    expect(a.names.registerName('rich', pid, { at: new Date(0), who: pid, tags: new Set(['a']), n: 1n })).toBe('yes')
    await expect(GlobalEts.start(a.node, { polcy: 'newest' } as never)).rejects.toMatchObject({
      code: 'ERR_BAD_OPTION',
    })
    const b = await join('b')
    expect(b.names.metaOf('rich')).toEqual({ at: new Date(0), who: pid, tags: new Set(['a']), n: 1n })
  })

  it('the largest name and metadata that a caller may give are known on other nodes, and one byte more is an error', async () => {
    const [a, b] = [await join('a'), await join('b')]
    const { pid } = collector(a.node)
    const terms = new TermCodec()
    const bytesOf = (meta: object): number => {
      const { start, end } = terms.encode(meta)
      return end - start
    }
    const [name, text] = ['x'.repeat(256), 'x'.repeat(1_024 - bytesOf({ text: 'x'.repeat(300) }) + 300)]
    expect(bytesOf({ text })).toBe(1_024)
    for (const [wrong, meta] of [
      [`${name}x`, {}],
      [name, { text: `${text}x` }],
    ] as const)
      expect(() => a.names.registerName(wrong, pid, meta)).toThrowError(
        expect.objectContaining({ code: 'ERR_BAD_ARGUMENT' }),
      )
    expect(a.names.registerName(name, pid, { text })).toBe('yes')
    await cluster.advance(10)
    expect(b.names.metaOf(name)).toEqual({ text })
  })

  it('the metadata is a copy: what the caller does with its object later changes nothing', async () => {
    const a = await join('a')
    const meta = { room: { name: 'lobby' } }
    a.names.registerName('x', collector(a.node).pid, meta)
    meta.room.name = 'kitchen'
    expect(a.names.metaOf('x')).toEqual({ room: { name: 'lobby' } })
  })
})

/** An object in an object in an object … */
function deep(levels: number): unknown {
  return levels === 0 ? {} : { a: deep(levels - 1) }
}
