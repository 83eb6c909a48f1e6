/**
 * What is known of addresses, and which are forgotten. Who dials them, and when: dialer.test.ts.
 */
import { nodeName, type NodeName } from '@pidmesh/runtime'
import { beforeEach, describe, expect, it } from 'vitest'
import { AddressBook } from '../../src/distribution/address-book.ts'

const [x, y] = [nodeName('x@127.0.0.1'), nodeName('y@127.0.0.1')]
const MOST = 1_024

let connected: Set<NodeName>
let forgotten: string[]
let book: AddressBook

beforeEach(() => {
  connected = new Set()
  forgotten = []
  book = new AddressBook({
    dialsLearnt: true,
    isConnected: (node) => connected.has(node),
    onForgotten: ({ address }) => forgotten.push(address),
  })
})

/** As many as are remembered of those that were learnt. */
function learnMost(): readonly string[] {
  const addresses = Array.from({ length: MOST }, (_, n) => `127.0.0.1:${10_000 + n}`)
  for (const address of addresses) book.learn(address)
  return addresses
}

describe('of addresses that were learnt', () => {
  it('1,024 are remembered: for one more the first is forgotten', () => {
    const [first] = learnMost()
    expect(forgotten).toEqual([])
    expect(book.learn('127.0.0.1:1')).toBeDefined()
    expect(forgotten).toEqual([first])
    expect(book.all).toHaveLength(MOST)
  })

  it('none is forgotten that is being dialed, or whose node is connected: the first of the others is', () => {
    const [dialed = '', inUse = '', third] = learnMost()
    book.find(dialed).connection = { close: () => undefined, claimedPeer: undefined }
    book.found(book.find(inUse), x)
    connected.add(x)
    book.learn('127.0.0.1:1')
    expect(forgotten).toEqual([third])
    expect([dialed, inUse].map((address) => book.get(address)?.isLearnt)).toEqual([true, true])
  })

  it('no more is taken while all are in use, and one that is known is known as before', () => {
    const [known = ''] = learnMost()
    for (const target of book.all) book.found(target, x)
    connected.add(x)
    expect(book.learn('127.0.0.1:1')).toBeUndefined()
    expect(book.get('127.0.0.1:1')).toBeUndefined()
    expect(book.learn(known)).toBe(book.get(known))
    expect(forgotten).toEqual([])
  })
})

describe('an address', () => {
  it('at which another node is found leads to that one, of which nothing is proven yet, and no more to the first', () => {
    const target = book.find('127.0.0.1:1')
    book.found(target, x)
    target.isProven = true
    book.found(target, x)
    expect(target.isProven).toBe(true)
    book.found(target, y)
    expect(target.isProven).toBe(false)
    expect([book.of(x), book.of(y)]).toEqual([[], [target]])
  })

  it('of a node that is left alone is remembered, though nobody wants it, until that is over', () => {
    const target = book.find('127.0.0.1:1')
    book.found(target, x)
    target.isProven = true
    book.hold(x)
    expect(book.forgetUnwanted(target)).toBe(false)
    book.unhold(x)
    expect(book.forgetUnwanted(target)).toBe(true)
    expect([forgotten, book.all, book.of(x)]).toEqual([['127.0.0.1:1'], [], []])
  })

  it('at which a node is said to be that is left alone is not dialed if it was only learnt; a seed is: another may be there', () => {
    const target = book.find('127.0.0.1:1')
    target.isLearnt = true
    book.found(target, x)
    book.hold(x)
    expect(book.isSettled(target)).toBe(true)
    target.isSeed = true
    expect(book.isSettled(target)).toBe(false)
  })
})
