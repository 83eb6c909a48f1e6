/**
 * PURPOSE: a node that stops stops its trees of processes first; what libraries have to do at its end is done before that resolves; and neither can keep it from ending.
 */
import { handler } from '@pidmesh/runtime'
import { TestCluster } from '@pidmesh/runtime/testing'
import { describe, expect, it, onTestFinished } from 'vitest'

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
  expect(
    cluster.log.lines.some(({ level, message }) => level === 'error' && message.includes('not done in time')),
  ).toBe(true)
})

it('what was taken back is not called; nothing is taken from a node that stops, or that is no function', async () => {
  const { cluster, node } = await nodeOf()
  const forget = node.onStop(() => expect.fail('called'))
  forget()
  expect(() => node.onStop(1 as never)).toThrow(expect.objectContaining({ code: 'ERR_BAD_ARGUMENT' }))
  await cluster.run(node.stop())
  expect(() => node.onStop(async () => undefined)).toThrow(expect.objectContaining({ code: 'ERR_NODE_STOPPED' }))
})

describe('a tree of processes', () => {
  it('is stopped while all works as ever, the one that was attached last first, and each when the one before it is down', async () => {
    const { cluster, node } = await nodeOf()
    const pid = node.spawn(handler(() => () => undefined))
    const told: unknown[] = []
    const attach = (name: string): (() => void) =>
      node.self.attachRoot(async () => {
        told.push(`${name} begins`, node.isProcessAlive(pid), node.isStopping)
        await new Promise<void>((resolve) => cluster.clock.setTimer(1_000, resolve))
        told.push(`${name} is down`)
      })
    attach('first')
    attach('taken back')()
    attach('last')
    node.onStop(async () => told.push('the end'))
    await cluster.run(Promise.all([node.stop(), node.stop()]))
    const begins = (name: string): unknown[] => [`${name} begins`, true, false, `${name} is down`]
    expect(told).toEqual([...begins('last'), ...begins('first'), 'the end'])
  })

  it('that is not down in time is left, with those before it, and that is logged', async () => {
    const { cluster, node } = await nodeOf()
    node.self.attachRoot(() => expect.fail('called'))
    let goOn: () => void = () => undefined
    node.self.attachRoot(() => new Promise<void>((resolve) => (goOn = resolve)))
    const startMs = cluster.clock.monotonicMs()
    await cluster.run(node.stop(2_000))
    expect(cluster.clock.monotonicMs() - startMs).toBe(2_000)
    expect(cluster.log.lines.filter(({ level }) => level === 'error').map(({ message }) => message)).toEqual([
      'trees of processes are stopped: not done in time',
    ])
    goOn()
    await cluster.run(Promise.resolve())
  })

  it('that can’t be stopped keeps no other from it', async () => {
    const { cluster, node } = await nodeOf()
    let isStopped = false
    node.self.attachRoot(async () => (isStopped = true))
    node.self.attachRoot(() => Promise.reject(new Error('a mistake')))
    await cluster.run(node.stop(Infinity))
    expect(isStopped).toBe(true)
    expect(() => node.self.attachRoot(async () => undefined)).toThrow(
      expect.objectContaining({ code: 'ERR_NODE_STOPPED' }),
    )
  })

  it.each([-1, NaN, '5', null])('has no time of %j', async (timeoutMs) => {
    const { node } = await nodeOf()
    expect(() => node.stop(timeoutMs as never)).toThrow(expect.objectContaining({ code: 'ERR_BAD_ARGUMENT' }))
    expect(node.isStopping).toBe(false)
  })
})
