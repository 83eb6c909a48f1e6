/**
 * Who calls whom, from where, by what, and what becomes of replies.
 */
import { call, cast, GenServer, reply, start, type Call, type From, type ServerRef } from '@pidmesh/gen-server'
import { handler, via, type Pid, type Via } from '@pidmesh/runtime'
import { faultsOf } from '@pidmesh/runtime/testing'
import { describe, expect, it } from 'vitest'
import { Puppet, untyped, useLab, type Script } from './lab.ts'

const lab = useLab()

const namesOf = (table: Record<string, Pid>): Via =>
  ({
    resolveName: async (name: string) => table[name],
    send: (name: string, message: unknown) => (table[name] === undefined ? 'noproc' : lab.b.send(table[name], message)),
  }) as unknown as Via

describe('a server', () => {
  it('is called by its pid, its name, its name on a node and its name in a Via, from its node and from another', async () => {
    const pid = await lab.run(start(lab.a, Puppet, [{}, []], { name: 'puppet' }))
    const named = { name: 'puppet', node: lab.a.name }
    const inVia = via(namesOf({ puppet: pid }), 'puppet')
    for (const [caller, address] of [
      [lab.a, pid],
      [lab.a, 'puppet'],
      [lab.a, named],
      [lab.a, inVia],
      [lab.b, pid],
      [lab.b, named],
      [lab.b, inVia],
    ] as const) {
      await expect(lab.run(call(caller, address, { type: 'ping' }))).resolves.toBe('pong')
    }
  })

  it('that is nowhere fails the call with noproc, by whatever it is called', async () => {
    const pid = await lab.run(start(lab.a, Puppet, [{}, []]))
    lab.a.exit(pid, 'kill')
    await lab.settle()
    const nowhere = [pid, 'nobody', { name: 'nobody', node: lab.b.name }, via(namesOf({}), 'nobody')]
    for (const address of nowhere)
      expect(await lab.failure(call(lab.a, address, { type: 'ping' }))).toMatchObject({ code: 'ERR_CALL_NOPROC' })
  })

  it('whose reply can not be sent fails the call, and goes on', async () => {
    const handleCall: Script['handleCall'] = () => ({ type: 'reply', value: () => 1, next: undefined })
    const pid = await lab.run(start(lab.a, Puppet, [{ handleCall }, []]))
    expect(await lab.failure(call(lab.b, pid, { type: 'go' }))).toMatchObject({
      code: 'ERR_CALL_EXIT',
      serverReason: { unsendable_reply: expect.stringContaining('is a function') },
    })
    expect(lab.a.isProcessAlive(pid)).toBe(true)
    expect(lab.a.processInfo(pid)?.monitoredBy).toEqual([])
  })

  it('whose name nobody can say whose it is fails the call in its time, and takes nobody with it', async () => {
    const silent = { resolveName: () => new Promise<never>(() => undefined) } as unknown as Via
    const failed = lab.failure(call(lab.a, via(silent, 'puppet'), { type: 'ping' }, 100))
    await lab.cluster.advance(100)
    expect(await failed).toMatchObject({ code: 'ERR_CALL_TIMEOUT' })
    expect(lab.a.counters().timers).toBe(0)
  })

  it('gets what is left of the time when its name took some of it', async () => {
    const mute = lab.a.spawn(handler(() => () => undefined))
    const slow = {
      resolveName: () => new Promise<Pid>((found) => void lab.cluster.clock.setTimer(60, () => found(mute))),
    } as unknown as Via
    const failed = lab.failure(call(lab.a, via(slow, 'mute'), { type: 'ping' }, 100))
    await lab.cluster.advance(100)
    expect(await failed).toMatchObject({ code: 'ERR_CALL_TIMEOUT' })
  })

  it('that fails a call leaves a stack that leads to who called', async () => {
    const pid = await lab.run(start(lab.a, Puppet, [{}, []]))
    lab.a.exit(pid, 'kill')
    await lab.settle()
    const askInVain = async (): Promise<unknown> => await call(lab.a, pid, { type: 'ping' })
    expect(await lab.failure(askInVain())).toMatchObject({ stack: expect.stringContaining('askInVain') })
  })

  it('may call others in a callback, and be called by them afterwards', async () => {
    const other = await lab.run(start(lab.b, Puppet, [{}, []]))
    const handleCall: Script['handleCall'] = async (puppet) => {
      await call(puppet.context, other, { type: 'ping' })
      return puppet.make.reply()
    }
    const pid = await lab.run(start(lab.a, Puppet, [{ handleCall }, []]))
    await expect(lab.run(call(lab.b, pid, { type: 'go' }))).resolves.toBe('the reply')
  })

  it('handles requests of one caller in the order in which they were sent, calls and casts alike', async () => {
    const events: string[] = []
    const handleCast = (): Promise<void> => new Promise((resolve) => void lab.cluster.clock.setTimer(5, resolve))
    const pid = await lab.run(start(lab.a, Puppet, [{ handleCast }, events]))
    cast(lab.b, pid, { type: 'go' })
    void call(lab.b, pid, { type: 'go' }, 100)
    cast(lab.b, pid, { type: 'go' })
    lab.b.send(pid, { type: 'note' })
    await lab.advance(50)
    expect(events.slice(0, 3)).toEqual(['init', 'cast', 'call'])
  })
})

