import {
  erpc,
  handler,
  nodeName,
  Ref,
  spawnLinkOn,
  spawnMonitorOn,
  spawnOn,
  type Context,
  type Node,
  type Pid,
} from '@pidmesh/runtime'
import { faultsOf, TestCluster } from '@pidmesh/runtime/testing'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'

let cluster: TestCluster
let near: Node
let far: Node

beforeEach(async () => {
  cluster = new TestCluster({ latencyMs: 10 })
  near = await cluster.start('a')
  far = await cluster.start('b')
  await cluster.advance(100)
})

afterEach(async () => {
  await cluster.stop()
})

/** Runs as a process of the near node that traps exits, and gives what it gives. */
function asProcess<T>(run: (self: Context) => Promise<T>): Promise<T> {
  return cluster.run(
    new Promise<T>((resolve, reject) => {
      near.spawn((self) => run(self).then(resolve, reject), { trapExit: true })
    }),
  )
}

const codeOf = (error: unknown): unknown => (error as { code: unknown }).code

const functions = {
  add: (_self: Context, a: number, b: number) => a + b,
  slow: async (self: Context) => void (await self.receive({ timeoutMs: 60_000 })),
  throws: () => {
    throw new RangeError('no')
  },
  exits: (self: Context) => self.exit('enough'),
  'kills itself': (self: Context) => self.exit(self.pid, 'kill'),
  'gives a function': () => () => 1,
  tells: (self: Context, to: Pid, what: unknown) => void self.send(to, [what, self.node]),
}

