import type { NodeName } from '@pidmesh/runtime'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { EMPTY_META, type Claim } from '../../src/engine/claim.ts'
import { compareBy, type ConflictPolicy } from '../../src/engine/conflict.ts'

const claim: fc.Arbitrary<Claim> = fc.record({
  key: fc.constant('x'),
  owner: fc.record({
    name: fc.constantFrom('a@h', 'B@h', 'b@h', 'é@h').map((name) => name as NodeName),
    incarnation: fc.integer({ min: 1, max: 3 }),
  }),
  id: fc.integer({ min: 1, max: 3 }),
  epoch: fc.integer({ min: 1, max: 3 }),
  meta: fc.constantFrom(EMPTY_META, { weight: 1 }, { weight: Number.POSITIVE_INFINITY }, { weight: 'heavy' }),
})

const policies: readonly ConflictPolicy[] = [
  'smaller_node',
  'newest',
  { name: 'weight', sortKey: ({ meta }) => meta['weight'] as number },
  {
    name: 'broken',
    sortKey: () => {
      throw new Error('broken')
    },
  },
]

describe.each(policies)('the policy %j', (policy) => {
  const compare = compareBy(policy)

  it('is a total order: the same claim is first, in whatever order they come', () => {
    fc.assert(
      fc.property(claim, claim, claim, (a, b, c) => {
        expect(Math.sign(compare(a, b))).toBe(-Math.sign(compare(b, a)) || 0)
        if (compare(a, b) <= 0 && compare(b, c) <= 0) expect(compare(a, c)).toBeLessThanOrEqual(0)
        const isSame = a.owner.name === b.owner.name && a.owner.incarnation === b.owner.incarnation && a.id === b.id
        if (compare(a, b) === 0) expect(isSame).toBe(true)
      }),
    )
  })
})

/** A claim of a node; of its first life unless that is said. */
const of = (name: string, incarnation: number = 1, id: number = 1): Claim => ({
  key: 'x',
  owner: { name: name as NodeName, incarnation },
  id,
  epoch: 1,
  meta: EMPTY_META,
})

describe('smaller_node', () => {
  it('orders by code unit, never by a locale', () => {
    expect(compareBy('smaller_node')(of('B@h'), of('a@h'))).toBeLessThan(0)
  })

  it('orders claims of one node by its later life, and of one life by the smaller number of the process', () => {
    expect(compareBy('smaller_node')(of('a@h', 2, 9), of('a@h', 1, 1))).toBeLessThan(0)
    expect(compareBy('smaller_node')(of('a@h', 1, 1), of('a@h', 1, 2))).toBeLessThan(0)
  })
})

describe('newest', () => {
  it('orders by the larger epoch, and of equal ones by the node', () => {
    expect(compareBy('newest')({ ...of('b@h'), epoch: 2 }, of('a@h'))).toBeLessThan(0)
    expect(compareBy('newest')(of('a@h'), of('b@h'))).toBeLessThan(0)
  })
})
