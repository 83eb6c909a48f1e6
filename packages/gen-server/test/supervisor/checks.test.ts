/**
 * What can't be is an error at the caller, with a code, and nothing has been started.
 */
import {
  checkChildSpecs,
  child,
  GenServer,
  DynamicSupervisor,
  start as startServer,
  Supervisor,
  Task,
  type Call,
  type CallResult,
  type ChildSpec,
  type SupervisorFlags,
} from '@pidmesh/gen-server'
import { via, type Node } from '@pidmesh/runtime'
import { TestCluster } from '@pidmesh/runtime/testing'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'

const untyped = (value: unknown): never => value as never
const start = (): undefined => undefined

describe('checkChildSpecs', () => {
  it('fills in the defaults: permanent, a worker, 5 s; for a supervisor no limit', () => {
    expect(
      checkChildSpecs([
        { id: 'a', start },
        { id: 'b', start, type: 'supervisor' },
      ]),
    ).toEqual([
      { id: 'a', start, restart: 'permanent', shutdown: 5_000, type: 'worker', significant: false },
      { id: 'b', start, restart: 'permanent', shutdown: Infinity, type: 'supervisor', significant: false },
    ])
  })

  it.each<[string, unknown]>([
    ['is an object', 'a'],
    ['is an object', undefined],
    ['id must be a text', { start }],
    ['id must be a text', { id: '', start }],
    ['start must be a function', { id: 'a' }],
    ['restart must be one of permanent, transient, temporary', { id: 'a', start, restart: 'always' }],
    ["shutdown must be 'brutal_kill', or milliseconds", { id: 'a', start, shutdown: -1 }],
    ["shutdown must be 'brutal_kill', or milliseconds", { id: 'a', start, shutdown: Number.NaN }],
    ["shutdown must be 'brutal_kill', or milliseconds", { id: 'a', start, shutdown: 'infinity' }],
    ["type must be 'worker' or 'supervisor'", { id: 'a', start, type: 'x' }],
    ['significant must be true or false', { id: 'a', start, significant: 1 }],
    ['a permanent child cannot be significant', { id: 'a', start, significant: true }],
    ['needs a supervisor with autoShutdown', { id: 'a', start, significant: true, restart: 'transient' }],
    ["there is no option 'restrat'", { id: 'a', start, restrat: 'permanent' }],
  ])('says that %s', (problem, spec) => {
    expect(() => checkChildSpecs([untyped(spec)])).toThrowError(
      expect.objectContaining({ code: 'ERR_BAD_CHILD_SPEC', message: expect.stringContaining(problem) }),
    )
  })

  it('says that two have one id, and that it is no list', () => {
    expect(() =>
      checkChildSpecs([
        { id: 'a', start },
        { id: 'a', start },
      ]),
    ).toThrowError("two children have the id 'a': give one an id of its own")
    expect(() => checkChildSpecs(untyped({ id: 'a', start }))).toThrowError('given as a list')
  })
})

describe('child', () => {
  it('says that it takes a class, and a list of arguments', () => {
    const badSpec = expect.objectContaining({ code: 'ERR_BAD_CHILD_SPEC' })
    expect(() => child(untyped(undefined), [])).toThrowError(badSpec)
    class Any extends GenServer {}
    expect(() => child(Any, untyped(5))).toThrowError(badSpec)
  })

  it('has its name for an id, also one in a Via, or else that of its class', () => {
    class Any extends GenServer {}
    const names = untyped({})
    const ids = [{}, { name: 'here' }, { name: via(names, 'room:1') }, { name: 'here', id: 'mine' }].map(
      (options) => child(Any, [], options).id,
    )
    expect(ids).toEqual(['Any', 'here', 'room:1', 'mine'])
  })

  it('of a supervisor is the same, or else what it is', () => {
    const options = [{}, { name: 'here' }, { name: via(untyped({}), 'rooms:1') }, { name: 'here', id: 'mine' }]
    expect(options.map((each) => Supervisor.childSpec({}, [], each).id)).toEqual([
      'supervisor',
      'here',
      'rooms:1',
      'mine',
    ])
    expect(options.map((each) => DynamicSupervisor.childSpec({}, each).id)).toEqual([
      'dynamic_supervisor',
      'here',
      'rooms:1',
      'mine',
    ])
  })
})