describe('a call', () => {
  const handleCall: Script['handleCall'] = (puppet) => puppet.make.noreply()

  it('fails with timeout after 5 seconds, or as many milliseconds as it says, or never', async () => {
    const pid = await lab.run(start(lab.a, Puppet, [{ handleCall }, []]))
    const failures: string[] = []
    for (const timeoutMs of [undefined, 50, Infinity])
      call(lab.b, pid, { type: 'go' }, timeoutMs).catch((error: { serverReason: string }) =>
        failures.push(`${timeoutMs} ${error.serverReason}`),
      )
    await lab.advance(50)
    expect(failures).toEqual(['50 timeout'])
    await lab.advance(4_949)
    expect(failures).toHaveLength(1)
    await lab.advance(1)
    expect(failures).toEqual(['50 timeout', 'undefined timeout'])
    await lab.advance(60_000)
    expect(failures).toHaveLength(2)
  })

  it('fails with nodedown if the node of the server is not there, or is lost meanwhile', async () => {
    const pid = await lab.run(start(lab.a, Puppet, [{ handleCall }, []], { name: 'puppet' }))
    const named = { name: 'puppet', node: lab.a.name }
    const pending = [call(lab.b, pid, { type: 'go' }, Infinity), call(lab.b, named, { type: 'go' }, Infinity)]
    await lab.advance(10)
    lab.cluster.crash('a')
    pending.push(call(lab.b, pid, { type: 'go' }), call(lab.b, named, { type: 'go' }))
    for (const one of pending)
      expect(await lab.failure(one)).toMatchObject({ code: 'ERR_CALL_NODEDOWN', serverReason: 'nodedown' })
  })

  it('of the calling process itself fails with calling_self', async () => {
    const failures: unknown[] = []
    const handleInfo = async (puppet: Puppet): Promise<void> => {
      for (const address of [puppet.context.pid, 'puppet', { name: 'puppet', node: lab.a.name }])
        failures.push(await call(puppet.context, address, {}).catch((error: unknown) => error))
    }
    lab.a.send(await lab.run(start(lab.a, Puppet, [{ handleInfo }, []], { name: 'puppet' })), { type: 'note' })
    await lab.settle()
    expect(failures).toMatchObject(Array(3).fill({ code: 'ERR_CALL_SELF', serverReason: 'calling_self' }))
  })

  it('to the server of the same name on another node is answered by that', async () => {
    const { self } = await lab.process({ name: 'twin' })
    await lab.run(start(lab.b, Puppet, [{}, []], { name: 'twin' }))
    await expect(lab.run(call(self, { name: 'twin', node: lab.b.name }, { type: 'ping' }))).resolves.toBe('pong')
  })

  it('to what is no server is an error of the caller, and so is a timeout that can not be', async () => {
    const pid = await lab.run(start(lab.a, Puppet, [{}, []]))
    for (const address of [5, '', null, {}])
      expect(await lab.failure(call(lab.a, untyped(address), {}))).toMatchObject({ code: 'ERR_BAD_ARGUMENT' })
    const known = { resolveName: () => pid } as unknown as Via
    for (const address of [pid, via(known, 'puppet'), via(namesOf({ puppet: pid }), 'puppet')])
      for (const timeoutMs of [-1, Number.NaN, '5'])
        expect(await lab.failure(call(lab.a, address, { type: 'ping' }, untyped(timeoutMs)))).toMatchObject({
          code: 'ERR_BAD_ARGUMENT',
        })
  })
})

