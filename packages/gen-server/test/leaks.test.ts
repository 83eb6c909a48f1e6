/**
 * What is over leaves nothing behind, neither on its own node nor on the other one.
 */
import { call, GenServer, start, stop, Supervisor, type Call } from '@pidmesh/gen-server'
import type { Node } from '@pidmesh/runtime'
import { TestCluster } from '@pidmesh/runtime/testing'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'

interface Sized {
  readonly size: number
}

/** What a node keeps, as far as it should be empty when nothing is going on. */
interface Insides {
  readonly kernel: {
    readonly timers: Sized
    readonly aliases: Sized
    readonly roots: Sized
    readonly processes: ReadonlyMap<number, { readonly [kept in 'exitHooks' | 'monitors' | 'watches']?: Sized }>
  }
  readonly peers: {
    readonly byName: ReadonlyMap<string, { readonly relations: { readonly [kept: string]: Sized } }>
  }
}

let cluster: TestCluster
let a: Node
let b: Node

beforeEach(async () => {
  cluster = new TestCluster()
  a = await cluster.start('a')
  b = await cluster.start('b')
})

afterEach(async () => {
  await cluster.stop()
})

function leftovers(node: Node): Record<string, number> {
  const { kernel, peers } = node as unknown as Insides
  const ofProcesses = [...kernel.processes.values()].flatMap(({ exitHooks, monitors, watches }) =>
    Object.entries({ exitHooks, monitors, watches }),
  )
  const ofPeers = [...peers.byName.values()].flatMap(({ relations }) => Object.entries(relations))
  const left: Record<string, number> = {
    timers: kernel.timers.size,
    aliases: kernel.aliases.size,
    roots: kernel.roots.size,
  }
  for (const [kept, sized] of [...ofProcesses, ...ofPeers]) left[kept] = (left[kept] ?? 0) + (sized?.size ?? 0)
  return left
}

const nothing = { timers: 0, aliases: 0, roots: 0, exitHooks: 0, monitors: 0, watches: 0, links: 0 }

class Echo extends GenServer<Call<{ type: 'x' }, number>> {
  override handleCall(request: Call<{ type: 'x' }, number>) {
    return this.reply(request, 1)
  }
}

describe('10,000 times', () => {
  it('a call leaves nothing behind, on the same node and to another', async () => {
    for (const server of [await cluster.run(start(a, Echo, [])), await cluster.run(start(b, Echo, []))]) {
      for (let round = 0; round < 50; round++) {
        const calls = Array.from({ length: 100 }, () => call(a, server, { type: 'x' }))
        await cluster.run(Promise.all(calls))
      }
    }
    // The end of a call's monitor goes with the next signal, or the next look at the connection.
    await cluster.advance(200)
    expect(leftovers(a)).toEqual(nothing)
    expect(leftovers(b)).toEqual(nothing)
  })

  it('a monitor that is ended again leaves nothing behind, on the same node and to another', async () => {
    const servers = [await cluster.run(start(a, Echo, [])), await cluster.run(start(b, Echo, []))]
    let ended = 0
    for (const server of servers) {
      a.spawn((self) => {
        for (let i = 0; i < 5_000; i++) if (self.demonitor(self.monitor(server), { flush: true })) ended++
      })
    }
    await cluster.advance(10)
    expect(ended).toBe(10_000)
    expect(leftovers(a)).toEqual(nothing)
    expect(leftovers(b)).toEqual(nothing)
  })
})

it('a supervisor that was started without a link, and has ended, is none of those that the node has to stop', async () => {
  for (const reason of ['shutdown', 'kill']) {
    const supervisor = await cluster.run(Supervisor.start(a, {}, []))
    expect(leftovers(a)).toMatchObject({ roots: 1 })
    if (reason === 'kill') a.exit(supervisor, reason)
    else await cluster.run(stop(a, supervisor, reason))
    await cluster.settle()
  }
  expect(leftovers(a)).toEqual(nothing)
})
