/**
 * One request to the servers of one name on many nodes.
 */
import { abcast, GenServer, multiCall, reply, start, type Call, type From, type ServerName } from '@pidmesh/gen-server'
import { handler, nodeName, type Pid } from '@pidmesh/runtime'
import { faultsOf } from '@pidmesh/runtime/testing'
import { beforeEach, describe, expect, expectTypeOf, it } from 'vitest'
import { untyped, useLab } from './lab.ts'

const lab = useLab()

type WhoCall = Call<{ type: 'who' }, string> | Call<{ type: 'never' }, number>

class Who extends GenServer<WhoCall, string> {
  #log: string[] = []
  #delegate: Pid | undefined

  override init(log: string[], delegate?: Pid) {
    this.#log = log
    this.#delegate = delegate
  }

  override handleCall(request: WhoCall, from: From) {
    if (request.type === 'never') return this.noreply()
    if (this.#delegate === undefined) return this.reply(request, this.node)
    this.self.send(this.#delegate, { from: this.defer(request, from) })
    return this.noreply()
  }

  override handleCast(text: string) {
    this.#log.push(`${this.node} ${text}`)
  }
}

const who: ServerName<WhoCall, string> = 'who'
const nowhere = nodeName('nowhere@127.0.0.1')
let log: string[] = []

beforeEach(async () => {
  log = []
  for (const node of [lab.a, lab.b]) await lab.run(start(node, Who, [log], { name: who }))
})

describe('multiCall', () => {
  it('gives the replies in the order of the nodes, with their type, the own node among them', async () => {
    const nodes = [lab.b.name, lab.a.name]
    const result = await lab.run(multiCall(lab.a, { name: who, nodes }, { type: 'who' }))
    expectTypeOf(result.replies).items.toHaveProperty('reply').toEqualTypeOf<string>()
    expect(result).toEqual({ replies: nodes.map((node) => ({ node, reply: node })), badNodes: [] })
  })

  it('names the nodes that are not there, have no such server, or whose server ends or does not answer in time', async () => {
    const c = await lab.cluster.start('c')
    const d = await lab.cluster.start('d')
    const dying = handler((self) => () => self.exit('shutdown'))
    d.spawn(dying, { name: who })
    const nodes = [nowhere, c.name, d.name, lab.a.name]
    await expect(lab.run(multiCall(lab.a, { name: who, nodes }, { type: 'who' }, 1_000))).resolves.toEqual({
      replies: [{ node: lab.a.name, reply: lab.a.name }],
      badNodes: [nowhere, c.name, d.name],
    })
    await expect(lab.run(multiCall(lab.a, { name: who, nodes: [lab.b.name] }, { type: 'never' }, 50))).resolves.toEqual(
      {
        replies: [],
        badNodes: [lab.b.name],
      },
    )
  })

  it('names a node that is lost meanwhile, without a timeout', async () => {
    const calling = multiCall(lab.a, { name: who, nodes: [lab.a.name, lab.b.name] }, { type: 'never' }, 60_000)
    const first = multiCall(lab.a, { name: who, nodes: [lab.b.name] }, { type: 'never' })
    await lab.advance(10)
    lab.cluster.crash('b')
    await expect(lab.run(first)).resolves.toEqual({ replies: [], badNodes: [lab.b.name] })
    await expect(lab.run(calling)).resolves.toEqual({ replies: [], badNodes: [lab.a.name, lab.b.name] })
  })

  it('waits for as long as it takes, unless it is told how long', async () => {
    const late = lab.a.spawn(
      handler((self) => async (message) => {
        await self.awaitDown(lab.a.self.pid, 60_000)
        reply(self, (message as { from: From<string> }).from, 'late')
      }),
    )
    const c = await lab.cluster.start('c')
    await lab.run(start(c, Who, [log, late], { name: who }))
    const { replies } = await lab.run(multiCall(lab.b, { name: who, nodes: [c.name] }, { type: 'who' }))
    expect(replies).toEqual([{ node: c.name, reply: 'late' }])
  })

  it('takes replies that another process on another node gives', async () => {
    const delegate = lab.a.spawn(
      handler((self) => (message) => reply(self, (message as { from: From<string> }).from, 'the delegate')),
    )
    const c = await lab.cluster.start('c')
    await lab.run(start(c, Who, [log, delegate], { name: who }))
    await expect(lab.run(multiCall(lab.b, { name: who, nodes: [c.name] }, { type: 'who' }))).resolves.toEqual({
      replies: [{ node: c.name, reply: 'the delegate' }],
      badNodes: [],
    })
  })

  it('from the server of that name itself names the own node: it can not answer while it waits', async () => {
    const results: unknown[] = []
    const { self } = await lab.process({ name: 'myself' })
    await lab.run(multiCall(self, { name: 'myself', nodes: [lab.a.name] }, {}).then((result) => results.push(result)))
    expect(results).toEqual([{ replies: [], badNodes: [lab.a.name] }])
  })

  it('of no nodes has no replies', async () => {
    await expect(lab.run(multiCall(lab.a, { name: who, nodes: [] }, { type: 'who' }))).resolves.toEqual({
      replies: [],
      badNodes: [],
    })
  })

  it('refuses what is no name or no node, and what can not be sent', async () => {
    const bad = [
      multiCall(lab.a, { name: untyped(5), nodes: [lab.a.name] }, {}),
      multiCall(lab.a, { name: who, nodes: untyped(['not a node']) }, { type: 'who' }),
      multiCall(lab.a, { name: who, nodes: untyped(undefined) }, { type: 'who' }),
      multiCall(lab.a, { name: who, nodes: [lab.a.name] }, { type: 'who' }, -1),
    ]
    for (const promise of bad) expect(await lab.failure(promise)).toMatchObject({ code: 'ERR_BAD_ARGUMENT' })
    const unsendable = multiCall(
      lab.a,
      { name: who, nodes: [lab.b.name] },
      untyped(() => 1),
    )
    expect(await lab.failure(unsendable)).toMatchObject({ code: 'ERR_NOT_SENDABLE' })
  })

  it('makes no unhandled rejection if its caller is killed', async () => {
    const { self } = await lab.process()
    const faults = await faultsOf(async () => {
      void multiCall(self, { name: who, nodes: [lab.a.name, lab.b.name] }, { type: 'never' })
      await lab.settle()
      lab.a.exit(self.pid, 'kill')
      await lab.settle()
    })
    expect(faults).toEqual([])
  })
})

describe('abcast', () => {
  it('casts to the servers on all the nodes, and passes over those where there is none', async () => {
    const c = await lab.cluster.start('c')
    abcast(lab.a, { name: who, nodes: [lab.a.name, nowhere, c.name, lab.b.name] }, 'hello')
    await lab.advance(10)
    expect(log).toEqual([`${lab.a.name} hello`, `${lab.b.name} hello`])
  })

  it('refuses what is no name, no node, or can not be sent, before anything is sent', async () => {
    const nodes = [lab.a.name, lab.b.name]
    const thrown = (act: () => void): unknown => {
      try {
        return act()
      } catch (error) {
        return (error as { code: unknown }).code
      }
    }
    expect(thrown(() => abcast(lab.a, { name: untyped(''), nodes }, 'x'))).toBe('ERR_BAD_ARGUMENT')
    expect(thrown(() => abcast(lab.a, { name: who, nodes: untyped([lab.a.name, 7]) }, 'x'))).toBe('ERR_BAD_ARGUMENT')
    expect(
      thrown(() =>
        abcast(
          lab.a,
          { name: who, nodes },
          untyped(() => 1),
        ),
      ),
    ).toBe('ERR_NOT_SENDABLE')
    await lab.advance(10)
    expect(log).toEqual([])
  })
})
