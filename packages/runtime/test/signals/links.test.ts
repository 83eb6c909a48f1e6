import { handler, type Context, type Node } from '@pidmesh/runtime'
import { TestCluster } from '@pidmesh/runtime/testing'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { Process } from '../../src/process/process.ts'
import { Links } from '../../src/signals/links.ts'

let cluster: TestCluster
let a: Node
let b: Node

beforeEach(async () => {
  cluster = new TestCluster({ latencyMs: 10 })
  a = await cluster.start('a')
  b = await cluster.start('b')
  await cluster.advance(200)
})

afterEach(async () => {
  await cluster.stop()
})

async function trapper(node: Node): Promise<{ readonly self: Context; readonly messages: unknown[] }> {
  const messages: unknown[] = []
  let context: Context | undefined
  node.spawn(
    handler((self) => {
      context = self
      return (message) => void messages.push(message)
    }),
    { trapExit: true },
  )
  await cluster.settle()
  if (context === undefined) throw new Error('it has not started')
  return { self: context, messages }
}

describe('an unlink that is not acknowledged', () => {
  /*
   *  at   a                          b
   *   0   link (linked on both sides)
   *   0   unlink #1 ──────────────▶
   *   5   link, unlink #2 ────────▶
   *  10                              has #1: unlink_ack #1 ──▶
   *  11                              link ──▶              it crosses #2: b takes #2 for the end of this link
   *  20   has ack #1: it must not count for #2, or the link that arrives now would stand, on this side alone
   */
  it('outweighs a link that crosses it, also when an earlier unlink is acknowledged meanwhile', async () => {
    const onA = await trapper(a)
    const onB = await trapper(b)
    onA.self.link(onB.self.pid)
    await cluster.advance(50)
    onA.self.unlink(onB.self.pid)
    await cluster.advance(5)
    onA.self.link(onB.self.pid)
    onA.self.unlink(onB.self.pid)
    await cluster.advance(6)
    onB.self.link(onA.self.pid)
    await cluster.advance(100)
    cluster.crash('b')
    await cluster.advance(100)
    expect(onA.messages).toEqual([])
  })
})

describe('a process that has many links', () => {
  const MANY = 1_000

  /** How often all of the links are gone through. */
  async function walksOf(act: () => void): Promise<number> {
    const original: () => SetIterator<unknown> = Set.prototype[Symbol.iterator]
    let walks = 0
    const spy = vi.spyOn(Set.prototype, Symbol.iterator).mockImplementation(function (this: Set<unknown>) {
      if (this.size >= MANY) walks++
      return original.call(this)
    })
    try {
      act()
    } finally {
      spy.mockRestore()
    }
    await cluster.settle()
    return walks
  }

  async function linkedToMany(): Promise<{ readonly self: Context; readonly messages: unknown[] }> {
    const it = await trapper(a)
    for (let made = 0; made < MANY; made++) it.self.spawnLink(handler(() => () => undefined))
    return it
  }

  it('goes through none of them to unlink one that has ended, or to link to it', async () => {
    const { self, messages } = await linkedToMany()
    const dead = a.spawn(() => undefined)
    await cluster.settle()
    expect(await walksOf(() => self.unlink(dead))).toBe(0)
    expect(await walksOf(() => self.link(dead))).toBe(0)
    expect(messages).toEqual([{ type: 'EXIT', from: dead, reason: 'noproc' }])
  })

  it('goes through none of them to unlink one of another node that it is not linked to, connected or not', async () => {
    const { self } = await linkedToMany()
    const onB = await trapper(b)
    expect(await walksOf(() => self.unlink(onB.self.pid))).toBe(0)
    cluster.crash('b')
    await cluster.advance(10_000)
    expect(await walksOf(() => self.unlink(onB.self.pid))).toBe(0)
  })
})

it('a process that has ended is kept until those that are linked to it have been told, and no longer', () => {
  const ending: boolean[] = []
  const [one, other] = [1, 2].map((id) => new Process({ name: a.name, incarnation: 1 }, id))
  if (one === undefined || other === undefined) throw new Error('no processes')
  const links = new Links(() => void ending.push(links.isEnding(other, one.pid)))
  links.linkLocal(one, other)
  links.beginEnd(one)
  ending.push(links.isEnding(other, one.pid))
  links.notifyLinked(one, 'enough')
  // Were it kept it would be found by this.
  links.linkLocal(one, other)
  ending.push(links.isEnding(other, one.pid))
  expect(ending).toEqual([true, false, false])
})
