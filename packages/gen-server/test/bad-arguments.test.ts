/**
 * PURPOSE: arguments that the types would have refused are told where they are given, with a code, and nothing has happened.
 */
import * as gen from '@pidmesh/gen-server'
import { DynamicSupervisor, GenServer, GenStatem, Supervisor, Task } from '@pidmesh/gen-server'
import { expect, it } from 'vitest'
import { useLab } from './lab.ts'

const lab = useLab()

class Idle extends GenServer {
  override handleCall() {
    return this.noreply()
  }
}

class Machine extends GenStatem<{ state: 'on' }> {
  override init() {
    return this.ok('on')
  }
  override handleEvent() {
    return this.keepState()
  }
}

/** As who writes no types would call it. */
type Untyped = (...args: readonly unknown[]) => unknown

const {
  abcast,
  call,
  cast,
  checkResponse,
  child,
  enterLoop,
  multiCall,
  processChild,
  receiveResponse,
  reply,
  sendRequest,
  start,
} = gen as unknown as { readonly [Name in keyof typeof gen]: Untyped }
const tasks = Task as unknown as Readonly<
  Record<'async' | 'asyncNolink' | 'await' | 'childSpec' | 'startChild' | 'startLink' | 'shutdown' | 'yield', Untyped>
>
const startSupervisor = Supervisor.start as Untyped
const supervisorSpec = Supervisor.childSpec as Untyped
const ids = new gen.RequestIds() as unknown as { readonly add: Untyped; readonly size: number }

const unreadable = new Proxy(
  {},
  {
    ownKeys: () => {
      throw new RangeError('trap')
    },
  },
)

