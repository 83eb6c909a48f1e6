/**
 * PURPOSE: what libraries have to do at a node's end is done before its stop resolves, and can't keep it from ending.
 */
import { handler } from '@pidmesh/runtime'
import { TestCluster } from '@pidmesh/runtime/testing'
import { expect, it, onTestFinished } from 'vitest'

async function nodeOf() {
  const cluster = new TestCluster()
  onTestFinished(() => cluster.stop())
  return { cluster, node: await cluster.start('a') }
}

it('is called once, while processes live, and waited for', async () => {
  const { cluster, node } = await nodeOf()
  const pid = node.spawn(handler(() => () => undefined))
  const told: unknown[] = []
  node.onStop(async () => {
    told.push(node.isProcessAlive(pid), node.isStopping)
    await new Promise<void>((resolve) => cluster.clock.setTimer(3_000, resolve))
    told.push('done')
  })
  node.onStop(() => Promise.reject(new Error('a mistake')))
  const startMs = cluster.clock.monotonicMs()
  await cluster.run(Promise.all([node.stop(), node.stop()]))
  expect(told).toEqual([true, true, 'done'])
  expect(cluster.clock.monotonicMs() - startMs).toBeGreaterThanOrEqual(3_000)
  expect(cluster.log.lines.filter(({ level }) => level === 'error').length).toBe(1)
})

it('what never ends is waited for 15 s, and that is logged', async () => {
  const { cluster, node } = await nodeOf()
  node.onStop(() => new Promise(() => undefined))
  const startMs = cluster.clock.monotonicMs()
  await cluster.run(node.stop())
  expect(cluster.clock.monotonicMs() - startMs).toBe(15_000)
  expect(cluster.log.lines.some(({ level, message }) => level === 'error' && message.includes('is not done'))).toBe(
    true,
  )
})

it('what was taken back is not called; nothing is taken from a node that stops, or that is no function', async () => {
  const { cluster, node } = await nodeOf()
  const forget = node.onStop(() => expect.fail('called'))
  forget()
  expect(() => node.onStop(1 as never)).toThrow(expect.objectContaining({ code: 'ERR_BAD_ARGUMENT' }))
  await cluster.run(node.stop())
  expect(() => node.onStop(async () => undefined)).toThrow(expect.objectContaining({ code: 'ERR_NODE_STOPPED' }))
})
