import { GlobalEts } from '@pidmesh/global-ets'
import { handler, type Node } from '@pidmesh/runtime'
import { TestCluster } from '@pidmesh/runtime/testing'
import { expect, it } from 'vitest'

it.each([{ connectAll: false }, { hidden: true }])(
  'a table on a node with %j, which can not know all names, is a warning',
  async (options) => {
    const cluster = new TestCluster()
    const a = await cluster.start('a')
    await cluster.run(GlobalEts.start(a))
    const warnings = (): unknown[] => cluster.log.lines.filter(({ level }) => level === 'warn')
    expect(warnings()).toEqual([])
    const b = await cluster.start('b', options)
    await cluster.run(GlobalEts.start(b, { scope: 'rooms' }))
    expect(warnings()).toMatchObject([{ fields: { node: b.name, scope: 'rooms' } }])
    await cluster.stop()
  },
)

it.each(['before', 'after'])(
  'a table on a hidden node and that of another one know the names of each other, also after a cut, if it starts %s they are connected',
  async (when) => {
    const cluster = new TestCluster()
    const nodes: readonly Node[] = [await cluster.start('a'), await cluster.start('b', { hidden: true })]
    if (when === 'before') cluster.partition(['a'], ['b'])
    await cluster.advance(5_000)
    const tables = await cluster.run(Promise.all(nodes.map((node) => GlobalEts.start(node))))
    for (const [at, node] of nodes.entries()) tables[at]?.registerName(node.name, node.spawn(handler(() => () => {})))
    cluster.heal()
    for (let cuts = 0; cuts < 2; cuts++) {
      await cluster.advance(10_000)
      for (const table of tables) expect(table.registeredNames()).toEqual(nodes.map(({ name }) => name))
      cluster.partition(['a'], ['b'])
      await cluster.advance(5_000)
      for (const table of tables) expect(table.registeredNames()).toHaveLength(1)
      cluster.heal()
    }
    await cluster.stop()
  },
)
