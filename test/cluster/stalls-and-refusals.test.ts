// PURPOSE: real nodes, whatever they speak: event loops that stall in vain, and starts that fail.

import { freePorts } from '@pidmesh/dev-services'
import { describe, expect, it } from 'vitest'

import { busyPort, HOST } from './support/demo-process.ts'
import { MeshNode, startMesh } from './support/mesh-node.ts'
import { expectToTalk, newsOf } from './support/mesh-news.ts'

/** Small enough for a test to be quick, large enough for a busy machine. */
const SHORT_TICK_MS = 1_600

describe('an event loop that stalls for five eighths of the tick time', () => {
  it('raises no alarm at the default: 2.5 s', async () => {
    const [a, b] = await startMesh(['a', 'b'])
    const [newsOfA, newsOfB] = [newsOf(a), newsOf(b)]
    await a.ask({ type: 'stall', forMs: 2_500 })
    await expectToTalk([a, b])
    expect([...newsOfA(), ...newsOfB()]).toEqual([])
  })

  it('raises none on either side, on both at once, and one after the other', async () => {
    const nodes = await startMesh(['a', 'b'], { netTickTimeMs: SHORT_TICK_MS })
    const news = nodes.map(newsOf)
    const forMs = (SHORT_TICK_MS * 9) / 16
    const [a, b] = nodes
    for (const stalled of [[a], [b], [a, b]]) {
      await Promise.all(stalled.map((node) => node.ask({ type: 'stall', forMs })))
      await expectToTalk(nodes)
    }
    expect(news.flatMap((heard) => heard())).toEqual([])
  })
})

describe('a node that could not start', () => {
  it('because its port is in use leaves nothing behind', async () => {
    const node = new MeshNode('a', { port: await busyPort() })
    expect(await node.failed()).toBe('ERR_PORT_IN_USE')
    expect(await node.exited()).toBe(0)
  })

  it('because a seed refuses its cookie or its name leaves nothing behind', async () => {
    const [nobody = 0] = await freePorts(1)
    const [a] = await startMesh(['a'])
    const seeds = [`${HOST}:${nobody}`, a.address]
    const stranger = new MeshNode('b', { seeds, cookie: 'another cookie' })
    const double = new MeshNode('a', { seeds })
    expect(await stranger.failed()).toBe('ERR_BAD_COOKIE')
    expect(await double.failed()).toBe('ERR_DUPLICATE_NODE')
    expect(await stranger.exited()).toBe(0)
    expect(await double.exited()).toBe(0)
  })
})