describe('spawnOn', () => {
  it('runs what the other node has exported, there, with the arguments', async () => {
    far.exportFunctions(functions)
    const message = await asProcess(async (self) => {
      const pid = await spawnOn(self, far.name, 'tells', [self.pid, 'hello'], { label: 'by a' })
      expect(pid.node).toBe(far.name)
      return self.receive()
    })
    expect(message).toEqual(['hello', far.name])
  })

  it('runs on its own node too', async () => {
    near.exportFunctions(functions)
    const pid = await cluster.run(spawnOn(near, near.name, 'slow', []))
    expect(near.isProcessAlive(pid)).toBe(true)
  })

  it('with a link or a monitor misses no end, however soon it comes', async () => {
    far.exportFunctions(functions)
    for (const name of ['exits', 'kills itself', 'throws'] as const) {
      const [exit, down] = await asProcess(async (self) => {
        const pid = await spawnLinkOn(self, far.name, name, [])
        const told = await self.receive('EXIT')
        expect(told.from.equals(pid)).toBe(true)
        const { ref } = await spawnMonitorOn(self, far.name, name, [])
        const last = await self.receive('DOWN')
        expect(last.ref).toEqual(ref)
        return [told.reason, last.reason]
      })
      const reason = { exits: 'enough', 'kills itself': 'killed', throws: { error: { name: 'RangeError' } } }[name]
      expect([exit, down]).toMatchObject([reason, reason])
    }
  })

  it('of one who ends before it could set up what it wanted leaves no process behind', async () => {
    far.exportFunctions(functions)
    await cluster.advance(50)
    const before = far.processes().length
    const caller = near.spawn((self) => spawnLinkOn(self, far.name, 'slow', []))
    await cluster.advance(15)
    expect(far.processes()).toHaveLength(before + 1)
    near.exit(caller, 'kill')
    await cluster.advance(100)
    expect(far.processes()).toHaveLength(before)
  })

  it.each<[string, unknown, () => Promise<unknown>]>([
    ['what was not exported', 'ERR_NOT_EXPORTED', () => spawnOn(near, far.name, 'format the disk', [])],
    ['a node that is not connected', 'ERR_NODEDOWN', () => spawnOn(near, nodeName('x@h'), 'add', [])],
    ['a name that is taken there', 'ERR_NAME_TAKEN', () => spawnOn(near, far.name, 'slow', [], { name: 'taken' })],
    ['an argument that can not be sent', 'ERR_NOT_SENDABLE', () => spawnOn(near, far.name, 'slow', [() => 1])],
  ])('of %s rejects: %s', async (_what, code, spawn) => {
    far.exportFunctions(functions)
    far.register('taken', far.spawn(handler(() => () => undefined)))
    await cluster.settle()
    const before = far.processes().length
    expect(codeOf(await cluster.run(spawn().catch((error: unknown) => error)))).toBe(code)
    expect(far.processes()).toHaveLength(before)
  })

  it.each<[string, string, () => unknown]>([
    ['no name of a node', 'ERR_BAD_ARGUMENT', () => spawnOn(near, 7 as never, 'slow', [])],
    ['no name of a function', 'ERR_BAD_ARGUMENT', () => spawnOn(near, far.name, 7 as never, [])],
    ['arguments that are no list', 'ERR_BAD_ARGUMENT', () => spawnOn(near, far.name, 'slow', 'xx' as never)],
    ['an option that there is not', 'ERR_BAD_OPTION', () => spawnOn(near, far.name, 'slow', [], { nmae: 1 } as never)],
    ['options that are none', 'ERR_BAD_OPTION', () => spawnOn(near, far.name, 'slow', [], null as never)],
    ['a call without arguments', 'ERR_BAD_ARGUMENT', () => erpc.call(near, far.name, 'slow', undefined as never)],
    ['a call with a bad timeout', 'ERR_BAD_ARGUMENT', () => erpc.call(near, far.name, 'slow', [], -1)],
    ['a cast to no name', 'ERR_BAD_ARGUMENT', () => erpc.cast(near, far.name, undefined as never, [])],
    [
      'a multicall of one node in place of a list',
      'ERR_BAD_ARGUMENT',
      () => erpc.multicall(near, far.name as never, 'slow', []),
    ],
    ['a multicall of what is no list', 'ERR_BAD_ARGUMENT', () => erpc.multicall(near, undefined as never, 'slow', [])],
  ])('%s is an error at once: %s', (_what, code, act) => {
    expect(act).toThrowError(expect.objectContaining({ code }))
  })

  it('of one who is killed while he waits, and of whom nobody waits for what he asked, does not end the OS process', async () => {
    far.exportFunctions(functions)
    const faults = await faultsOf(async () => {
      const pid = near.spawn(async (self) => {
        void erpc.call(self, far.name, 'slow', [])
        void spawnOn(self, far.name, 'slow', [])
        void spawnMonitorOn(self, far.name, 'slow', [])
        await self.receive()
      })
      await cluster.settle()
      near.exit(pid, 'kill')
      await cluster.advance(100)
    })
    expect(faults).toEqual([])
  })

  describe('of a node whose connection is lost together with its answer', () => {
    beforeEach(() => {
      far.exportFunctions(functions)
      const server = far.whereis('$remote')
      if (server === undefined) throw new Error('nobody runs exported functions')
      // The answer is sent, and the goodbye comes with it.
      far.trace(server, { send: true }, () => queueMicrotask(() => far.disconnectNode(near.name)))
    })

    it('rejects with ERR_NODEDOWN, if it is to be neither linked nor watched', async () => {
      expect(await asProcess((self) => spawnOn(self, far.name, 'slow', []).catch(codeOf))).toBe('ERR_NODEDOWN')
      expect(near.nodes()).toEqual([])
    })

    it('with a link gives the pid of which the EXIT tells', async () => {
      const [pid, exit] = await asProcess(async (self) => [
        await spawnLinkOn(self, far.name, 'slow', []),
        await self.receive<{ from: Pid; reason: unknown }>('EXIT'),
      ])
      expect(exit).toMatchObject({ from: pid, reason: 'noconnection' })
    })

    it('with a monitor gives the reference that the DOWN has', async () => {
      const [{ pid, ref }, down] = await asProcess(async (self) => [
        await spawnMonitorOn(self, far.name, 'slow', []),
        await self.receive<{ ref: Ref; pid: Pid; reason: unknown }>('DOWN'),
      ])
      expect(down).toMatchObject({ ref, pid, reason: 'noconnection' })
    })
  })

  it('is not subject to the limit that the node has for mailboxes', async () => {
    const small = await cluster.start('small', { mailbox: { limit: 5, policy: 'drop' } })
    await cluster.advance(100)
    small.exportFunctions(functions)
    const pids = await cluster.run(
      Promise.all(Array.from({ length: 100 }, () => spawnOn(near, small.name, 'slow', []))),
    )
    expect(pids.filter((pid) => small.isProcessAlive(pid))).toHaveLength(100)
  })

  it('of a node that has exported nothing at all is no error of another kind', async () => {
    expect(codeOf(await cluster.run(spawnOn(near, far.name, 'add', []).catch((error: unknown) => error)))).toBe(
      'ERR_NOT_EXPORTED',
    )
  })
})

