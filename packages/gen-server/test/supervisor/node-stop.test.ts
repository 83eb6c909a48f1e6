/**
 * The end of a program, as `init:stop/0`: a node that is stopped stops its trees first, in order, and `terminate` runs.
 */
import { child, DynamicSupervisor, GenServer, stop, Supervisor } from '@pidmesh/gen-server'
import type { Context } from '@pidmesh/runtime'
import { expect, it } from 'vitest'
import { useTree } from './tree.ts'

const tree = useTree()

it('stops a tree from its last child to its first, each after the other, while all else works as ever', async () => {
  const other = await tree.cluster.start('b')
  await tree.cluster.settle()
  const heard: unknown[] = []
  other.register(
    'log',
    other.spawn(async (self) => {
      for (;;) heard.push(await self.receive())
    }),
  )
  class Teller extends GenServer {
    override init(): void {
      this.self.trapExit = true
    }

    override terminate(): void {
      this.self.send({ name: 'log', node: other.name }, 'goodbye')
    }
  }
  const inner = Supervisor.childSpec({}, [tree.worker('b', { stopMs: 100 }), child(Teller, [])])
  const children = [tree.worker('a'), inner, tree.worker('c', { stopMs: 50 })]
  const root = await tree.run(Supervisor.start(tree.node, {}, children))
  const ended = other.self.awaitDown(root, Infinity)
  tree.taken()
  const startMs = tree.cluster.clock.monotonicMs()
  await tree.run(tree.node.stop())
  expect(tree.taken()).toBe('stop c shutdown, stop b shutdown, stop a shutdown')
  expect(tree.cluster.clock.monotonicMs() - startMs).toBeGreaterThanOrEqual(150)
  await tree.settle()
  expect(heard).toEqual(['goodbye'])
  expect(await tree.run(ended)).toBe('shutdown')
})

it('stops of several trees the one that was started last first; one that has ended, or is a child of another, is none', async () => {
  const startOf = (id: string): Promise<unknown> => tree.run(Supervisor.start(tree.node, {}, [tree.worker(id)]))
  await startOf('a')
  const rooms = await tree.run(DynamicSupervisor.start(tree.node))
  await tree.run(DynamicSupervisor.startChild(tree.node, rooms, tree.worker('b')))
  const ended = await tree.run(Supervisor.start(tree.node, {}, [tree.worker('ended')]))
  await tree.run(stop(tree.node, ended))
  // By a process that is gone by then.
  tree.node.spawn(async (self) => void (await Supervisor.start(self, {}, [tree.worker('c')])))
  await tree.settle()
  tree.taken()
  await tree.run(tree.node.stop())
  expect(tree.taken()).toBe('stop c shutdown, stop b shutdown, stop a shutdown')
  expect(tree.cluster.log.lines.filter(({ level }) => level === 'error')).toEqual([])
})

it('stops a tree whose starter was gone before it was ready', async () => {
  let release = (): void => undefined
  const prepared = new Promise<void>((resolve) => (release = resolve))
  class Slow extends GenServer {
    override init(): Promise<void> {
      return prepared
    }
  }
  const begin = (starter: Context): void => {
    void Supervisor.start(starter, {}, [tree.worker('a'), child(Slow, [])])
  }
  const starters = [tree.node.spawn(begin), tree.node.spawn(async (self) => (begin(self), self.receive()))]
  await tree.settle()
  for (const starter of starters) tree.node.exit(starter, 'kill')
  release()
  await tree.settle()
  expect(tree.taken()).toBe('start a, start a')
  await tree.run(tree.node.stop())
  expect(tree.taken()).toBe('stop a shutdown, stop a shutdown')
})

it('kills a child that takes longer than its shutdown, and waits no longer for a tree than it was told to', async () => {
  await tree.run(
    Supervisor.start(tree.node, {}, [
      tree.worker('a'),
      tree.worker('slow', { stopMs: 60_000, shutdown: Infinity }),
      tree.worker('slower', { stopMs: 60_000, shutdown: 1_000 }),
    ]),
  )
  tree.taken()
  const startMs = tree.cluster.clock.monotonicMs()
  await tree.run(tree.node.stop(10_000))
  expect(tree.cluster.clock.monotonicMs() - startMs).toBe(10_000)
  // Whatever it waited for ended with the node; the one before it was never told.
  expect(tree.taken()).toBe('stop slow shutdown')
  expect(
    tree.cluster.log.lines.some(({ message }) => message === 'trees of processes are stopped: not done in time'),
  ).toBe(true)
})
