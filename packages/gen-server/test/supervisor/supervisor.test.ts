/**
 * The rules of SEMANTICS, "Supervisors", and of OTP's documentation where that is silent. `OTP:` what OTP 25 does, tried with `erl`.
 */
import {
  call,
  child,
  DynamicSupervisor,
  GenServer,
  processChild,
  Supervisor,
  sys,
  type Call,
  type ChildSpec,
  type SupervisorFlags,
  type SupervisorPid,
  type SupervisorState,
} from '@pidmesh/gen-server'
import type { ExitReason, Pid } from '@pidmesh/runtime'
import { faultsOf } from '@pidmesh/runtime/testing'
import { describe, expect, expectTypeOf, it } from 'vitest'
import { idle, useTree } from './tree.ts'

const tree = useTree()

async function started(flags: SupervisorFlags, children: readonly ChildSpec[]): Promise<SupervisorPid> {
  return tree.run(Supervisor.start(tree.node, flags, children))
}

async function pidOf(supervisor: SupervisorPid, id: string): Promise<Pid> {
  const found = (await tree.run(Supervisor.whichChildren(tree.node, supervisor))).find((one) => one.id === id)
  if (found?.pid === undefined || found.pid === 'restarting') throw new Error(`${id} doesn't run`)
  return found.pid
}

async function states(supervisor: SupervisorPid): Promise<string> {
  const children = await tree.run(Supervisor.whichChildren(tree.node, supervisor))
  return children.map(({ id, pid }) => `${id} ${typeof pid === 'object' ? 'runs' : String(pid)}`).join(', ')
}

async function end(supervisor: SupervisorPid, id: string, reason: ExitReason): Promise<void> {
  tree.node.send(await pidOf(supervisor, id), { type: 'end', reason })
  await tree.settle()
}

describe('start and stop', () => {
  it('children start in order, and stop in reverse when the parent exits, each after the other', async () => {
    const parent = await tree.parent()
    const children = [tree.worker('a'), tree.worker('b', { stopMs: 100 }), tree.worker('c', { stopMs: 50 })]
    const supervisor = await tree.run(Supervisor.startLink(parent, {}, children))
    expect(tree.taken()).toBe('start a, start b, start c')
    tree.node.exit(parent.pid, 'shutdown')
    await tree.cluster.advance(49)
    expect(tree.taken()).toBe('')
    await tree.cluster.advance(99)
    expect(tree.taken()).toBe('stop c shutdown')
    await tree.cluster.advance(10)
    expect(tree.taken()).toBe('stop b shutdown, stop a shutdown')
    expect(tree.node.isProcessAlive(supervisor)).toBe(false)
  })

  it('a child that fails to start stops the earlier ones in reverse and fails the supervisor', async () => {
    tree.failing.add('c')
    const children = ['a', 'b', 'c', 'd'].map((id) => tree.worker(id))
    await expect(started({}, children)).rejects.toMatchObject({
      code: 'ERR_START_FAILED',
      reason: { shutdown: { failed_to_start_child: 'c', reason: 'boom' } },
    })
    expect(tree.taken()).toBe('start a, start b, fail c, stop b shutdown, stop a shutdown')
  })

  it('a start that throws, or gives what is no pid, is one that fails', async () => {
    const throws: ChildSpec = { id: 'a', start: () => Promise.reject(new Error('no')) }
    await expect(started({}, [throws])).rejects.toMatchObject({
      reason: { shutdown: { failed_to_start_child: 'a', reason: { error: { message: 'no' } } } },
    })
    await expect(started({}, [throws])).rejects.toThrow(
      'the server could not be started: {"shutdown":{"failed_to_start_child":"a","reason":"Error: no"}}',
    )
    const garbage: ChildSpec = { id: 'a', start: () => 5 as never }
    await expect(started({}, [garbage])).rejects.toMatchObject({
      reason: { shutdown: { failed_to_start_child: 'a', reason: { bad_return_value: 'number' } } },
    })
  })

  it('a child whose start says ignore is kept without a process, a temporary one is not', async () => {
    tree.unwanted.add('a').add('b')
    const supervisor = await started({}, [
      tree.worker('a'),
      tree.worker('b', { restart: 'temporary' }),
      tree.worker('c'),
    ])
    expect(await states(supervisor)).toBe('c runs, a undefined')
    expect(await tree.run(Supervisor.restartChild(tree.node, supervisor, 'a'))).toEqual({ type: 'ok', pid: undefined })
    tree.unwanted.clear()
    expect(await tree.run(Supervisor.restartChild(tree.node, supervisor, 'a'))).toMatchObject({ type: 'ok' })
    expect(await states(supervisor)).toBe('c runs, a runs')
  })

  it('a child whose init says ignore is kept without a process, a temporary one is not', async () => {
    class Unwanted extends GenServer {
      override init() {
        return this.ignore()
      }
    }
    const supervisor = await started({}, [
      child(Unwanted, [], { id: 'a' }),
      child(Unwanted, [], { id: 'b', restart: 'temporary' }),
    ])
    expect(await states(supervisor)).toBe('a undefined')
    const more = child(Unwanted, [], { id: 'c' })
    expect(await tree.run(Supervisor.startChild(tree.node, supervisor, more))).toEqual({ type: 'ok', pid: undefined })
    const brief = child(Unwanted, [], { id: 'd', restart: 'temporary' })
    expect(await tree.run(Supervisor.startChild(tree.node, supervisor, brief))).toEqual({ type: 'ok', pid: undefined })
    expect(await states(supervisor)).toBe('c undefined, a undefined')
  })

  it('the children may be given by a function, which is asked at each start of the supervisor', async () => {
    let times = 0
    const inner = Supervisor.childSpec({}, () => [idle(`try${++times}`)], { name: 'inner' })
    await started({}, [inner])
    const first = tree.node.whereis('inner') ?? expect.fail('it runs')
    tree.node.exit(first, 'kill')
    await tree.settle()
    const children = await tree.run(Supervisor.whichChildren(tree.node, 'inner'))
    expect(children.map(({ id }) => id)).toEqual(['try2'])
  })

  it('a name that is taken fails the start, and a name is that of the supervisor', async () => {
    await tree.run(Supervisor.start(tree.node, {}, [], { name: 'sup' }))
    await expect(tree.run(Supervisor.start(tree.node, {}, [], { name: 'sup' }))).rejects.toMatchObject({
      code: 'ERR_ALREADY_STARTED',
    })
    expect(await tree.run(Supervisor.countChildren(tree.node, 'sup'))).toEqual({
      specs: 0,
      active: 0,
      supervisors: 0,
      workers: 0,
    })
  })

  it('a child that was not linked by its start is linked', async () => {
    const supervisor = await started({}, [{ id: 'a', start: (self) => self.spawn((me) => me.receive()) }])
    const pid = await pidOf(supervisor, 'a')
    tree.node.exit(supervisor, 'kill')
    await tree.settle()
    expect(tree.node.isProcessAlive(pid)).toBe(false)
  })

  it('a process can not be the child of one supervisor twice', async () => {
    const supervisor = await started({}, [idle('a')])
    const pid = await pidOf(supervisor, 'a')
    const again = Supervisor.startChild(tree.node, supervisor, { id: 'b', start: () => pid })
    expect(await tree.run(again)).toEqual({ type: 'already_started', pid })
  })
})