describe('erpc', () => {
  beforeEach(() => {
    far.exportFunctions(functions)
  })

  it('call gives what the function gives', async () => {
    expect(await cluster.run(erpc.call<number>(near, far.name, 'add', [2, 3]))).toBe(5)
    expect(await asProcess((self) => erpc.call(self, far.name, 'add', ['a', 'b']))).toBe('ab')
  })

  it.each<[string, string, unknown]>([
    ['throws', 'ERR_RPC_EXCEPTION', { error: { name: 'RangeError', message: 'no' } }],
    ['exits', 'ERR_RPC_EXIT', 'enough'],
    ['kills itself', 'ERR_RPC_EXIT', 'killed'],
    ['gives a function', 'ERR_RPC_EXCEPTION', { error: { code: 'ERR_NOT_SENDABLE' } }],
    ['slow', 'ERR_RPC_TIMEOUT', 'timeout'],
  ])('call of one that %s rejects: %s', async (name, code, reason) => {
    const error = await cluster.run(erpc.call(near, far.name, name, [], 1_000).catch((thrown: unknown) => thrown))
    expect(error).toMatchObject({ name: 'ErpcError', code, reason })
  })

  it.each([
    ['gives a function', 'ERR_NOT_SENDABLE', "result is a function and can't be sent to another node"],
    ['gives one deep within', 'ERR_NOT_SENDABLE', "result.a.0 is a function and can't be sent to another node"],
    ['gives too much', 'ERR_MESSAGE_TOO_LARGE', 'a message is over the limit of 8388608 bytes'],
  ])('call of one that %s says that the result can not be sent, and why: %s', async (name, code, why) => {
    far.exportFunctions({
      'gives one deep within': () => ({ a: [() => 1] }),
      'gives too much': () => new Uint8Array(9 * 1024 * 1024),
    })
    const error = await cluster.run(erpc.call(near, far.name, name, []).catch((thrown: unknown) => thrown))
    const message = `the function has returned, but its result can't be sent: ${code}: ${why}`
    expect(error).toMatchObject({
      code: 'ERR_RPC_EXCEPTION',
      message: `${name} on ${far.name}: PidmeshError: ${message}`,
      reason: { error: { code, message } },
    })
  })

  it('call rejects with ERR_NODEDOWN if the connection is lost while it waits', async () => {
    const called = erpc.call(near, far.name, 'slow', []).catch((error: unknown) => error)
    await cluster.advance(50)
    cluster.crash('b')
    expect(codeOf(await cluster.run(called))).toBe('ERR_NODEDOWN')
  })

  it('cast runs the function, and tells nobody what becomes of it', async () => {
    const message = await asProcess(async (self) => {
      erpc.cast(self, far.name, 'tells', [self.pid, 'done'])
      erpc.cast(self, far.name, 'throws', [])
      erpc.cast(self, nodeName('nobody@h'), 'tells', [])
      return self.receive()
    })
    expect(message).toEqual(['done', far.name])
  })

  it('multicall gives an outcome for each node, in their order', async () => {
    near.exportFunctions(functions)
    const gone = nodeName('gone@h')
    const outcomes = await cluster.run(erpc.multicall<number>(near, [far.name, gone, near.name], 'add', [1, 1]))
    expect(outcomes).toEqual([
      { node: far.name, type: 'value', value: 2 },
      { node: gone, type: 'error', error: expect.objectContaining({ code: 'ERR_NODEDOWN' }) },
      { node: near.name, type: 'value', value: 2 },
    ])
  })

  it('multicall of a list in which one is no name of a node calls none of them', async () => {
    const calls: unknown[] = []
    far.exportFunctions({ count: () => calls.push(1) })
    expect(() => erpc.multicall(near, [far.name, 7 as never], 'count', [])).toThrowError(
      expect.objectContaining({ code: 'ERR_BAD_ARGUMENT' }),
    )
    await cluster.advance(100)
    expect(calls).toEqual([])
  })

  it('leaves nothing behind', async () => {
    const [before, processes] = [far.counters(), far.processes().length]
    for (const name of ['add', 'throws', 'kills itself']) {
      await cluster.run(erpc.call(near, far.name, name, []).catch(() => undefined))
    }
    await cluster.advance(100)
    const server = far.whereis('$remote')
    expect(far.processes()).toHaveLength(processes)
    expect(far.counters().aliases).toBe(before.aliases)
    expect(server === undefined ? undefined : far.processInfo(server)?.monitors).toEqual([])
  })
})