describe('supervisors', () => {
  let cluster: TestCluster
  let a: Node

  beforeEach(async () => {
    cluster = new TestCluster()
    a = await cluster.start('a')
  })

  afterEach(async () => {
    await cluster.stop()
  })

  async function codeOf(promise: Promise<unknown>): Promise<unknown> {
    return cluster.run(
      promise.then(
        () => 'no error',
        (error: unknown) => (error as { code?: unknown }).code,
      ),
    )
  }

  it.each<[string, unknown]>([
    ['strategy', { strategy: 'one_for_none' }],
    ['intensity', { intensity: -1 }],
    ['intensity', { intensity: 1.5 }],
    ['periodMs', { periodMs: 0 }],
    ['autoShutdown', { autoShutdown: 'always' }],
    ['an unknown option', { period: 5 }],
    ['none at all', null],
  ])('refuse flags that can not be: %s', async (_, flags) => {
    const processes = a.processes().length
    expect(await codeOf(Supervisor.start(a, untyped(flags), []))).toBe('ERR_BAD_OPTION')
    expect(() => Supervisor.childSpec(untyped(flags), [])).toThrowError(
      expect.objectContaining({ code: 'ERR_BAD_OPTION' }),
    )
    expect(a.processes()).toHaveLength(processes)
  })

  it.each<[string, unknown]>([
    ['maxChildren', { maxChildren: -1 }],
    ['intensity', { intensity: Infinity }],
    ['a strategy', { strategy: 'one_for_one' }],
  ])('of dynamic ones too: %s', async (_, flags) => {
    expect(await codeOf(DynamicSupervisor.start(a, untyped(flags)))).toBe('ERR_BAD_OPTION')
  })

  it('take a flag that is undefined as one that was not given', async () => {
    const unset = { intensity: undefined, periodMs: undefined }
    const flags = { ...unset, autoShutdown: undefined }
    const supervisors = [
      await cluster.run(Supervisor.start(a, { ...flags, strategy: undefined }, [])),
      await cluster.run(Supervisor.start(a, { ...flags, strategy: 'simple_one_for_one' }, () => ({ id: 'a', start }))),
      await cluster.run(DynamicSupervisor.start(a, { ...unset, maxChildren: undefined })),
    ]
    for (const supervisor of supervisors)
      expect(await cluster.run(Supervisor.countChildren(a, supervisor))).toMatchObject({ active: 0 })
  })

  it('refuse specifications that can not be, at their start and later', async () => {
    const bad: ChildSpec = untyped({ id: 'a' })
    const never: ChildSpec = { id: 's', start, restart: 'transient', significant: true }
    const supervisor = await cluster.run(Supervisor.start(a, {}, []))
    const dynamic = await cluster.run(DynamicSupervisor.start(a))
    expect(await codeOf(Supervisor.start(a, {}, [bad]))).toBe('ERR_BAD_CHILD_SPEC')
    expect(await codeOf(Supervisor.start(a, { strategy: 'simple_one_for_one' }, untyped([])))).toBe(
      'ERR_BAD_CHILD_SPEC',
    )
    expect(await codeOf(Supervisor.startChild(a, supervisor, bad))).toBe('ERR_BAD_CHILD_SPEC')
    // Only the supervisor knows that it never shuts down by itself.
    expect(await codeOf(Supervisor.startChild(a, supervisor, never))).toBe('ERR_BAD_CHILD_SPEC')
    expect(await codeOf(DynamicSupervisor.startChild(a, dynamic, bad))).toBe('ERR_BAD_CHILD_SPEC')
    expect(await codeOf(DynamicSupervisor.startChild(a, dynamic, never))).toBe('ERR_BAD_CHILD_SPEC')
    expect([a.isProcessAlive(supervisor), a.isProcessAlive(dynamic)]).toEqual([true, true])
  })

  it('refuse arguments that can not be', async () => {
    const supervisor = await cluster.run(Supervisor.start(a, {}, []))
    for (const asked of [
      Supervisor.terminateChild(a, supervisor, untyped(5)),
      Supervisor.restartChild(a, supervisor, untyped(undefined)),
      Supervisor.deleteChild(a, supervisor, untyped({})),
      Supervisor.getChildSpec(a, supervisor, untyped(undefined)),
      DynamicSupervisor.terminateChild(a, 'x', untyped('a')),
      Supervisor.whichChildren(a, untyped(5)),
    ])
      expect(await codeOf(asked)).toBe('ERR_BAD_ARGUMENT')
  })

  it.each<[string, unknown]>([
    ['nothing', undefined],
    ['a text', 'yes'],
    ['an object', { type: 'sold' }],
  ])('what is no supervisor is told to be none by what it answers: %s', async (_, answer) => {
    class Shop extends GenServer<Call<object, unknown>> {
      override handleCall(request: Call<object, unknown>): CallResult {
        return this.reply(request, answer)
      }
    }
    const shop = untyped(await cluster.run(startServer(a, Shop, [])))
    const other = await cluster.start('other')
    const run = (): undefined => undefined
    const asked: Promise<unknown>[] = [Task.asyncNolink(a.self, shop, run), Task.startChild(a, shop, run)]
    for (const caller of [a, other])
      asked.push(
        DynamicSupervisor.terminateChild(caller, shop, a.self.pid),
        DynamicSupervisor.whichChildren(caller, shop),
        DynamicSupervisor.countChildren(caller, shop),
        Supervisor.startChild(caller, shop, untyped([])),
        Supervisor.terminateChild(caller, shop, 'a'),
        Supervisor.restartChild(caller, shop, 'a'),
        Supervisor.deleteChild(caller, shop, 'a'),
        Supervisor.getChildSpec(caller, shop, 'a'),
        Supervisor.whichChildren(caller, shop),
        Supervisor.countChildren(caller, shop),
      )
    for (const one of asked) {
      const error: unknown = await cluster.run(one).catch((thrown: unknown) => thrown)
      expect(error).toMatchObject({ code: 'ERR_BAD_ARGUMENT' })
      expect(String(error)).toMatch(/ is no supervisor: it has another answer to \w+$/)
    }
  })

  it('specifications that a function gives and that can not be fail the start', async () => {
    const flags: SupervisorFlags = {}
    const failed = Supervisor.start(a, flags, () => [
      { id: 'a', start },
      { id: 'a', start },
    ])
    await expect(cluster.run(failed)).rejects.toMatchObject({
      code: 'ERR_START_FAILED',
      reason: { start_spec: "two children have the id 'a': give one an id of its own" },
    })
  })

  it('a message that is no question harms no supervisor', async () => {
    const supervisor = await cluster.run(
      Supervisor.start(a, {}, [{ id: 'a', start: (self) => self.spawnLink((me) => me.receive()) }]),
    )
    for (const message of [
      'x',
      { type: 'EXIT' },
      { type: 'EXIT', from: supervisor },
      { type: 'EXIT', from: null, reason: 'boom' },
      { type: '$supervisor_retry', child: {} },
      { type: '$gen_cast', request: 1 },
    ])
      a.send(supervisor, message)
    a.send(supervisor, { type: '$gen_call', from: { pid: a.self.pid, tag: a.self.alias() }, request: { type: 'x' } })
    const hostile = Object.defineProperty({}, 'id', {
      enumerable: true,
      get: () => {
        throw new Error('no')
      },
    })
    for (const request of [
      null,
      5,
      { type: 'x' },
      { type: 'start_child' },
      { type: 'start_child', spec: hostile },
      { type: 'delete_child' },
    ])
      a.send(supervisor, { type: '$gen_call', from: { pid: a.self.pid, tag: a.self.alias() }, request })
    await cluster.settle()
    expect(await cluster.run(Supervisor.countChildren(a, supervisor))).toMatchObject({ active: 1 })
  })
})