describe('shutdown', () => {
  it('a worker has 5 s, and is killed then', async () => {
    const supervisor = await started({}, [tree.worker('a', { stopMs: 60_000 })])
    const pid = await pidOf(supervisor, 'a')
    const stopped = Supervisor.terminateChild(tree.node, supervisor, 'a')
    await tree.cluster.advance(4_999)
    expect(tree.node.isProcessAlive(pid)).toBe(true)
    await tree.cluster.advance(1)
    expect(tree.node.isProcessAlive(pid)).toBe(false)
    expect(await tree.run(stopped)).toBe('ok')
    expect(tree.reports('shutdown_error').map(({ fields }) => fields['reason'])).toEqual(['killed'])
  })

  it('shutdown in milliseconds, Infinity, and brutal_kill', async () => {
    const supervisor = await started({}, [
      tree.worker('a', { shutdown: 200, stopMs: 60_000 }),
      tree.worker('b', { shutdown: Infinity, stopMs: 60_000 }),
      tree.worker('c', { shutdown: 'brutal_kill' }),
    ])
    expect(tree.taken()).toBe('start a, start b, start c')
    const since = tree.cluster.clock.monotonicMs()
    const tookMs = async (id: string): Promise<number> => {
      await tree.run(Supervisor.terminateChild(tree.node, supervisor, id))
      return tree.cluster.clock.monotonicMs() - since
    }
    expect([await tookMs('c'), await tookMs('a'), await tookMs('b')]).toEqual([0, 200, 60_200])
    expect(tree.taken()).toBe('stop b shutdown')
  })

  it('a child with a shutdown of 0 is told, and has the time that it needs at once, not more', async () => {
    const children = [tree.worker('quick', { shutdown: 0 }), tree.worker('slow', { shutdown: 0, stopMs: 1 })]
    const supervisor = await started({}, children)
    tree.taken()
    for (const id of ['quick', 'slow']) await tree.run(Supervisor.terminateChild(tree.node, supervisor, id))
    expect(tree.taken()).toBe('stop quick shutdown')
    expect(tree.reports('shutdown_error').map(({ fields }) => fields['child'])).toEqual(['slow'])
  })

  it('a supervisor has no limit of time', async () => {
    const inner = Supervisor.childSpec({}, [tree.worker('a', { shutdown: Infinity, stopMs: 60_000 })], { id: 'inner' })
    const supervisor = await started({}, [inner])
    tree.taken()
    expect(await tree.run(Supervisor.terminateChild(tree.node, supervisor, 'inner'))).toBe('ok')
    expect(tree.taken()).toBe('stop a shutdown')
  })

  it('a child that has unlinked itself is stopped all the same, and its end waited for', async () => {
    const supervisor = await started({}, [tree.worker('a', { stopMs: 100 })])
    const pid = await pidOf(supervisor, 'a')
    tree.node.send(pid, { type: 'unlink', from: supervisor })
    await tree.settle()
    expect(await tree.run(Supervisor.terminateChild(tree.node, supervisor, 'a'))).toBe('ok')
    expect(tree.node.isProcessAlive(pid)).toBe(false)
  })

  it('a supervisor that is killed takes its children with it', async () => {
    const supervisor = await started({}, [tree.worker('a'), idle('b')])
    const pids = [await pidOf(supervisor, 'a'), await pidOf(supervisor, 'b')]
    tree.node.exit(supervisor, 'kill')
    await tree.settle()
    expect(pids.map((pid) => tree.node.isProcessAlive(pid))).toEqual([false, false])
    expect(tree.taken()).toBe('start a, stop a killed')
  })

  it('a supervisor that is killed while it stops its children, or starts one, makes no unhandled rejection', async () => {
    const faults = await faultsOf(async () => {
      const stopping = await started({}, [tree.worker('a', { stopMs: 1_000 })])
      Supervisor.terminateChild(tree.node, stopping, 'a').catch(() => undefined)
      const starting = await started({}, [])
      const never: ChildSpec = { id: 'a', start: () => new Promise(() => undefined) }
      Supervisor.startChild(tree.node, starting, never).catch(() => undefined)
      await tree.cluster.advance(10)
      for (const supervisor of [stopping, starting]) tree.node.exit(supervisor, 'kill')
      await tree.cluster.advance(10)
    })
    expect(faults).toEqual([])
  })

  it('a supervisor that is killed while it starts a child does not say that the child could not be started', async () => {
    const hangs: ChildSpec = {
      id: 'a',
      start: async (self) => {
        await self.awaitDown(tree.node.self.pid, Infinity)
        return undefined
      },
    }
    void Supervisor.start(tree.node, {}, [hangs], { name: 'sup' })
    await tree.settle()
    tree.node.exit(tree.node.whereis('sup') ?? expect.fail('it starts'), 'kill')
    await tree.settle()
    expect(tree.reports()).toEqual([])
  })
})

