import { DynamicSupervisor, Supervisor, Task, type TaskError, type TaskOutcome } from '@pidmesh/gen-server'
import type { Context, Node, Pid } from '@pidmesh/runtime'
import { faultsOf, TestCluster } from '@pidmesh/runtime/testing'
import { afterEach, beforeEach, describe, expect, expectTypeOf, it } from 'vitest'
import { untyped } from './lab.ts'

let cluster: TestCluster
let a: Node

beforeEach(async () => {
  cluster = new TestCluster()
  a = await cluster.start('a')
})

afterEach(async () => {
  await cluster.stop()
})

/** What a process comes to that runs so. */
async function resultOf<T>(
  run: (self: Context) => Promise<T>,
  trapExit: boolean = false,
): Promise<T | { readonly thrown: TaskError }> {
  return cluster.run(
    new Promise((resolve) => {
      a.spawn(
        async (self) => {
          try {
            resolve(await run(self))
          } catch (thrown) {
            resolve({ thrown: thrown as TaskError })
          }
        },
        { trapExit },
      )
    }),
  )
}

/** Lets so much time pass in a process. */
async function pause(self: Context, ms: number): Promise<void> {
  await self.awaitDown(a.self.pid, ms)
}

const after =
  (ms: number) =>
  async (task: Context): Promise<string> => {
    await pause(task, ms)
    return 'done'
  }

const fails = (): never => {
  throw new RangeError('no')
}

describe('async and await', () => {
  it('gives the value, with its type, and nothing comes into the mailbox', async () => {
    const got = await resultOf(async (self) => {
      const task = Task.async(self, () => 7)
      expectTypeOf(task).toEqualTypeOf<Task<number>>()
      const value = await Task.await(task)
      expectTypeOf(value).toEqualTypeOf<number>()
      return [value, await Task.await(task), await self.receive({ timeoutMs: 10 })]
    })
    expect(got).toEqual([7, 7, undefined])
  })

  it('gives up after 5 s, or as it is told, and the task goes on', async () => {
    const got = await resultOf(async (self) => {
      const task = Task.async(self, after(5_001))
      const short = await Task.await(task, 10).catch((error: unknown) => error)
      const first = await Task.await(task, 4_990).catch((error: unknown) => error)
      return [short, first, await Task.await(task)]
    })
    const timeout = expect.objectContaining({ code: 'ERR_TASK_TIMEOUT', taskReason: 'timeout' })
    expect(got).toEqual([timeout, timeout, 'done'])
    expect(await resultOf((self) => Task.await(Task.async(self, after(5_001))))).toMatchObject({
      thrown: { code: 'ERR_TASK_TIMEOUT' },
    })
  })

  it('a task that fails takes its owner with it', async () => {
    const owner = a.spawn((self) => Task.await(Task.async(self, fails)))
    await cluster.settle()
    expect(a.isProcessAlive(owner)).toBe(false)
    expect(cluster.log.lines.filter(({ fields }) => fields['report'] === 'crash')).toHaveLength(1)
  })

  it('an owner that traps exits is told why it failed', async () => {
    expect(await resultOf((self) => Task.await(Task.async(self, fails)), true)).toMatchObject({
      thrown: {
        code: 'ERR_TASK_EXIT',
        taskReason: { error: { name: 'RangeError' } },
        reason: { task_failed: { error: { name: 'RangeError' } } },
      },
    })
  })

  it('an owner that fails takes its task with it', async () => {
    let task: Pid | undefined
    a.spawn((self) => {
      task = Task.async(self, after(1_000)).pid
      throw new Error('the owner')
    })
    await cluster.settle()
    expect(task !== undefined && a.isProcessAlive(task)).toBe(false)
  })

  it('what a task receives is its own', async () => {
    const got = await resultOf(async (self) => {
      const task = Task.async(self, async (own) => own.receive())
      self.send(task.pid, 'for you')
      return Task.await(task)
    })
    expect(got).toBe('for you')
  })

  it('an owner that is killed while it waits for several makes no unhandled rejection', async () => {
    const faults = await faultsOf(async () => {
      const owner = a.spawn(async (self) => {
        const tasks = [1, 2].map(() => Task.async(self, after(1_000)))
        const [first, second] = tasks.map((task) => Task.await(task))
        await first
        await second
      })
      await cluster.advance(10)
      a.exit(owner, 'kill')
      await cluster.advance(10)
    })
    expect(faults).toEqual([])
  })

  it('leaves nothing behind', async () => {
    const before = a.counters()
    await resultOf(async (self) => {
      for (let times = 0; times < 100; times++) await Task.await(Task.async(self, () => times))
    })
    await cluster.settle()
    const { processes, timers, aliases } = a.counters()
    expect([processes, timers, aliases]).toEqual([before.processes, before.timers, before.aliases])
  })
})