describe('the process that runs exported functions', () => {
  beforeEach(() => {
    far.exportFunctions(functions)
  })

  it('takes no DOWN for its own that another has made up', async () => {
    const called = erpc.call(near, far.name, 'slow', [], 1_000).catch((error: unknown) => error)
    await cluster.advance(50)
    for (let id = 1; id < 200; id++) {
      const ref = new Ref({ name: nodeName('x@y'), incarnation: 1 }, id)
      near.send({ name: '$remote', node: far.name }, { type: 'DOWN', ref, reason: 'forged' })
    }
    expect(await cluster.run(called)).toMatchObject({ code: 'ERR_RPC_TIMEOUT' })
  })

  it('is there again when it has been killed, and what it held has ended', async () => {
    await cluster.advance(50)
    const before = far.processes().length
    near.spawn((self) => spawnOn(self, far.name, 'slow', [], { name: 'held' }))
    await cluster.advance(15)
    expect(far.whereis('held')).toBeDefined()
    const server = far.whereis('$remote')
    if (server === undefined) throw new Error('there is no $remote')
    far.exit(server, 'kill')
    expect(far.whereis('held')).toBeUndefined()
    await cluster.advance(100)
    expect(far.processes()).toHaveLength(before)
    expect(await cluster.run(erpc.call(near, far.name, 'add', [1, 1]))).toBe(2)
  })

  it('ends with its node, and no other takes its place', async () => {
    await cluster.run(far.stop())
    expect(far.processes()).toEqual([])
  })
})