describe('restarts', () => {
  it.each<[SupervisorFlags['strategy'], string]>([
    ['one_for_one', 'stop b boom, start b'],
    ['one_for_all', 'stop b boom, stop c shutdown, stop a shutdown, start a, start b, start c'],
    ['rest_for_one', 'stop b boom, stop c shutdown, start b, start c'],
  ])('%s', async (strategy, done) => {
    const supervisor = await started(
      { ...(strategy && { strategy }) },
      ['a', 'b', 'c'].map((id) => tree.worker(id)),
    )
    tree.taken()
    await end(supervisor, 'b', 'boom')
    expect(tree.taken()).toBe(done)
  })

  it('permanent: always; transient: unless it ended with normal, shutdown or { shutdown: … }; temporary: never', async () => {
    const children = (['permanent', 'transient', 'temporary'] as const).map((restart) =>
      tree.worker(restart, { restart }),
    )
    for (const [reason, left] of [
      ['normal', 'transient undefined, permanent runs'],
      ['shutdown', 'transient undefined, permanent runs'],
      [{ shutdown: 'x' }, 'transient undefined, permanent runs'],
      ['boom', 'transient runs, permanent runs'],
    ] as const) {
      const supervisor = await started({ intensity: 10 }, children)
      for (const { id } of children) await end(supervisor, id, reason)
      expect(await states(supervisor)).toBe(left)
    }
  })

  it('the intensity is 1 within 5 s unless it is said; one more restart stops the supervisor with shutdown', async () => {
    const supervisor = await started({}, [tree.worker('a'), tree.worker('b')])
    const ended = tree.endOf(supervisor)
    await end(supervisor, 'a', 'boom')
    await tree.cluster.advance(5_001)
    await end(supervisor, 'b', 'boom')
    await tree.cluster.advance(4_999)
    tree.taken()
    await end(supervisor, 'a', 'boom')
    expect(tree.taken()).toBe('stop a boom, stop b shutdown')
    expect(await ended).toBeUndefined()
    expect(await tree.endOf(supervisor)).toBe('noproc')
    expect(tree.reports('shutdown').map(({ fields }) => fields)).toMatchObject([
      { child: 'a', reason: 'reached_max_restart_intensity', supervisor: supervisor.toString() },
    ])
  })

  it('a supervisor that gives up ends with shutdown', async () => {
    const supervisor = await started({ intensity: 0 }, [tree.worker('a')])
    let reason: unknown
    tree.node.spawn(async (self) => {
      reason = await self.awaitDown(supervisor, Infinity)
    })
    await end(supervisor, 'a', 'boom')
    expect(reason).toBe('shutdown')
    // It crashed not: it did as it was told.
    expect(tree.cluster.log.lines.filter(({ fields }) => fields['report'] === 'crash')).toHaveLength(1)
  })

  it('a restart that fails counts, and is tried again up to the intensity', async () => {
    const supervisor = await started({ intensity: 3 }, [tree.worker('a')])
    tree.failing.add('a')
    tree.taken()
    await end(supervisor, 'a', 'boom')
    expect(tree.taken()).toBe('stop a boom, fail a, fail a, fail a')
    expect(tree.node.isProcessAlive(supervisor)).toBe(false)
  })

  it('a supervisor answers between two tries of a restart', async () => {
    const supervisor = await started({ intensity: 1_000_000 }, [tree.worker('a'), tree.worker('b')])
    tree.failing.add('a')
    const pid = await pidOf(supervisor, 'a')
    const answers: unknown[] = []
    tree.node.exit(pid, 'kill')
    tree.node.spawn(async (self) => {
      answers.push((await Supervisor.whichChildren(self, supervisor)).map((one) => one.pid === 'restarting'))
      answers.push((await Supervisor.restartChild(self, supervisor, 'a')).type)
      answers.push((await Supervisor.startChild(self, supervisor, idle('a'))).type)
      answers.push(await Supervisor.deleteChild(self, supervisor, 'a'))
      answers.push(await Supervisor.terminateChild(self, supervisor, 'a'))
    })
    await tree.settle()
    // OTP: so it answers of a child that is restarting.
    expect(answers).toEqual([[false, true], 'restarting', 'already_present', 'restarting', 'ok'])
    expect(await states(supervisor)).toBe('b runs, a undefined')
  })

  it('a child that ends while the others are being restarted is restarted after that', async () => {
    const supervisor = await started({ strategy: 'one_for_all', intensity: 5 }, [
      tree.worker('a'),
      tree.worker('b', { stopMs: 50 }),
    ])
    const first = await pidOf(supervisor, 'b')
    tree.node.exit(await pidOf(supervisor, 'a'), 'kill')
    await tree.cluster.advance(10)
    tree.node.exit(first, 'kill')
    await tree.cluster.advance(100)
    expect(await states(supervisor)).toBe('b runs, a runs')
  })

  it('restarts and stops leave nothing behind', async () => {
    const supervisor = await started({ strategy: 'one_for_all', intensity: 1_000 }, [
      idle('a'),
      tree.worker('b'),
      idle('c'),
    ])
    const counted = (): unknown => {
      const { processes, timers, aliases } = tree.node.counters()
      return [processes, timers, aliases, tree.node.processInfo(supervisor)?.links.length]
    }
    const before = counted()
    for (let times = 0; times < 100; times++) {
      tree.node.exit(await pidOf(supervisor, 'a'), 'kill')
      await tree.settle()
    }
    expect(counted()).toEqual(before)
  })

  it('a child on another node is restarted when the connection is lost', async () => {
    const b = await tree.cluster.start('b')
    const starts: unknown[] = []
    const remote: ChildSpec = {
      id: 'a',
      start: () => (starts.push('start') === 1 ? b : tree.node).spawn((self) => self.receive()),
      restart: 'transient',
    }
    await started({}, [remote])
    await tree.cluster.advance(10)
    tree.node.disconnectNode(b.name)
    await tree.cluster.advance(10)
    expect(tree.reports('child_terminated').map(({ fields }) => fields['reason'])).toEqual(['noconnection'])
    expect(starts).toHaveLength(2)
  })

  it('the end of a process that is no child does nothing', async () => {
    const supervisor = await started({ intensity: 0 }, [idle('a')])
    tree.node.spawn((self) => {
      self.link(supervisor)
      throw new Error('no child')
    })
    const stranger = tree.node.spawn((self) => self.exit(supervisor, 'boom'))
    await tree.settle()
    expect([tree.node.isProcessAlive(stranger), tree.node.isProcessAlive(supervisor)]).toEqual([false, true])
  })
})

