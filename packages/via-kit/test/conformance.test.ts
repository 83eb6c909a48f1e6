/**
 * PURPOSE: both kinds of ways, over a store and a broker in memory, and the replicated table hold the rules that every way holds.
 */
import { GlobalEts } from '@pidmesh/global-ets'
import type { Node, Via } from '@pidmesh/runtime'
import { conformance } from '@pidmesh/via-kit/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startLab, ways, type Lab } from './lab.ts'

const all: Readonly<Record<string, (node: Node, server: Lab<Via>['server']) => Promise<Via>>> = {
  ...ways,
  'a replicated table': (node) => GlobalEts.start(node, { policy: 'newest' }),
}

describe.each(Object.entries(all))('%s', (_title, way) => {
  let lab: Lab<Via>
  beforeAll(async () => {
    lab = await startLab(way)
  })
  afterAll(() => lab.cluster.stop())

  it.each(conformance)('$rule', async ({ needs, check }) => {
    const isAsked = needs(lab.members[0].names.capabilities)
    await expect(isAsked ? check(lab) : Promise.resolve()).resolves.toBeUndefined()
  })
})