describe('exportFunctions', () => {
  it('of a name twice, of what is no function or has no name is an error, and exports none of them', async () => {
    far.exportFunctions({ one: () => 1 })
    expect(() => far.exportFunctions({ two: () => 2, one: () => 1 })).toThrowError(
      expect.objectContaining({ code: 'ERR_NAME_TAKEN' }),
    )
    for (const bad of [undefined, 7, { two: 2 }, { '': () => 1 }, { ['x'.repeat(256)]: () => 1 }]) {
      expect(() => far.exportFunctions(bad as never)).toThrowError(
        expect.objectContaining({ code: 'ERR_BAD_ARGUMENT' }),
      )
    }
    expect(codeOf(await cluster.run(erpc.call(near, far.name, 'two', []).catch((error: unknown) => error)))).toBe(
      'ERR_NOT_EXPORTED',
    )
  })

  it('what is no request is passed over by the process that runs them', async () => {
    far.exportFunctions(functions)
    const server = { name: '$remote', node: far.name }
    const { pid } = near.self
    for (const message of [
      undefined,
      { type: '$spawn' },
      { type: '$spawn', replyTo: 7, caller: pid, name: 'add', args: [], options: {} },
      { type: '$apply', replyTo: pid, name: 'add', args: [] },
      { type: '$apply', name: 'add', args: 'none' },
      { type: '$go', held: 7 },
      { type: '$go', held: near.self.alias() },
      { type: 'DOWN', ref: 7 },
      { type: 'DOWN' },
      { type: 'DOWN', ref: null },
      {
        type: '$spawn',
        replyTo: near.self.alias(),
        caller: far.whereis('$remote'),
        name: 'slow',
        args: [],
        options: {},
      },
      {
        type: '$spawn',
        replyTo: near.self.alias(),
        caller: pid,
        name: 'slow',
        args: [],
        options: { ['\u0001'.repeat(100_000)]: 1 },
      },
    ])
      near.send(server, message)
    await cluster.advance(50)
    expect(await cluster.run(erpc.call(near, far.name, 'add', [1, 1]))).toBe(2)
  })
})

describe('a process that is made for another node', () => {
  /** Has one made, as `spawnOn` does, and says what comes back: the process waits for its order to go. */
  async function held(caller: Pid = near.self.pid): Promise<{ readonly type: string; readonly held: Ref }> {
    const server = { name: '$remote', node: far.name }
    const outcome = await cluster.run(
      near.request(
        server,
        (replyTo) => ({ type: '$spawn', replyTo, caller, name: 'mark', args: [], options: {} }),
        1_000,
      ),
    )
    return (outcome as { value: { type: string; held: Ref } }).value
  }

  it('runs by the very reference that was given for it, and by no other of the same number', async () => {
    let ran = 0
    far.exportFunctions({ mark: () => void ran++ })
    const reply = await held()
    const server = { name: '$remote', node: far.name }
    near.send(server, { type: '$go', held: new Ref({ name: near.name, incarnation: near.incarnation }, reply.held.id) })
    await cluster.advance(50)
    expect(ran).toBe(0)
    near.send(server, { type: '$go', held: reply.held })
    await cluster.advance(50)
    expect(ran).toBe(1)
  })

  it('is not made for the process that makes it', async () => {
    far.exportFunctions({ mark: () => undefined })
    const server = far.whereis('$remote')
    if (server === undefined) throw new Error('nothing is exported')
    expect(await held(server)).toMatchObject({ type: 'refused', code: 'ERR_BAD_ARGUMENT' })
  })
})

describe('a node that answers what no node of ours answers', () => {
  const replies: readonly unknown[] = [
    undefined,
    7,
    null,
    'spawned',
    {},
    { type: 'spawned' },
    { type: 'spawned', pid: 7, held: 8 },
    { type: 'refused', code: 'ERR_MADE_UP', message: 'x' },
    { type: 'refused', code: 'ERR_BUSY', message: 7 },
    { type: 'exception' },
    { type: 'exit', reason: 7 },
    { type: 'unheard of' },
  ]

  it('gives the caller ERR_BAD_TERM, and nobody else anything', async () => {
    let reply: unknown
    const server = handler((self) => (message) => void self.send((message as { replyTo: Ref }).replyTo, reply))
    far.spawn(server, { name: '$remote' })
    await cluster.advance(100)
    for (reply of replies) {
      const called = erpc.call(near, far.name, 'add', [1, 2]).catch((error: unknown) => error)
      expect(codeOf(await cluster.run(called)), `call: ${String(reply)}`).toBe('ERR_BAD_TERM')
      const spawned = asProcess((self) => spawnOn(self, far.name, 'add', []).catch((error: unknown) => error))
      expect(codeOf(await spawned), `spawn: ${String(reply)}`).toBe('ERR_BAD_TERM')
    }
  })
})