describe('significant children', () => {
  it.each([
    ['any_significant', ['a'], false],
    ['all_significant', ['a'], true],
    ['all_significant', ['a', 'b'], false],
    ['never', [], true],
  ] as const)('with %s, when %j have ended as they should, it runs: %s', async (autoShutdown, ended, runs) => {
    const significant = autoShutdown !== 'never'
    const children = [
      tree.worker('a', { restart: 'transient', significant }),
      tree.worker('b', { restart: 'temporary', significant }),
      tree.worker('c'),
    ]
    const supervisor = await started({ autoShutdown }, children)
    for (const id of ended) await end(supervisor, id, 'normal')
    expect(tree.node.isProcessAlive(supervisor)).toBe(runs)
  })

  it('one that is terminated by its supervisor does not count', async () => {
    // OTP: so it is.
    const supervisor = await started({ autoShutdown: 'any_significant' }, [
      tree.worker('a', { restart: 'transient', significant: true }),
    ])
    expect(await tree.run(Supervisor.terminateChild(tree.node, supervisor, 'a'))).toBe('ok')
    expect(tree.node.isProcessAlive(supervisor)).toBe(true)
  })
})

describe('startChild, terminateChild, restartChild, deleteChild', () => {
  it('startChild: the pid; already_started with the pid; already_present', async () => {
    const supervisor = await started({}, [])
    const ask = (): Promise<unknown> => tree.run(Supervisor.startChild(tree.node, supervisor, tree.worker('a')))
    expect(await ask()).toEqual({ type: 'ok', pid: await pidOf(supervisor, 'a') })
    expect(await ask()).toEqual({ type: 'already_started', pid: await pidOf(supervisor, 'a') })
    await tree.run(Supervisor.terminateChild(tree.node, supervisor, 'a'))
    expect(await ask()).toEqual({ type: 'already_present' })
  })

  it('startChild: a specification that fails is not kept', async () => {
    const supervisor = await started({}, [])
    tree.failing.add('a')
    expect(await tree.run(Supervisor.startChild(tree.node, supervisor, tree.worker('a')))).toEqual({
      type: 'start_failed',
      reason: 'boom',
    })
    expect(await states(supervisor)).toBe('')
  })

  it('startChild: already_started with who has the name that it is to have', async () => {
    const supervisor = await started({}, [])
    const pid = tree.node.spawn((self) => self.receive(), { name: 'taken' })
    const named = child(Echo, [], { name: 'taken' })
    expect(await tree.run(Supervisor.startChild(tree.node, supervisor, named))).toEqual({
      type: 'already_started',
      pid,
    })
  })

  it('startChild: already_started if its start gives the supervisor itself, or one that is a child already', async () => {
    const supervisor = await started({}, [idle('a')])
    const a = await pidOf(supervisor, 'a')
    for (const pid of [supervisor, a])
      expect(await tree.run(Supervisor.startChild(tree.node, supervisor, { id: 'b', start: () => pid }))).toEqual({
        type: 'already_started',
        pid,
      })
    expect(await states(supervisor)).toBe('a runs')
  })

  it('terminateChild: ok, also again; not_found; a temporary one is forgotten', async () => {
    const supervisor = await started({}, [idle('a'), idle('b', { restart: 'temporary' })])
    const terminate = (id: string): Promise<unknown> => tree.run(Supervisor.terminateChild(tree.node, supervisor, id))
    expect([await terminate('a'), await terminate('a'), await terminate('b'), await terminate('b')]).toEqual([
      'ok',
      'ok',
      'ok',
      'not_found',
    ])
    expect(await states(supervisor)).toBe('a undefined')
  })

  it('restartChild: ok, running, not_found; what fails stays stopped', async () => {
    const supervisor = await started({}, [tree.worker('a')])
    const restart = (id: string): Promise<unknown> => tree.run(Supervisor.restartChild(tree.node, supervisor, id))
    expect([await restart('a'), await restart('x')]).toEqual([{ type: 'running' }, { type: 'not_found' }])
    await tree.run(Supervisor.terminateChild(tree.node, supervisor, 'a'))
    tree.failing.add('a')
    expect(await restart('a')).toEqual({ type: 'start_failed', reason: 'boom' })
    expect(await states(supervisor)).toBe('a undefined')
    tree.failing.clear()
    expect(await restart('a')).toEqual({ type: 'ok', pid: await pidOf(supervisor, 'a') })
  })

  it('deleteChild: running, ok, not_found', async () => {
    const supervisor = await started({}, [idle('a')])
    const forget = (): Promise<unknown> => tree.run(Supervisor.deleteChild(tree.node, supervisor, 'a'))
    expect(await forget()).toBe('running')
    await tree.run(Supervisor.terminateChild(tree.node, supervisor, 'a'))
    expect([await forget(), await forget()]).toEqual(['ok', 'not_found'])
  })

  it('whichChildren tells the last first, countChildren how many there are of what', async () => {
    const supervisor = await started({}, [idle('a'), Supervisor.childSpec({}, [], { id: 'b' }), idle('c')])
    await tree.run(Supervisor.terminateChild(tree.node, supervisor, 'a'))
    expect(await tree.run(Supervisor.whichChildren(tree.node, supervisor))).toEqual([
      { id: 'c', pid: expect.anything(), type: 'worker' },
      { id: 'b', pid: expect.anything(), type: 'supervisor' },
      { id: 'a', pid: undefined, type: 'worker' },
    ])
    expect(await tree.run(Supervisor.countChildren(tree.node, supervisor))).toEqual({
      specs: 3,
      active: 2,
      supervisors: 1,
      workers: 2,
    })
  })

  it('getChildSpec tells the specification with its defaults, also of one that does not run; by id only', async () => {
    // OTP: supervisor:get_childspec, which knows no pids of such a supervisor.
    const spec = idle('a', { restart: 'transient' })
    const supervisor = await started({}, [spec])
    const whole = { ...spec, shutdown: 5_000, type: 'worker', significant: false }
    expect(await tree.run(Supervisor.getChildSpec(tree.node, supervisor, 'a'))).toEqual(whole)
    const pid = await pidOf(supervisor, 'a')
    await tree.run(Supervisor.terminateChild(tree.node, supervisor, 'a'))
    expect(await tree.run(Supervisor.getChildSpec(tree.node, supervisor, 'a'))).toEqual(whole)
    expect(await tree.run(Supervisor.getChildSpec(tree.node, supervisor, 'b'))).toBe('not_found')
    expect(await tree.run(Supervisor.getChildSpec(tree.node, supervisor, pid as never))).toBe('not_found')
  })

  it('getChildSpec: with simple_one_for_one by pid', async () => {
    const template = (id: string): ChildSpec => idle(id, { restart: 'temporary' })
    const supervisor = await tree.run(Supervisor.start(tree.node, { strategy: 'simple_one_for_one' }, template))
    const child = await tree.run(Supervisor.startChild(tree.node, supervisor, ['x']))
    if (child.type !== 'ok' || child.pid === undefined) throw new Error(child.type)
    expect(await tree.run(Supervisor.getChildSpec(tree.node, supervisor, child.pid))).toMatchObject({
      id: 'x',
      restart: 'temporary',
    })
    expect(await tree.run(Supervisor.getChildSpec(tree.node, supervisor, supervisor))).toBe('not_found')
    expect(await tree.run(Supervisor.getChildSpec(tree.node, supervisor, 'x' as never))).toBe('not_found')
  })

  it('getChildSpec: a specification holds a function, and does not come to another node', async () => {
    const b = await tree.cluster.start('b')
    const supervisor = await started({}, [idle('a')])
    await expect(tree.run(Supervisor.getChildSpec(b, supervisor, 'a'))).rejects.toMatchObject({
      code: 'ERR_NOT_SENDABLE',
    })
    expect(await tree.run(Supervisor.getChildSpec(b, supervisor, 'b'))).toBe('not_found')
  })

  it('sys shows what a supervisor was told and its children, also to another node, and lets nobody replace them', async () => {
    const b = await tree.cluster.start('b')
    const supervisor = await started({ strategy: 'rest_for_one' }, [idle('a'), idle('b')])
    const state = {
      flags: { strategy: 'rest_for_one', intensity: 1, periodMs: 5_000, autoShutdown: 'never' },
      children: [
        { id: 'b', pid: await pidOf(supervisor, 'b'), type: 'worker' },
        { id: 'a', pid: await pidOf(supervisor, 'a'), type: 'worker' },
      ],
    }
    const seen = await tree.run(sys.getState(tree.node, supervisor))
    expectTypeOf(seen).toEqualTypeOf<SupervisorState>()
    expect(seen).toEqual(state)
    expect((await tree.run(sys.getState(b, supervisor))).children.map(({ id }) => id)).toEqual(['b', 'a'])
    expect(await tree.run(sys.getStatus(tree.node, supervisor))).toMatchObject({ status: 'running', state })
    await expect(
      tree.run(sys.replaceState(tree.node, supervisor, (old) => ({ ...old, children: [] }))),
    ).rejects.toMatchObject({ code: 'ERR_SYS_FAILED' })
    const dynamic = await tree.run(DynamicSupervisor.start(tree.node, { maxChildren: 3 }))
    expect(await tree.run(sys.getState(tree.node, dynamic))).toMatchObject({ flags: { maxChildren: 3 }, children: [] })
  })

  it('a specification does not go to another node, names and pids do', async () => {
    const b = await tree.cluster.start('b')
    const supervisor = await started({}, [idle('a')])
    await expect(tree.run(Supervisor.startChild(b, supervisor, idle('b')))).rejects.toMatchObject({
      code: 'ERR_NOT_SENDABLE',
    })
    expect(await tree.run(Supervisor.terminateChild(b, supervisor, 'a'))).toBe('ok')
    expect(await tree.run(Supervisor.whichChildren(b, supervisor))).toEqual([
      { id: 'a', pid: undefined, type: 'worker' },
    ])
  })

  it('an answer that can not be sent to another node ends nothing', async () => {
    class Odd extends GenServer {
      override init() {
        return this.stop({ because: () => 'of a function' })
      }
    }
    const b = await tree.cluster.start('b')
    const template = (odd: boolean): ChildSpec => (odd ? child(Odd, []) : idle('x'.repeat(9 * 2 ** 20)))
    const supervisor = await tree.run(Supervisor.start(tree.node, { strategy: 'simple_one_for_one' }, template))
    expect(await tree.run(Supervisor.startChild(b, supervisor, [true]))).toEqual({
      type: 'start_failed',
      reason: 'unsendable_reason',
    })
    expect(await tree.run(Supervisor.startChild(b, supervisor, [false]))).toMatchObject({ type: 'ok' })
    await expect(tree.run(Supervisor.whichChildren(b, supervisor))).rejects.toMatchObject({
      code: 'ERR_MESSAGE_TOO_LARGE',
    })
    expect(await tree.run(Supervisor.countChildren(b, supervisor))).toMatchObject({ active: 1 })
  })
})

