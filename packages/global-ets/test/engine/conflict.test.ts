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

describe('smaller_node', () => {
  it('orders by code unit, never by a locale', () => {
    const of = (name: string): Claim => ({
      key: 'x',
      owner: { name: name as NodeName, incarnation: 1 },
      id: 1,
      epoch: 1,
      meta: EMPTY_META,
    })
    expect(compareBy('smaller_node')(of('B@h'), of('a@h'))).toBeLessThan(0)
  })
})
