/**
 * Requests whose response is waited for later, one by one and in collections.
 */
import {
  cast,
  checkResponse,
  GenServer,
  receiveResponse,
  reply,
  RequestIds,
  sendRequest,
  start,
  waitResponse,
  type Call,
  type From,
  type RequestId,
  type ServerPid,
} from '@pidmesh/gen-server'
import { handler, via, type Context, type Node, type Via } from '@pidmesh/runtime'
import { faultsOf } from '@pidmesh/runtime/testing'
import { describe, expect, expectTypeOf, it } from 'vitest'
import { untyped, useLab } from './lab.ts'

const lab = useLab()

type LateCall = Call<{ type: 'ask'; what: string }, string>

/** Answers when it is told to: the oldest first. */
class Late extends GenServer<LateCall, 'answer' | 'end'> {
  #waiting: { readonly from: From<string>; readonly what: string }[] = []

  override handleCall(request: LateCall, from: From) {
    this.#waiting.push({ from: this.defer(request, from), what: request.what })
    return this.noreply()
  }

  override handleCast(what: 'answer' | 'end') {
    if (what === 'end') return this.stop({ shutdown: 'told' })
    const oldest = this.#waiting.shift()
    if (oldest !== undefined) reply(this.self, oldest.from, `re: ${oldest.what}`)
    return this.noreply()
  }
}

const late = (): Promise<ServerPid<LateCall, 'answer' | 'end'>> => lab.run(start(lab.a, Late, [], { name: 'late' }))
const ask = (caller: Node | Context, server: ServerPid<LateCall, 'answer' | 'end'>, what: string): RequestId<string> =>
  sendRequest(caller, server, { type: 'ask', what })

const nodes: [string, () => Node][] = [
  ['the same node', () => lab.a],
  ['another node', () => lab.b],
]

describe.each(nodes)('from %s', (_where, node) => {
  it('a request is sent at once, and its reply, whose type follows from it, is there when it is waited for', async () => {
    const server = await late()
    const id = sendRequest(node(), server, { type: 'ask', what: 'x' })
    expectTypeOf(id).toEqualTypeOf<RequestId<string>>()
    await lab.advance(10)
    cast(lab.a, server, 'answer')
    await lab.advance(10)
    const response = await lab.run(receiveResponse(node(), id, 0))
    if (response.type === 'reply') expectTypeOf(response.value).toEqualTypeOf<string>()
    expect(response).toEqual({ type: 'reply', value: 're: x' })
  })

  it('waitResponse may be tried again after a timeout; the reply that comes meanwhile is seen', async () => {
    const server = await late()
    const id = ask(node(), server, 'x')
    await expect(lab.run(waitResponse(node(), id, 50))).resolves.toEqual({ type: 'timeout' })
    await expect(lab.run(waitResponse(node(), id, 0))).resolves.toEqual({ type: 'timeout' })
    cast(lab.a, server, 'answer')
    await expect(lab.run(waitResponse(node(), id, 50))).resolves.toEqual({ type: 'reply', value: 're: x' })
  })

  it('receiveResponse gives up after a timeout: a late reply is never seen, and nothing is kept', async () => {
    const server = await late()
    const before = node().counters().aliases
    const id = ask(node(), server, 'x')
    expect(node().counters().aliases).toBe(before + 1)
    await expect(lab.run(receiveResponse(node(), id, 50))).resolves.toEqual({ type: 'timeout' })
    expect(node().counters().aliases).toBe(before)
    cast(lab.a, server, 'answer')
    await lab.advance(10)
    const givenUp = { type: 'error', error: { code: 'ERR_CALL_TIMEOUT' } }
    await expect(lab.run(waitResponse(node(), id, Infinity))).resolves.toMatchObject(givenUp)
  })

  it('the end of the server, and that there is none, are responses', async () => {
    const server = await late()
    const id = ask(node(), server, 'x')
    await lab.advance(10)
    cast(lab.a, server, 'end')
    await expect(lab.run(receiveResponse(node(), id, 1_000))).resolves.toMatchObject({
      type: 'error',
      error: { code: 'ERR_CALL_EXIT', serverReason: { shutdown: 'told' } },
    })
    const nobody = sendRequest(node(), { name: 'nobody', node: lab.a.name }, {})
    await expect(lab.run(receiveResponse(node(), nobody, 1_000))).resolves.toMatchObject({
      type: 'error',
      error: { code: 'ERR_CALL_NOPROC' },
    })
  })
})

