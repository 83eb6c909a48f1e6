import { expect, it } from 'vitest'
import { ClusterRoute } from '../src/cluster-route.ts'
import { trySome, type Route } from '../src/route.ts'

/** Three nodes, each with the keys that begin with its name. */
const route: Route = {
  start: () => Promise.resolve(),
  call: () => Promise.resolve(null),
  partOf: (key) => key.slice(0, 1),
}

// By chance alone all keys were of one node in one of some thousand starts, and a start failed if that one stood still.
it('what a start tries is tried on nodes that differ, whatever keys chance gives', async () => {
  let drawn = 0
  const draw = (): string => (++drawn <= 20 ? `a${drawn}` : drawn % 2 === 0 ? `b${drawn}` : `c${drawn}`)
  const tried: string[] = []
  await trySome(route, draw, (key) => {
    tried.push(route.partOf(key))
    return route.partOf(key) === 'a' ? new Promise(() => undefined) : Promise.resolve()
  })
  expect(tried.toSorted()).toEqual(['a', 'b', 'c'])
})

it.each(['', '?'])('a node of a cluster that says of its host no more than “%s” is where who told of it is', (host) => {
  const root = { host: 'root', port: 1, tls: false, username: undefined, password: undefined, database: 0 }
  const { signal } = new AbortController()
  const cluster = new ClusterRoute([root], { timeoutMs: 1_000, tls: undefined, signal })
  const from = { ...root, host: 'known', port: 2 }
  for (const type of ['moved', 'ask'] as const)
    expect(cluster.redirected({ type, slot: 1, host, port: 3 }, from)).toEqual({ ...root, host: 'known', port: 3 })
})
