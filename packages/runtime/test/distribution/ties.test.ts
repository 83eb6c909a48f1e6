import { nodeName } from '@pidmesh/runtime'
import { expect, it } from 'vitest'
import { Ties } from '../../src/distribution/ties.ts'

const a = nodeName('a@127.0.0.1')
const b = nodeName('b@127.0.0.1')

it('a node is refused for our own dial for a second from its first refusal on, and each for itself', () => {
  const ties = new Ties()
  expect([0, 500, 999, 1_000].map((ms) => ties.isRefused(a, ms))).toEqual([true, true, true, false])
  expect(ties.isRefused(b, 1_000)).toBe(true)
})

it('once it has been connected, or ten seconds later, it is another tie', () => {
  const ties = new Ties()
  ties.isRefused(a, 0)
  ties.onUp(a)
  expect([5_000, 5_999, 6_000].map((ms) => ties.isRefused(a, ms))).toEqual([true, true, false])
  expect(ties.isRefused(a, 15_001)).toBe(true)
})