describe('a request', () => {
  it('fails with nodedown if the node is lost', async () => {
    const id = ask(lab.b, await late(), 'x')
    await lab.advance(10)
    lab.cluster.crash('a')
    await expect(lab.run(receiveResponse(lab.b, id, 10_000))).resolves.toMatchObject({
      type: 'error',
      error: { code: 'ERR_CALL_NODEDOWN' },
    })
  })

  it('to a name in a Via goes to whom this node knows by it', async () => {
    const server = await late()
    const names = { whereisName: (name: string) => (name === 'late' ? server : undefined) } as unknown as Via
    const id = sendRequest(lab.a, via(names, 'late'), { type: 'ask', what: 'x' })
    const nobody = sendRequest(lab.a, via(names, 'nobody'), {})
    cast(lab.a, server, 'answer')
    await expect(lab.run(receiveResponse(lab.a, id, 50))).resolves.toEqual({ type: 'reply', value: 're: x' })
    await expect(lab.run(receiveResponse(lab.a, nobody, 50))).resolves.toMatchObject({
      error: { code: 'ERR_CALL_NOPROC' },
    })
  })

  it('of a process to itself is answered at once: it can not answer while it waits', async () => {
    const { self } = await lab.process({ name: 'myself' })
    for (const address of ['myself', self.pid, { name: 'myself', node: lab.a.name }])
      await expect(lab.run(waitResponse(self, sendRequest(self, address, {}), 0))).resolves.toMatchObject({
        error: { code: 'ERR_CALL_SELF' },
      })
  })

  it('that can not be sent, or is for nothing that can be, is an error at the caller, at once', async () => {
    const server = await late()
    const code = (act: () => unknown): unknown => {
      try {
        return act()
      } catch (error) {
        return (error as { code: unknown }).code
      }
    }
    expect(code(() => sendRequest(lab.b, server, untyped({ type: 'ask', what: () => 1 })))).toBe('ERR_NOT_SENDABLE')
    expect(code(() => sendRequest(lab.a, untyped(5), {}))).toBe('ERR_BAD_ARGUMENT')
    expect(await lab.failure(waitResponse(lab.a, ask(lab.a, server, 'x'), -1))).toMatchObject({
      code: 'ERR_BAD_ARGUMENT',
    })
  })

  it('that was answered many times over and waited for by many is answered once to each', async () => {
    const server = await late()
    const id = ask(lab.a, server, 'x')
    const waits = [waitResponse(lab.a, id, 100), waitResponse(lab.a, id, 200), receiveResponse(lab.a, id, 300)]
    await lab.advance(10)
    cast(lab.a, server, 'answer')
    const response = { type: 'reply', value: 're: x' }
    await expect(lab.run(Promise.all(waits))).resolves.toEqual([response, response, response])
  })

  it('of a process that is killed makes no unhandled rejection, and leaves nothing behind', async () => {
    const server = await late()
    const { self } = await lab.process()
    const before = lab.a.counters()
    const faults = await faultsOf(async () => {
      const id = ask(self, server, 'x')
      void ask(self, server, 'y')
      void sendRequest(self, server, { type: 'ask', what: 'z' }, { toMailbox: true })
      void waitResponse(self, id, 1_000)
      void receiveResponse(self, new RequestIds<string, number>().add(id, 1), 1_000)
      await lab.settle()
      lab.a.exit(self.pid, 'kill')
      await lab.settle()
    })
    expect(faults).toEqual([])
    expect(lab.a.counters()).toMatchObject({ aliases: before.aliases, timers: before.timers })
  })
})

describe('toMailbox', () => {
  it('gives the caller a message, which is the response of its request and of no other', async () => {
    const server = await late()
    const { self, messages } = await lab.process()
    const id = sendRequest(self, server, { type: 'ask', what: 'x' }, { toMailbox: true })
    const other = ask(self, server, 'y')
    cast(lab.a, server, 'answer')
    cast(lab.a, server, 'answer')
    await lab.settle()
    expect(messages).toHaveLength(1)
    expect(checkResponse(messages[0], other)).toBe('no_reply')
    expect(checkResponse('something else', id)).toBe('no_reply')
    expect(checkResponse({ type: '$gen_response', id }, id)).toBe('no_reply')
    expect(checkResponse(messages[0], id)).toEqual({ type: 'reply', value: 're: x' })
  })

  it('tells nothing of a request that was given up', async () => {
    const server = await late()
    const { self, messages } = await lab.process()
    const id = sendRequest(self, server, { type: 'ask', what: 'x' }, { toMailbox: true })
    await lab.run(receiveResponse(self, id, 50))
    cast(lab.a, server, 'answer')
    await lab.advance(10)
    expect(messages).toEqual([])
  })

  it('tells the end of the server, and that there is none, in the same way', async () => {
    const { self, messages } = await lab.process()
    const id = sendRequest(self, 'nobody', {}, { toMailbox: true })
    await lab.settle()
    expect(checkResponse(messages[0], id)).toMatchObject({ type: 'error', error: { code: 'ERR_CALL_NOPROC' } })
  })
})