describe('yield and shutdown', () => {
  it('yield says nothing as long as there is nothing to say, and then how it came out', async () => {
    const got = await resultOf(async (self) => {
      const task = Task.async(self, after(100))
      const outcomes = [await Task.yield(task, 50), await Task.yield(task, 100)]
      expectTypeOf(outcomes).toEqualTypeOf<(TaskOutcome<string> | undefined)[]>()
      return outcomes
    })
    expect(got).toEqual([undefined, { type: 'ok', value: 'done' }])
    const failed = await resultOf(async (self) => Task.yield(Task.async(self, fails)), true)
    expect(failed).toMatchObject({ type: 'exit', reason: { error: { name: 'RangeError' } } })
  })

  it('shutdown stops it, and its owner goes on; a value that it had is given', async () => {
    const got = await resultOf(async (self) => {
      const late = Task.async(self, after(1_000))
      const ready = Task.async(self, () => 7)
      await pause(self, 10)
      return [await Task.shutdown(late), await Task.shutdown(late), await Task.shutdown(ready)]
    })
    expect(got).toEqual([
      { type: 'exit', reason: 'shutdown' },
      { type: 'exit', reason: 'shutdown' },
      { type: 'ok', value: 7 },
    ])
  })

  it.each([-1, Number.NaN, '5'])('shutdown refuses %s, and the task stays linked to its owner', async (shutdown) => {
    const links = await resultOf(async (self) => {
      const task = Task.async(self, () => new Promise<never>(() => undefined))
      const refused = await Task.shutdown(task, untyped(shutdown)).catch((error: unknown) => error)
      expect(refused).toMatchObject({ code: 'ERR_BAD_ARGUMENT' })
      return self.processInfo(task.pid)?.links?.map(String)
    })
    expect(links).toHaveLength(1)
  })

  it('shutdown kills what does not stop in time, or at once', async () => {
    const deaf = async (task: Context): Promise<void> => {
      task.trapExit = true
      await pause(task, 60_000)
    }
    const got = await resultOf(async (self) => {
      const tasks = [Task.async(self, deaf), Task.async(self, deaf), Task.async(self, deaf)] as const
      await pause(self, 10)
      const stops = [Task.shutdown(tasks[0], 100), Task.shutdown(tasks[1], 'brutal_kill'), Task.shutdown(tasks[2])]
      const [beganMs, endsMs] = [self.monotonicMs(), [] as number[]]
      for (const stop of stops) void stop.then(() => endsMs.push(self.monotonicMs() - beganMs))
      return [await Promise.all(stops), endsMs]
    })
    expect(got).toEqual([Array(3).fill({ type: 'exit', reason: 'killed' }), [0, 100, 5_000]])
  })
})