describe('a reply', () => {
  type AskCall = Call<{ type: 'ask' }, string>

  class Slow extends GenServer<AskCall, string> {
    #from: From<string> | undefined
    override handleCall(request: AskCall, from: From) {
      this.#from = this.defer(request, from)
      return this.noreply()
    }
    override handleCast(text: string) {
      if (this.#from !== undefined) this.replyTo(this.#from, text)
    }
  }

  it.each(['a', 'b'] as const)(
    'that comes after the timeout is never seen by its caller, on node %s',
    async (where) => {
      const server = await lab.run(start(lab.a, Slow, []))
      const { self, messages } = await lab.process({ on: lab[where] })
      expect(await lab.failure(call(self, server, { type: 'ask' }, 50))).toMatchObject({ code: 'ERR_CALL_TIMEOUT' })
      cast(lab.a, server, 'late')
      await lab.advance(50)
      expect(messages).toEqual([])
      const second = call(self, server, { type: 'ask' }, 50)
      await lab.advance(10)
      cast(lab.a, server, 'in time')
      await expect(lab.run(second)).resolves.toBe('in time')
    },
  )

  it('is taken once: a second one is dropped', async () => {
    const server = await lab.run(start(lab.a, Slow, []))
    const { self, messages } = await lab.process()
    const asked = call(self, server, { type: 'ask' })
    await lab.settle()
    cast(lab.a, server, 'first')
    cast(lab.a, server, 'second')
    await expect(lab.run(asked)).resolves.toBe('first')
    expect(messages).toEqual([])
  })

  it('may come from any process on any node that the from was sent to', async () => {
    type Delegated = { readonly from: From<string> }
    const delegate = lab.b.spawn(
      handler((self) => (message: Delegated) => reply(self, message.from, `from ${self.node}`)),
    )
    class Delegating extends GenServer<AskCall> {
      override handleCall(request: AskCall, from: From) {
        this.self.send(delegate, { from: this.defer(request, from) } satisfies Delegated)
        return this.noreply()
      }
    }
    const server = await lab.run(start(lab.a, Delegating, []))
    for (const caller of [lab.a, lab.b])
      await expect(lab.run(call(caller, server, { type: 'ask' }))).resolves.toBe(`from ${lab.b.name}`)
  })

  it('to a caller that was killed harms nobody', async () => {
    const server = await lab.run(start(lab.a, Slow, []))
    const { self } = await lab.process()
    const faults = await faultsOf(async () => {
      void call(self, server, { type: 'ask' })
      await lab.settle()
      lab.a.exit(self.pid, 'kill')
      cast(lab.a, server, 'too late')
      await lab.settle()
    })
    expect(faults).toEqual([])
    expect(lab.a.isProcessAlive(server)).toBe(true)
  })
})

describe('a call in a process', () => {
  it('that fails ends the process that does not catch it, with the reason and the server', async () => {
    const caller = lab.a.spawn((self) => call(self, 'nobody', {}))
    await expect(lab.run(lab.a.self.awaitDown(caller, Infinity))).resolves.toEqual({
      call_failed: 'noproc',
      server: 'nobody',
    })
  })
})

describe('a cast', () => {
  it('does not fail, and does not wait, whoever it is for and wherever', async () => {
    const gone = await lab.run(start(lab.b, Puppet, [{}, []]))
    lab.cluster.crash('b')
    await lab.advance(10)
    const broken = { send: () => Promise.reject(new Error('the broker is gone')) } as unknown as Via
    const nobody: ServerRef<never, { readonly type: 'go' }>[] = [
      gone,
      'nobody',
      { name: 'nobody', node: lab.a.name },
      { name: 'nobody', node: lab.b.name },
      via(namesOf({}), 'nobody'),
      via(broken, 'x'),
    ]
    const faults = await faultsOf(async () => {
      for (const address of nobody) cast(lab.a, address, { type: 'go' })
      await lab.advance(10)
    })
    expect(faults).toEqual([])
  })
})