describe('a collection of requests', () => {
  it('gives the responses as they come, each with its label, until there is none', async () => {
    const server = await late()
    const other = await lab.run(start(lab.b, Late, []))
    const ids = new RequestIds<string, number>()
      .add(ask(lab.a, server, 'one'), 1)
      .add(ask(lab.a, other, 'two'), 2)
      .add(ask(lab.a, server, 'three'), 3)
    expect(ids.size).toBe(3)
    expect(ids.toList().map(([, label]) => label)).toEqual([1, 2, 3])
    await lab.advance(10)
    cast(lab.a, other, 'answer')
    const first = await lab.run(receiveResponse(lab.a, ids, 1_000))
    expect(first).toMatchObject({ type: 'response', label: 2, response: { type: 'reply', value: 're: two' } })
    cast(lab.a, server, 'answer')
    cast(lab.a, server, 'end')
    await lab.advance(10)
    const labels: unknown[] = []
    for (let left = 2; left > 0; left--) labels.push(await lab.run(receiveResponse(lab.a, ids, 1_000)))
    expect(labels).toMatchObject([
      { label: 1, response: { type: 'reply', value: 're: one' } },
      { label: 3, response: { type: 'error' } },
    ])
    await expect(lab.run(receiveResponse(lab.a, ids, 1_000))).resolves.toBe('no_request')
  })

  it('waitResponse keeps it after a timeout; receiveResponse gives up all of it', async () => {
    const server = await late()
    const before = lab.a.counters().aliases
    const ids = new RequestIds<string, string>().add(ask(lab.a, server, 'x'), 'x').add(ask(lab.a, server, 'y'), 'y')
    await expect(lab.run(waitResponse(lab.a, ids, 50))).resolves.toEqual({ type: 'timeout' })
    expect(ids.size).toBe(2)
    await expect(lab.run(receiveResponse(lab.a, ids, 50))).resolves.toEqual({ type: 'timeout' })
    expect(ids.size).toBe(0)
    expect(lab.a.counters().aliases).toBe(before)
  })

  it('is given up as it was when the wait began: what was added since goes on, and what was taken out isn’t given up', async () => {
    const server = await late()
    const ids = new RequestIds<string, string>().add(ask(lab.a, server, 'x'), 'x')
    const out = ask(lab.a, server, 'out')
    const waiting = receiveResponse(lab.a, ids.add(out, 'out'), 50)
    ids.add(ask(lab.a, server, 'added'), 'added').delete(out)
    await expect(lab.run(waiting)).resolves.toEqual({ type: 'timeout' })
    expect(ids.toList().map(([, label]) => label)).toEqual(['added'])
    for (let left = 3; left > 0; left--) cast(lab.a, server, 'answer')
    await lab.settle()
    const answered = { type: 'reply', value: 're: out' }
    await expect(lab.run(waitResponse(lab.a, out, 50))).resolves.toEqual(answered)
    await expect(lab.run(waitResponse(lab.a, ids, 50))).resolves.toMatchObject({
      label: 'added',
      response: { value: 're: added' },
    })
  })

  it.each([
    ['receiveResponse', receiveResponse],
    ['waitResponse', waitResponse],
  ] as const)(
    'what is added while %s waits is neither waited for nor given up. OTP: it is in another collection',
    async (_name, waitFor) => {
      const server = await late()
      const early = await lab.run(start(lab.a, Late, []))
      const ids = new RequestIds<string, string>().add(ask(lab.a, server, 'x'), 'x')
      const waiting = waitFor(lab.a, ids, 50)
      ids.add(ask(lab.a, early, 'y'), 'y')
      cast(lab.a, early, 'answer')
      await expect(lab.run(waiting)).resolves.toEqual({ type: 'timeout' })
      expect(ids.toList().map(([, label]) => label)).toEqual(waitFor === receiveResponse ? ['y'] : ['x', 'y'])
      await expect(lab.run(receiveResponse(lab.a, ids, 50))).resolves.toMatchObject({
        label: 'y',
        response: { type: 'reply', value: 're: y' },
      })
    },
  )

  it('what is taken out while receiveResponse waits is not given up', async () => {
    const server = await late()
    const kept = ask(lab.a, server, 'kept')
    const ids = new RequestIds<string, string>()
      .add(kept, 'kept')
      .add(ask(lab.a, await lab.run(start(lab.a, Late, [])), 'x'), 'x')
    const waiting = receiveResponse(lab.a, ids, 50)
    ids.delete(kept)
    await expect(lab.run(waiting)).resolves.toEqual({ type: 'timeout' })
    cast(lab.a, server, 'answer')
    await expect(lab.run(receiveResponse(lab.a, kept, 50))).resolves.toEqual({ type: 'reply', value: 're: kept' })
  })

  it('of two who wait for the same request one has its response, and the other none to wait for, whatever is added', async () => {
    const server = await late()
    const ids = new RequestIds<string, string>().add(ask(lab.a, server, 'x'), 'x')
    const waits = [receiveResponse(lab.a, ids, 50), receiveResponse(lab.a, ids, 50)]
    ids.add(ask(lab.a, server, 'y'), 'y')
    cast(lab.a, server, 'answer')
    await expect(lab.run(Promise.all(waits))).resolves.toMatchObject([{ label: 'x' }, 'no_request'])
    expect(ids.size).toBe(1)
  })

  it('is waited for no longer than was said, though others take what was waited for', async () => {
    const server = await late()
    const ids = new RequestIds<string, string>()
    for (const what of ['x', 'y']) ids.add(ask(lab.a, server, what), what)
    const waits = [receiveResponse(lab.a, ids, 50), receiveResponse(lab.a, ids, 50)]
    await lab.advance(40)
    cast(lab.a, server, 'answer')
    const beganMs = lab.a.self.monotonicMs()
    await expect(lab.run(Promise.all(waits))).resolves.toMatchObject([{ label: 'x' }, { type: 'timeout' }])
    expect(lab.a.self.monotonicMs() - beganMs).toBe(10)
  })

  it('finds the request that a message is the response of', async () => {
    const server = await late()
    const { self, messages } = await lab.process()
    const ids = new RequestIds<string, string>()
    expect(checkResponse('anything', ids)).toBe('no_request')
    for (const what of ['x', 'y']) ids.add(sendRequest(self, server, { type: 'ask', what }, { toMailbox: true }), what)
    cast(lab.a, server, 'answer')
    await lab.settle()
    expect(checkResponse('anything', ids)).toBe('no_reply')
    expect(checkResponse(messages[0], ids)).toMatchObject({ label: 'x', response: { value: 're: x' } })
    expect(ids.size).toBe(1)
    expect(checkResponse(messages[0], ids)).toBe('no_reply')
  })

  it('takes a request once', async () => {
    const id = ask(lab.a, await late(), 'x')
    const ids = new RequestIds<string, number>().add(id, 1)
    expect(() => ids.add(id, 2)).toThrowError(expect.objectContaining({ code: 'ERR_BAD_ARGUMENT' }))
    expect(ids.delete(id)).toBe(true)
    expect(ids.delete(id)).toBe(false)
  })

  it.each([-1, NaN, '50'])('is not waited for %j ms, however few of it there are', async (timeoutMs) => {
    const ids = new RequestIds<string, number>()
    const refused = async (): Promise<unknown> => (await lab.failure(waitResponse(lab.a, ids, untyped(timeoutMs)))).code
    const codes = [await refused()]
    ids.add(ask(lab.a, await late(), 'x'), 1)
    codes.push(await refused())
    expect(codes).toEqual(['ERR_BAD_ARGUMENT', 'ERR_BAD_ARGUMENT'])
    expect(ids.size).toBe(1)
  })

  it('10,000 requests that were given up leave nothing behind', async () => {
    const plain = lab.a.spawn(handler(() => () => undefined))
    const before = lab.a.counters()
    for (let i = 0; i < 10_000; i++) void receiveResponse(lab.a, sendRequest(lab.a, plain, {}), 0)
    await lab.advance(10)
    expect(lab.a.counters()).toMatchObject({ aliases: before.aliases, timers: before.timers })
    expect(lab.a.processInfo(plain)?.monitoredBy).toEqual([])
  })
})