it.each<readonly [string, 'ERR_BAD_ARGUMENT' | 'ERR_BAD_OPTION', () => unknown]>([
  ['reply to nothing', 'ERR_BAD_ARGUMENT', () => reply(lab.a, undefined, 1)],
  ['reply to what is no caller', 'ERR_BAD_ARGUMENT', () => reply(lab.a, { tag: 5 }, 1)],
  ['a call of nobody', 'ERR_BAD_ARGUMENT', () => call(lab.a, undefined, 1)],
  ['a call by nobody', 'ERR_BAD_ARGUMENT', () => call(undefined, 'name', 1)],
  ['a cast to nobody', 'ERR_BAD_ARGUMENT', () => cast(lab.a, undefined, 1)],
  ['multiCall of nothing', 'ERR_BAD_ARGUMENT', () => multiCall(lab.a, undefined, 1)],
  ['multiCall of no nodes', 'ERR_BAD_ARGUMENT', () => multiCall(lab.a, { name: 's', nodes: [5] }, 1)],
  ['abcast to nothing', 'ERR_BAD_ARGUMENT', () => abcast(lab.a, undefined, 1)],
  ['a start of nothing', 'ERR_BAD_ARGUMENT', () => start(lab.a, undefined, [])],
  ['a start of a function', 'ERR_BAD_ARGUMENT', () => start(lab.a, () => 1, [])],
  ['a start of a class of something else', 'ERR_BAD_ARGUMENT', () => start(lab.a, Map, [])],
  ['a start without arguments', 'ERR_BAD_ARGUMENT', () => start(lab.a, Idle)],
  ['a start with an option that is none', 'ERR_BAD_OPTION', () => start(lab.a, Idle, [], { nam: 'x' })],
  ['enterLoop with no server', 'ERR_BAD_ARGUMENT', () => enterLoop(lab.a.self, 5)],
  ['enterLoop with a state machine', 'ERR_BAD_ARGUMENT', () => enterLoop(lab.a.self, new Machine())],
  ['enterLoop with an option that is none', 'ERR_BAD_OPTION', () => enterLoop(lab.a.self, new Idle(), { parnt: 1 })],
  ['enterLoop with null for options', 'ERR_BAD_OPTION', () => enterLoop(lab.a.self, new Idle(), null)],
  ['sendRequest with an option that is none', 'ERR_BAD_OPTION', () => sendRequest(lab.a, 'x', 1, { toMailBox: true })],
  ['enterLoop with a parent that is none', 'ERR_BAD_OPTION', () => enterLoop(lab.a.self, new Idle(), { parent: 'me' })],
  ['sendRequest with a flag that is none', 'ERR_BAD_OPTION', () => sendRequest(lab.a, 'x', 1, { toMailbox: 'no' })],
  ['sendRequest with options that throw', 'ERR_BAD_OPTION', () => sendRequest(lab.a, 'x', 1, unreadable)],
  ['sendRequest with null for options', 'ERR_BAD_OPTION', () => sendRequest(lab.a, 'x', 1, null)],
  ['a collection of what is no request', 'ERR_BAD_ARGUMENT', () => ids.add(5, 'label')],
  ['receiveResponse of nothing', 'ERR_BAD_ARGUMENT', () => receiveResponse(lab.a, 5, 10)],
  ['checkResponse of nothing', 'ERR_BAD_ARGUMENT', () => checkResponse({}, 5)],
  ['a task that is no function', 'ERR_BAD_ARGUMENT', () => tasks.async(lab.a.self, 5)],
  ['a task of nobody', 'ERR_BAD_ARGUMENT', () => tasks.async(5, () => 1)],
  ['a supervised task that is no function', 'ERR_BAD_ARGUMENT', () => tasks.startChild(lab.a, 'x', 5)],
  ['a linked task of nobody', 'ERR_BAD_ARGUMENT', () => tasks.startLink(undefined, () => 1)],
  ['a task without a link of nobody', 'ERR_BAD_ARGUMENT', () => tasks.asyncNolink(undefined, 'x', () => 1)],
  ['await of no task', 'ERR_BAD_ARGUMENT', () => tasks.await(5)],
  ['yield of no task', 'ERR_BAD_ARGUMENT', () => tasks.yield(undefined)],
  ['shutdown of no task', 'ERR_BAD_ARGUMENT', () => tasks.shutdown({})],
  ['a supervisor with null for options', 'ERR_BAD_OPTION', () => startSupervisor(lab.a, {}, [], null)],
  [
    'a supervisor that is to trap no exits',
    'ERR_BAD_OPTION',
    () => startSupervisor(lab.a, {}, [], { trapExit: false }),
  ],
  [
    'a supervisor that is a child, with an option that is none',
    'ERR_BAD_OPTION',
    () => supervisorSpec({}, [], { nam: 'x' }),
  ],
  ['a supervisor that is a child, with null for options', 'ERR_BAD_OPTION', () => supervisorSpec({}, [], null)],
  ['a child with null for options', 'ERR_BAD_OPTION', () => child(Idle, [], null)],
  ['a child with an option that is none', 'ERR_BAD_OPTION', () => child(Idle, [], { nmae: 'x' })],
  ['a child whose name is none', 'ERR_BAD_OPTION', () => child(Idle, [], { name: 5 })],
  ['a process as a child, with an option that is none', 'ERR_BAD_OPTION', () => processChild('x', () => 1, { nam: 1 })],
  ['a task as a child, with an option that is none', 'ERR_BAD_OPTION', () => tasks.childSpec(() => 1, { restrt: 1 })],
  ['a supervisor with null for flags', 'ERR_BAD_OPTION', () => startSupervisor(lab.a, null, [])],
  ['a flag that is none', 'ERR_BAD_OPTION', () => (DynamicSupervisor.start as Untyped)(lab.a, { max: 1 })],
])('%s is %s', async (_, code, run) => {
  const before = lab.a.processes().length
  await expect(
    lab.run(
      (async () => {
        await run()
      })(),
    ),
  ).rejects.toThrow(expect.objectContaining({ code }))
  expect(lab.a.processes().length).toBe(before)
  expect(ids.size).toBe(0)
})

it('a call that times out says who has not replied, and after how long; a name that is taken, by whom', async () => {
  const pid = await lab.run(gen.start(lab.a, Idle, [], { name: 'idle' }))
  const message = async (promise: Promise<unknown>): Promise<string> =>
    lab.run(
      promise.then(
        () => '',
        (error: unknown) => (error as Error).message,
      ),
    )
  expect(await message(gen.call(lab.a, 'idle', 1 as never, 250))).toBe('call to idle failed: timeout after 250 ms')
  expect(await message(gen.start(lab.a, Idle, [], { name: 'idle' }))).toBe(
    `the server could not be started: already_started: the name "idle" is that of ${pid}`,
  )
})
