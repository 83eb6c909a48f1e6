import { handler } from '@pidmesh/runtime'
import { TestCluster } from '@pidmesh/runtime/testing'

for (let seed = 1; seed <= 100; seed++) {
  const cluster = new TestCluster({ seed, latencyMs: [1, 50] })
  const a = await cluster.start('a')
  const b = await cluster.start('b')
  let leads = true
  a.spawn(
    handler((self) => {
      self.monitorNode(b.name, true)
      return () => (leads = false)
    }),
  )
  await cluster.advance(500)
  if (seed % 4 === 0) cluster.partition(['a'], ['b'])
  if (seed % 4 === 1) cluster.break('a', 'b', { tellMs: { a: Infinity } })
  if (seed % 4 === 2) cluster.crash('b', { isTold: seed % 8 === 2 })
  if (seed % 4 === 3) cluster.stall('b', 6_000)
  await cluster.advance(4_500)
  if (leads) throw new Error(`seed ${seed}: it still leads`)
  await cluster.stop()
}
