/**
 * Reports of supervisors, as docs/observation.md shows them.
 */
import { DynamicSupervisor, processChild, Supervisor } from '@pidmesh/gen-server'
import { expect, it } from 'vitest'
import { useTree } from './tree.ts'

const tree = useTree()

it('of a child: its start at debug; its end, a start that fails, a stop that goes wrong, and giving up as errors', async () => {
  const children = [tree.worker('a'), tree.worker('b', { stopMs: 100, shutdown: 10 })]
  await tree.run(Supervisor.start(tree.node, { intensity: 1 }, children, { name: 'sup' }))
  const [, a] = await tree.run(Supervisor.whichChildren(tree.node, 'sup'))
  tree.failing.add('a')
  if (typeof a?.pid === 'object') tree.node.send(a.pid, { type: 'end', reason: 'boom' })
  await tree.cluster.advance(1_000)
  expect(
    tree
      .reports()
      .map(({ level, fields }) => [level, fields['event'], fields['child'], fields['reason'], fields['restarts']]),
  ).toEqual([
    ['debug', 'progress', 'a', undefined, 0],
    ['debug', 'progress', 'b', undefined, 0],
    ['error', 'child_terminated', 'a', 'boom', 0],
    ['error', 'start_error', 'a', 'boom', 1],
    ['error', 'shutdown', 'a', 'reached_max_restart_intensity', 1],
    ['error', 'shutdown_error', 'b', 'killed', 0],
  ])
  expect(tree.reports('child_terminated')[0]).toMatchObject({
    message: 'child a of sup has ended: boom',
    fields: { report: 'supervisor', supervisor: 'sup', childPid: String(a?.pid), node: tree.node.name },
  })
})

it('a child is counted as restarted each time that it is started again', async () => {
  const supervisor = await tree.run(Supervisor.start(tree.node, { intensity: 10 }, [tree.worker('a')]))
  for (let times = 0; times < 3; times++) {
    const [child] = await tree.run(Supervisor.whichChildren(tree.node, supervisor))
    if (typeof child?.pid === 'object') tree.node.exit(child.pid, 'kill')
    await tree.settle()
  }
  expect(tree.reports('progress').map(({ fields }) => fields['restarts'])).toEqual([0, 1, 2, 3])
})

it('an error is shown as crash reports show it', async () => {
  const crashing = processChild('a', () => Promise.reject(new RangeError('no')), { restart: 'temporary' })
  await tree.run(Supervisor.start(tree.node, {}, [crashing]))
  await tree.settle()
  expect(tree.reports('child_terminated')[0]?.fields['reason']).toMatchObject({ name: 'RangeError', message: 'no' })
})

it('a supervisor makes at most 100 lines a second of each kind, and says how many it has left out', async () => {
  const supervisor = await tree.run(DynamicSupervisor.start(tree.node))
  const crashing = processChild('a', (self) => self.exit('boom'), { restart: 'temporary' })
  const starts = Array.from({ length: 250 }, () => DynamicSupervisor.startChild(tree.node, supervisor, crashing))
  await tree.run(Promise.all(starts))
  await tree.cluster.advance(2_000)
  expect(tree.reports('child_terminated')).toHaveLength(100)
  await tree.run(DynamicSupervisor.startChild(tree.node, supervisor, crashing))
  await tree.settle()
  expect(tree.reports('child_terminated').at(-1)?.fields).toMatchObject({ omittedBefore: 150 })
})