describe('under a supervisor', () => {
  it('asyncNolink: the value, or why there is none, and the owner lives', async () => {
    const supervisor = await cluster.run(DynamicSupervisor.start(a))
    const got = await resultOf(async (self) => {
      const good = await Task.asyncNolink(self, supervisor, () => 7)
      const bad = await Task.asyncNolink(self, supervisor, fails)
      return [await Task.await(good), await Task.yield(bad)]
    })
    expect(got).toEqual([7, expect.objectContaining({ type: 'exit' })])
    expect(await cluster.run(DynamicSupervisor.countChildren(a, supervisor))).toMatchObject({ specs: 0 })
  })

  it('asyncNolink: goes on if its owner ends, and ends if its supervisor does', async () => {
    const supervisor = await cluster.run(DynamicSupervisor.start(a))
    const tasks: Pid[] = []
    a.spawn(async (self) => {
      tasks.push((await Task.asyncNolink(self, supervisor, after(1_000))).pid)
      self.exit('boom')
    })
    await cluster.advance(10)
    expect(tasks.map((pid) => a.isProcessAlive(pid))).toEqual([true])
    a.exit(supervisor, 'kill')
    await cluster.settle()
    expect(tasks.map((pid) => a.isProcessAlive(pid))).toEqual([false])
  })

  it('asyncNolink: a task whose owner is killed before it has asked does not wait for ever', async () => {
    const supervisor = await cluster.run(DynamicSupervisor.start(a))
    let ran = false
    const owner = a.spawn((self) => Task.asyncNolink(self, supervisor, () => (ran = true)))
    // The supervisor starts the task in the turn after the one in which it is asked.
    for (let looks = 0; looks < 1_000 && a.isProcessAlive(owner); looks++) {
      if (a.counters().processes > 3) a.exit(owner, 'kill')
      await Promise.resolve()
    }
    a.exit(owner, 'kill')
    await cluster.advance(10)
    expect(ran).toBe(false)
    expect(await cluster.run(DynamicSupervisor.countChildren(a, supervisor))).toMatchObject({ active: 0 })
  })

  it('asyncNolink: a task that has been asked hears nothing of the end of its owner', async () => {
    const supervisor = await cluster.run(DynamicSupervisor.start(a))
    const heard: unknown[] = []
    a.spawn(async (self) => {
      await Task.asyncNolink(self, supervisor, async (task) => {
        heard.push(await task.receive({ timeoutMs: 100 }))
      })
    })
    await cluster.advance(101)
    expect(heard).toEqual([undefined])
  })

  it('asyncNolink: says why it was not started', async () => {
    const supervisor = await cluster.run(DynamicSupervisor.start(a, { maxChildren: 0 }))
    expect(await resultOf((self) => Task.asyncNolink(self, supervisor, () => 7))).toMatchObject({
      thrown: { code: 'ERR_TASK_NOT_STARTED', taskReason: 'max_children' },
    })
  })

  it('startChild: runs to its end and is not restarted; the supervisor stops it', async () => {
    const supervisor = await cluster.run(DynamicSupervisor.start(a))
    let ended: unknown
    const run = async (task: Context): Promise<void> => {
      task.signal.addEventListener('abort', () => (ended ??= 'aborted'))
      await pause(task, 1_000)
      ended = 'done'
    }
    expect(await cluster.run(Task.startChild(a, supervisor, run))).toMatchObject({ type: 'ok' })
    await cluster.advance(1_001)
    expect(ended).toBe('done')
    ended = undefined
    const second = await cluster.run(Task.startChild(a, supervisor, run))
    if (second.type === 'ok' && second.pid !== undefined)
      await cluster.run(DynamicSupervisor.terminateChild(a, supervisor, second.pid))
    expect(ended).toBe('aborted')
  })

  it('startChild: one that fails is not restarted', async () => {
    const supervisor = await cluster.run(DynamicSupervisor.start(a))
    let runs = 0
    const run = (): never => {
      runs++
      return fails()
    }
    await cluster.run(Task.startChild(a, supervisor, run))
    await cluster.settle()
    expect(runs).toBe(1)
    expect(await cluster.run(DynamicSupervisor.countChildren(a, supervisor))).toMatchObject({ specs: 0 })
  })

  it('childSpec: a task as a child', async () => {
    let runs = 0
    const spec = Task.childSpec(() => void runs++, { id: 'once', restart: 'transient' })
    const supervisor = await cluster.run(Supervisor.start(a, {}, [spec]))
    await cluster.settle()
    expect(runs).toBe(1)
    expect(await cluster.run(Supervisor.whichChildren(a, supervisor))).toEqual([
      { id: 'once', pid: undefined, type: 'worker' },
    ])
  })

  it('a function does not go to a supervisor on another node', async () => {
    const b = await cluster.start('b')
    const supervisor = await cluster.run(DynamicSupervisor.start(b))
    await expect(cluster.run(Task.startChild(a, supervisor, () => 7))).rejects.toMatchObject({
      code: 'ERR_NOT_SENDABLE',
    })
  })
})

describe('start and startLink', () => {
  it('run a function nobody waits for, alone or linked to who starts it', async () => {
    const runs: string[] = []
    Task.start(a, () => void runs.push('start'))
    const owner = a.spawn(async (self) => {
      Task.startLink(self, fails)
      await self.receive()
    })
    await cluster.settle()
    expect(runs).toEqual(['start'])
    expect(a.isProcessAlive(owner)).toBe(false)
  })
})