describe('simple_one_for_one', () => {
  const room = (id: string, size: number): ChildSpec => tree.worker(`${id}${size}`, { restart: 'transient' })

  it('starts children of one kind with their arguments, also for another node', async () => {
    const b = await tree.cluster.start('b')
    const supervisor = await tree.run(Supervisor.start(tree.node, { strategy: 'simple_one_for_one' }, room))
    expect(await tree.run(Supervisor.startChild(tree.node, supervisor, ['x', 1]))).toMatchObject({ type: 'ok' })
    expect(await tree.run(Supervisor.startChild(b, supervisor, ['y', 2]))).toMatchObject({ type: 'ok' })
    expect(tree.taken()).toBe('start x1, start y2')
    // OTP: one specification, two workers.
    expect(await tree.run(Supervisor.countChildren(b, supervisor))).toEqual({
      specs: 1,
      active: 2,
      supervisors: 0,
      workers: 2,
    })
  })

  it('restarts one with the arguments that it had', async () => {
    const supervisor = await tree.run(Supervisor.start(tree.node, { strategy: 'simple_one_for_one' }, room))
    const result = await tree.run(Supervisor.startChild(tree.node, supervisor, ['x', 1]))
    const pid = (result.type === 'ok' ? result.pid : undefined) ?? expect.fail('it runs')
    tree.node.exit(pid, 'kill')
    await tree.settle()
    expect(tree.taken()).toBe('start x1, start x1')
  })

  it('terminates by pid; by id, restartChild and deleteChild are simple_one_for_one', async () => {
    const supervisor = await tree.run(
      Supervisor.start(tree.node, { strategy: 'simple_one_for_one' }, room, { name: 'rooms' }),
    )
    const result = await tree.run(Supervisor.startChild(tree.node, supervisor, ['x', 1]))
    const pid = (result.type === 'ok' ? result.pid : undefined) ?? expect.fail('it runs')
    expect(await tree.run(Supervisor.terminateChild(tree.node, supervisor, pid))).toBe('ok')
    expect(await tree.run(Supervisor.terminateChild(tree.node, supervisor, pid))).toBe('not_found')
    expect(await tree.run(Supervisor.terminateChild(tree.node, 'rooms', 'x1'))).toBe('simple_one_for_one')
    expect(await tree.run(Supervisor.restartChild(tree.node, 'rooms', 'x1'))).toEqual({ type: 'simple_one_for_one' })
    expect(await tree.run(Supervisor.deleteChild(tree.node, 'rooms', 'x1'))).toBe('simple_one_for_one')
  })

  it('takes arguments and no specifications, and the others the other way round', async () => {
    await tree.run(Supervisor.start(tree.node, { strategy: 'simple_one_for_one' }, room, { name: 'rooms' }))
    await tree.run(Supervisor.start(tree.node, {}, [], { name: 'given' }))
    await expect(tree.run(Supervisor.startChild(tree.node, 'rooms', idle('a')))).rejects.toMatchObject({
      code: 'ERR_BAD_CHILD_SPEC',
    })
    await expect(tree.run(Supervisor.startChild(tree.node, 'given', []))).rejects.toMatchObject({
      code: 'ERR_BAD_CHILD_SPEC',
    })
  })

  it('a template that throws fails that start, and nothing else', async () => {
    const never = (): ChildSpec => {
      throw new Error('no')
    }
    const supervisor = await tree.run(Supervisor.start(tree.node, { strategy: 'simple_one_for_one' }, never))
    expect(await tree.run(Supervisor.startChild(tree.node, supervisor, []))).toMatchObject({ type: 'start_failed' })
    expect(tree.node.isProcessAlive(supervisor)).toBe(true)
  })
})

