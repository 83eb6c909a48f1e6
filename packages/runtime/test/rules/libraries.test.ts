/** What libraries build on: what they hold for a node, and what goes with a process. */
import type { Context, Node } from '@pidmesh/runtime'
import { TestCluster } from '@pidmesh/runtime/testing'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'

let cluster: TestCluster
let node: Node

beforeEach(async () => {
  cluster = new TestCluster()
  node = await cluster.start('a')
})

afterEach(async () => {
  await cluster.stop()
})

class Shelf {
  readonly books: string[] = []
  readonly main: Context
  constructor(main: Context) {
    this.main = main
  }
}

describe('perNode', () => {
  it('gives all processes of a node the same object of a class, and those of another node another', async () => {
    const other = await cluster.start('b')
    node.self.perNode(Shelf).books.push('one')
    const seen: Shelf[] = []
    for (const where of [node, other]) where.spawn((self) => void seen.push(self.perNode(Shelf)))
    await cluster.settle()
    expect(new Set(seen.map(({ books }) => books.length))).toEqual(new Set([1, 0]))
    expect(new Set(seen.map(({ main }) => main))).toEqual(new Set([node.self, other.self]))
    expect(node.self.perNode(Shelf)).not.toBe(other.self.perNode(Shelf))
  })

  it('refuses what is no class, and who has ended', async () => {
    expect(() => void Reflect.apply(node.self.perNode, node.self, ['Shelf'])).toThrow(
      expect.objectContaining({ code: 'ERR_BAD_ARGUMENT' }),
    )
    const late: Context[] = []
    node.spawn((self) => void late.push(self))
    await cluster.settle()
    expect(() => late[0]?.perNode(Shelf)).toThrow(expect.objectContaining({ code: 'ERR_PROCESS_EXITED' }))
  })
})
