import { GlobalEts } from '@pidmesh/global-ets'
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
