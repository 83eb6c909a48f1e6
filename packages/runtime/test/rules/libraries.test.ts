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

describe('onExitOf', () => {
  const waiting = (self: Context): unknown => self.receive()

  it('runs once, when the process has ended, and before anybody is told', async () => {
    const told: string[] = []
    const pid = node.spawn(waiting)
    node.spawn(async (self) => {
      self.monitor(pid)
      await self.receive('DOWN')
      told.push('DOWN')
    })
    await cluster.settle()
    node.self.onExitOf(pid, () => told.push(`exit, alive: ${node.isProcessAlive(pid)}`))
    node.exit(pid, 'kill')
    expect(told).toEqual(['exit, alive: false'])
    await cluster.settle()
    expect(told).toEqual(['exit, alive: false', 'DOWN'])
  })

  it('runs not at all once it is taken back', async () => {
    const told: string[] = []
    const pid = node.spawn(waiting)
    const takeBack = node.self.onExitOf(pid, () => told.push('exit'))
    takeBack()
    node.exit(pid, 'kill')
    expect(told).toEqual([])
  })

  it('harms nobody if it throws: the others run, and it is logged', async () => {
    const told: string[] = []
    const pid = node.spawn(waiting)
    node.self.onExitOf(pid, () => {
      throw new Error('mine')
    })
    node.self.onExitOf(pid, () => told.push('exit'))
    node.exit(pid, 'kill')
    expect(told).toEqual(['exit'])
    expect(JSON.stringify(cluster.log.lines)).toContain('what was to run at the end of a process has thrown')
  })

  it('refuses a process that has ended, and one of another node', async () => {
    const other = await cluster.start('b')
    const dead = node.spawn(() => undefined)
    await cluster.settle()
    for (const pid of [dead, other.spawn(waiting)])
      expect(() => node.self.onExitOf(pid, () => undefined)).toThrow(
        expect.objectContaining({ code: 'ERR_BAD_ARGUMENT' }),
      )
  })
})