class Echo extends GenServer<Call<{ type: 'echo'; n: number }, number>> {
  override init(_n = 0) {}
  override handleCall(request: Call<{ type: 'echo'; n: number }, number>) {
    return this.reply(request, request.n)
  }
}

describe('types', () => {
  it('what is wrong does not compile', async () => {
    const never = (): unknown[] => [
      // @ts-expect-error -- init takes a number
      child(Echo, ['5']),
      // @ts-expect-error -- there is no such restart
      child(Echo, [5], { restart: 'always' }),
      // @ts-expect-error -- there is no such strategy
      Supervisor.start(tree.node, { strategy: 'two_for_one' }, []),
      // @ts-expect-error -- a list is for the other strategies
      Supervisor.start(tree.node, { strategy: 'simple_one_for_one' }, []),
      // @ts-expect-error -- a process needs an id
      processChild((self: unknown) => self),
    ]
    const typed = async (): Promise<void> => {
      const simple = await Supervisor.start(tree.node, { strategy: 'simple_one_for_one' }, (_name: string) => idle('x'))
      const given = await Supervisor.start(tree.node, {}, [])
      await Supervisor.startChild(tree.node, simple, ['x'])
      // @ts-expect-error -- the template takes a text
      await Supervisor.startChild(tree.node, simple, [5])
      // @ts-expect-error -- a child of it has no id
      await Supervisor.deleteChild(tree.node, simple, 'x')
      // @ts-expect-error -- it takes specifications
      await Supervisor.startChild(tree.node, given, ['x'])
      const result = await Supervisor.terminateChild(tree.node, given, 'x')
      expectTypeOf(result).toEqualTypeOf<'ok' | 'not_found' | 'simple_one_for_one'>()
    }
    expect([never, typed]).toHaveLength(2)
  })

  it('the id of a server is its name, or that of its class; an option has the last word', () => {
    expect(
      [child(Echo, []), child(Echo, [1], { name: 'echo' }), child(Echo, [1], { name: 'echo', id: 'x' })].map(
        ({ id }) => id,
      ),
    ).toEqual(['Echo', 'echo', 'x'])
  })

  it('a server that is a child is called as any other', async () => {
    await started({}, [child(Echo, [1], { name: 'echo' })])
    expect(await tree.run(call(tree.node, 'echo', { type: 'echo', n: 3 }))).toBe(3)
  })
})

it('a child whose restart has failed is tried again, though the supervisor is asked more than its mailbox takes meanwhile, and drops', async () => {
  let open = (): void => undefined
  const gate = new Promise<void>((resolve) => (open = resolve))
  const worker = tree.worker('a')
  const starts = { count: 0 }
  const start: ChildSpec['start'] = async (self) => {
    if (++starts.count !== 2) return worker.start(self)
    await gate
    throw new Error('not yet')
  }
  const mailbox = { limit: 4, policy: 'drop' } as const
  const supervisor = await tree.run(Supervisor.start(tree.node, { intensity: 3 }, [{ ...worker, start }], { mailbox }))
  await end(supervisor, 'a', 'boom')
  for (let n = 0; n < 8; n++) tree.node.send(supervisor, 'too much')
  expect(tree.node.counters().messagesDropped).toBe(4)
  open()
  await tree.settle()
  expect(starts.count).toBe(3)
  expect(await states(supervisor)).toBe('a runs')
})
