/**
 * What anybody on a node can send to a server that he has not been told how to speak to: things that look like pids and references, and fields that throw where they are read. None of it ends a server.
 */
import {
  call,
  DynamicSupervisor,
  GenServer,
  RequestIds,
  reply,
  sendRequest,
  start,
  stop,
  Supervisor,
  sys,
  waitResponse,
  child,
  type Call,
  type From,
} from '@pidmesh/gen-server'
import { Pid, Ref } from '@pidmesh/runtime'
import { faultsOf } from '@pidmesh/runtime/testing'
import { describe, expect, it } from 'vitest'
import { untyped, useLab } from './lab.ts'

const lab = useLab()

const forgedPid = Object.create(Pid.prototype) as Pid
const forgedRef = Object.create(Ref.prototype) as Ref

class Idle extends GenServer {
  count = 0
}

/** Gives its value once, and throws afterwards. */
function once<T>(value: T): () => T {
  let isRead = false
  return () => {
    if (isRead) throw new Error('read twice')
    isRead = true
    return value
  }
}

function throwing(): never {
  throw new Error('on demand')
}

describe('a server', () => {
  it.each<[string, (ref: Ref) => unknown]>([
    ['a reference that is none', () => ({ type: '$system', replyTo: forgedRef, request: { type: 'get_state' } })],
    [
      'a request of which the type is read twice',
      (replyTo) => ({
        type: '$system',
        replyTo,
        request: Object.defineProperty({}, 'type', { get: once('get_state'), enumerable: true }),
      }),
    ],
    [
      'fields that throw',
      () => Object.defineProperty({ type: '$system' }, 'replyTo', { get: throwing, enumerable: true }),
    ],
    [
      'a call whose tag is none',
      () => ({ type: '$gen_call', from: { pid: lab.a.self.pid, tag: forgedRef }, request: 1 }),
    ],
  ])('is not ended by a message of sys, or a call, with %s', async (_what, make) => {
    const pid = await lab.run(start(lab.a, Idle, []))
    const supervisor = await lab.run(Supervisor.start(lab.a, {}, [child(Idle, [], { id: 'idle' })]))
    const { self } = await lab.process()
    for (const to of [pid, supervisor]) self.send(to, make(self.alias()))
    await lab.advance(10)
    expect([pid, supervisor].map((one) => lab.a.isProcessAlive(one))).toEqual([true, true])
    expect(await lab.run(Supervisor.countChildren(lab.a, supervisor))).toMatchObject({ active: 1 })
  })
})

describe('a supervisor', () => {
  it.each<[string, unknown]>([
    ['a child that is none', { type: 'terminate_child', child: forgedPid }],
    ['the specification of a child that is none', { type: 'get_child_spec', child: forgedPid }],
    ['what throws where it is read', Object.defineProperty({}, 'type', { get: throwing, enumerable: true })],
    ['arguments that are revoked', { type: 'start_child_with', args: revoked() }],
    ['a specification that is revoked', { type: 'start_child', spec: revoked() }],
  ])('does not end, nor do its children, of a call with %s', async (_what, request) => {
    const supervisor = await lab.run(DynamicSupervisor.start(lab.a))
    const started = await lab.run(DynamicSupervisor.startChild(lab.a, supervisor, child(Idle, [], { id: 'idle' })))
    await lab.run(call(lab.a, untyped(supervisor), untyped(request), 50).catch(() => undefined))
    expect(lab.a.isProcessAlive(supervisor)).toBe(true)
    expect(started).toMatchObject({ type: 'ok' })
    expect(await lab.run(DynamicSupervisor.countChildren(lab.a, supervisor))).toMatchObject({ active: 1 })
  })

  it('refuses a pid that is none where it is given', async () => {
    const supervisor = await lab.run(DynamicSupervisor.start(lab.a))
    expect(await lab.failure(DynamicSupervisor.terminateChild(lab.a, supervisor, forgedPid))).toMatchObject({
      code: 'ERR_BAD_ARGUMENT',
    })
  })

  it('takes no template that gives a promise, and its rejection harms nobody', async () => {
    const template = (): never => Promise.reject(new Error('on demand')) as never
    const supervisor = await lab.run(Supervisor.start(lab.a, { strategy: 'simple_one_for_one' }, template))
    const faults = await faultsOf(async () => {
      const result = await lab.run(Supervisor.startChild(lab.a, supervisor, []))
      expect(result).toMatchObject({
        type: 'start_failed',
        reason: { error: { message: expect.stringMatching('at once') } },
      })
    })
    expect(faults).toEqual([])
  })
})

function revoked(): object {
  const { proxy, revoke } = Proxy.revocable({}, {})
  revoke()
  return proxy
}

it('two who wait for the same collection of requests have a response each', async () => {
  const froms: From[] = []
  class Mute extends GenServer<Call<{ type: 'go' }, string>> {
    override handleCall(_request: { type: 'go' }, from: From) {
      froms.push(from)
      return this.noreply()
    }
  }
  const mute = await lab.run(start(lab.a, Mute, []))
  const { self } = await lab.process()
  const ids = new RequestIds<string, string>()
  for (const label of ['one', 'two']) ids.add(sendRequest(self, mute, { type: 'go' }), label)
  await lab.settle()
  const waits = [1, 2].map(() => waitResponse(self, ids, 1_000))
  reply(lab.a, froms[0] as From, 'x')
  await lab.advance(10)
  reply(lab.a, froms[1] as From, 'y')
  const responses = await lab.run(Promise.all(waits))
  expect(new Set(responses.map((one) => (one as { label?: unknown }).label))).toEqual(new Set(['one', 'two']))
  expect(await lab.run(waitResponse(self, ids, 0))).toBe('no_request')
})

it('a stop with a long reason succeeds, also across nodes, where it comes back clipped', async () => {
  const pid = await lab.run(start(lab.b, Idle, []))
  await lab.settle()
  const reason = { error: { name: 'Error', message: 'x'.repeat(2_000) } }
  await expect(lab.run(stop(lab.a, pid, reason))).resolves.toBeUndefined()
})

it('a state that can’t be read whole changes nothing', async () => {
  const pid = await lab.run(start(lab.a, Idle, []))
  const halves = (): never =>
    Object.defineProperty({ count: 99 }, 'other', { get: throwing, enumerable: true }) as never
  await expect(lab.run(sys.replaceState(lab.a, pid, halves))).rejects.toMatchObject({ code: 'ERR_SYS_FAILED' })
  expect(await lab.run(sys.getState(lab.a, pid))).toEqual({ count: 0 })
})
