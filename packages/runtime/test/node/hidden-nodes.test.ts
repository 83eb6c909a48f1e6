import { handler, type Node } from '@pidmesh/runtime'
import { TestCluster } from '@pidmesh/runtime/testing'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'

describe('a hidden node', () => {
  let cluster: TestCluster
  let a: Node
  let b: Node
  let seen: Record<'visible' | 'hidden' | 'all', string[]>

  beforeEach(async () => {
    cluster = new TestCluster()
    a = await cluster.start('a')
    b = await cluster.start('b')
    await cluster.advance(100)
    seen = { visible: [], hidden: [], all: [] }
    for (const nodeType of ['visible', 'hidden', 'all'] as const) {
      a.spawn(
        handler((self) => {
          self.monitorNodes(true, { nodeType })
          return (message) => {
            const { type, node, nodeType: which } = message as { type: string; node: string; nodeType: string }
            seen[nodeType].push(`${type} ${node.split('@')[0]} ${which}`)
          }
        }),
      )
    }
    await cluster.settle()
  })

  afterEach(async () => {
    await cluster.stop()
  })

  it('is connected with its seeds only, is told to nobody, and is not among the nodes', async () => {
    const tool = await cluster.start('tool', { hidden: true, seeds: [a.address] })
    await cluster.advance(5_000)
    expect([a.nodes(), a.nodes('hidden'), a.nodes('all')]).toEqual([[b.name], [tool.name], [b.name, tool.name]])
    // A process sees what its node does.
    expect([a.self.nodes(), a.self.nodes('hidden'), a.self.nodes('all')]).toEqual([
      [b.name],
      [tool.name],
      [b.name, tool.name],
    ])
    expect([tool.nodes(), tool.nodes('all')]).toEqual([[a.name], [a.name]])
    expect(b.nodes('all')).toEqual([a.name])
    // It has not been told where the other is, either.
    expect(tool.send({ name: 'anyone', node: b.name }, 'hello')).toBe('noconnection')
  })

  it('sends, monitors and is monitored as any other', async () => {
    const tool = await cluster.start('tool', { hidden: true, seeds: [a.address] })
    const got: unknown[] = []
    const here = a.spawn(handler(() => (message) => void got.push(message)))
    tool.send(here, 'from the tool')
    const { ref } = tool.self.spawnMonitor(async (self) => {
      self.monitor(here)
      got.push((await self.receive('DOWN')).reason)
    })
    await cluster.advance(100)
    a.exit(here, 'enough')
    await cluster.advance(100)
    expect(ref).toBeDefined()
    expect(got).toEqual(['from the tool', 'enough'])
  })

  it('comes and goes for those who have asked for hidden nodes, or for all', async () => {
    const tool = await cluster.start('tool', { hidden: true, seeds: [a.address] })
    const c = await cluster.start('c', { seeds: [a.address] })
    await cluster.advance(100)
    await cluster.run(tool.stop())
    await cluster.run(c.stop())
    await cluster.advance(100)
    expect(seen.hidden).toEqual(['nodeup tool hidden', 'nodedown tool hidden'])
    expect(seen.visible).toEqual(['nodeup c visible', 'nodedown c visible'])
    expect(seen.all).toEqual(['nodeup tool hidden', 'nodeup c visible', 'nodedown tool hidden', 'nodedown c visible'])
  })
})
