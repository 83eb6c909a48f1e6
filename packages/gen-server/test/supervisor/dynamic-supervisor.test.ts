import {
  DynamicSupervisor,
  processChild,
  Supervisor,
  type ChildSpec,
  type DynamicSupervisorFlags,
  type DynamicSupervisorPid,
} from '@pidmesh/gen-server'
import type { Pid } from '@pidmesh/runtime'
import { faultsOf } from '@pidmesh/runtime/testing'
import { describe, expect, it } from 'vitest'
import { idle, useTree } from './tree.ts'

const tree = useTree()

function started(flags: DynamicSupervisorFlags = {}): Promise<DynamicSupervisorPid> {
  return tree.run(DynamicSupervisor.start(tree.node, flags))
}

async function add(supervisor: DynamicSupervisorPid, spec: ChildSpec): Promise<Pid> {
  const result = await tree.run(DynamicSupervisor.startChild(tree.node, supervisor, spec))
  return (result.type === 'ok' ? result.pid : undefined) ?? expect.fail(result.type)
}

describe('DynamicSupervisor', () => {
  it('starts children of any kind, whose ids need not be unique, and tells them in the order of their start', async () => {
    const supervisor = await started()
    const pids = [
      await add(supervisor, idle('a')),
      await add(supervisor, idle('a')),
      await add(supervisor, DynamicSupervisor.childSpec({}, { id: 'b' })),
    ]
    expect(await tree.run(DynamicSupervisor.whichChildren(tree.node, supervisor))).toEqual([
      { id: 'a', pid: pids[0], type: 'worker' },
      { id: 'a', pid: pids[1], type: 'worker' },
      { id: 'b', pid: pids[2], type: 'supervisor' },
    ])
    expect(await tree.run(DynamicSupervisor.countChildren(tree.node, supervisor))).toEqual({
      specs: 3,
      active: 3,
      supervisors: 1,
      workers: 2,
    })
  })

  it('takes as many as maxChildren, and says max_children of one more', async () => {
    const supervisor = await started({ maxChildren: 1 })
    const first = await add(supervisor, idle('a'))
    const more = (): Promise<unknown> => tree.run(DynamicSupervisor.startChild(tree.node, supervisor, idle('b')))
    expect(await more()).toEqual({ type: 'max_children' })
    expect(await tree.run(DynamicSupervisor.terminateChild(tree.node, supervisor, first))).toBe('ok')
    expect(await more()).toMatchObject({ type: 'ok' })
  })

  it('one more than maxChildren is not even started', async () => {
    const supervisor = await started({ maxChildren: 1 })
    await add(supervisor, tree.worker('a'))
    await tree.run(DynamicSupervisor.startChild(tree.node, supervisor, tree.worker('b')))
    expect(tree.taken()).toBe('start a')
  })

  it('a child that fails to start, or is not wanted, is not kept', async () => {
    const supervisor = await started()
    tree.failing.add('a')
    tree.unwanted.add('b')
    const ask = (id: string): Promise<unknown> =>
      tree.run(DynamicSupervisor.startChild(tree.node, supervisor, tree.worker(id)))
    expect([await ask('a'), await ask('b')]).toEqual([
      { type: 'start_failed', reason: 'boom' },
      { type: 'ok', pid: undefined },
    ])
    expect(await tree.run(DynamicSupervisor.countChildren(tree.node, supervisor))).toMatchObject({ specs: 0 })
  })

  it('a child that ends is restarted or forgotten, and the others are left alone', async () => {
    const supervisor = await started({ intensity: 5 })
    const pids = [
      await add(supervisor, tree.worker('a')),
      await add(supervisor, tree.worker('b', { restart: 'transient' })),
      await add(supervisor, tree.worker('c', { restart: 'temporary' })),
    ]
    tree.taken()
    for (const pid of pids) tree.node.send(pid, { type: 'end', reason: 'normal' })
    await tree.settle()
    expect(tree.taken()).toBe('stop a normal, stop b normal, stop c normal, start a')
    expect((await tree.run(DynamicSupervisor.whichChildren(tree.node, supervisor))).map(({ id }) => id)).toEqual(['a'])
  })

  it('one more restart than the intensity stops it with shutdown', async () => {
    const supervisor = await started({ intensity: 0 })
    const pid = await add(supervisor, idle('a'))
    tree.node.exit(pid, 'kill')
    await tree.settle()
    expect(tree.node.isProcessAlive(supervisor)).toBe(false)
  })

  it('terminateChild stops a child, which is not restarted; not_found if it is none', async () => {
    const supervisor = await started()
    const pid = await add(supervisor, tree.worker('a'))
    const terminate = (): Promise<unknown> => tree.run(DynamicSupervisor.terminateChild(tree.node, supervisor, pid))
    expect([await terminate(), await terminate()]).toEqual(['ok', 'not_found'])
    expect(tree.taken()).toBe('start a, stop a shutdown')
  })

  it('children stop in parallel on shutdown: it takes as long as the slowest, each with a time of its own', async () => {
    const parent = await tree.parent()
    const supervisor = await tree.run(DynamicSupervisor.startLink(parent))
    for (const [id, stopMs] of [
      ['a', 300],
      ['b', 200],
      ['c', 100],
    ] as const)
      await add(supervisor, tree.worker(id, { stopMs }))
    await add(supervisor, tree.worker('d', { stopMs: 60_000, shutdown: 250 }))
    await add(supervisor, tree.worker('e', { stopMs: 60_000, shutdown: 'brutal_kill' }))
    tree.taken()
    tree.node.exit(parent.pid, 'shutdown')
    await tree.cluster.advance(299)
    expect(tree.taken()).toBe('stop c shutdown, stop b shutdown')
    await tree.cluster.advance(1)
    expect(tree.taken()).toBe('stop a shutdown')
    expect(tree.node.isProcessAlive(supervisor)).toBe(false)
  })

  it('3,000 children stop without holding up the others', async () => {
    const parent = await tree.parent()
    const supervisor = await tree.run(DynamicSupervisor.startLink(parent))
    const spec = idle('a', { restart: 'temporary' })
    await tree.run(
      Promise.all(Array.from({ length: 3_000 }, () => DynamicSupervisor.startChild(tree.node, supervisor, spec))),
    )
    let turns = 0
    const other = tree.node.spawn(async (self) => {
      for (;;) {
        await self.receive()
        if (!self.isProcessAlive(supervisor)) return
        turns++
        self.send(self.pid, 'again')
      }
    })
    tree.node.exit(parent.pid, 'shutdown')
    tree.node.send(other, 'begin')
    await tree.settle()
    expect(tree.node.processes().length).toBeLessThan(5)
    // It is told to stop a hundred children at a time.
    expect(turns).toBeGreaterThan(25)
  })

  it('one that is killed while it tells its children to stop makes no unhandled rejection', async () => {
    const parent = await tree.parent()
    const supervisor = await tree.run(DynamicSupervisor.startLink(parent))
    const kills = processChild(
      'b',
      async (self) => {
        await self.receive('EXIT')
        self.exit(supervisor, 'kill')
      },
      { trapExit: true },
    )
    await add(supervisor, kills)
    // It is told to stop a hundred of them at a time.
    for (let left = 500; left > 0; left--) await add(supervisor, idle('a'))
    const faults = await faultsOf(async () => {
      tree.node.exit(parent.pid, 'shutdown')
      await tree.cluster.advance(10)
    })
    expect(faults).toEqual([])
    expect(tree.node.isProcessAlive(supervisor)).toBe(false)
  })

  it('is a child of a supervisor as any other, and is found by its name', async () => {
    await tree.run(
      Supervisor.start(tree.node, {}, [DynamicSupervisor.childSpec({ maxChildren: 3 }, { name: 'rooms' })]),
    )
    expect(await tree.run(DynamicSupervisor.startChild(tree.node, 'rooms', idle('a')))).toMatchObject({ type: 'ok' })
  })
})
