/**
 * PURPOSE    Random histories that are rougher than those of global-ets.test.ts: three to five nodes, cuts in one direction, crashes and restarts, several
 *            things in one turn, metadata that changes, processes that have two names or trap exits, and names that are registered within `nodeup`.
 * INVARIANTS When all cuts are over: every node sees every other and the same rows; the rows are all that a table holds; whoever has a name is alive;
 *            no row is of nobody's own; nothing has crashed.
 *
 * `PIDMESH_HISTORIES=1000` runs more of them. A failure names its seed and how to run it alone.
 */
import { GlobalEts, type ConflictPolicy } from '@pidmesh/global-ets'
import { handler, type Node, type Pid } from '@pidmesh/runtime'
import { seededRandom, TestCluster } from '@pidmesh/runtime/testing'
import { describe, expect, it } from 'vitest'

const HISTORIES = Number(process.env['PIDMESH_HISTORIES'] ?? 60)
const FIRST = Number(process.env['PIDMESH_FIRST_HISTORY'] ?? 1)

interface Member {
  readonly node: Node
  readonly names: GlobalEts
  readonly pids: Pid[]
}

class History {
  private readonly seed: number
  private readonly cluster: TestCluster
  private readonly random
  private readonly policy: ConflictPolicy
  private readonly all: readonly string[]
  private readonly members = new Map<string, Member>()

  constructor(seed: number) {
    this.seed = seed
    this.cluster = new TestCluster({ seed })
    this.random = seededRandom(seed * 31 + 7)
    this.policy = seed % 2 === 0 ? 'newest' : 'smaller_node'
    this.all = ['a', 'b', 'c', 'd', 'e'].slice(0, 3 + (seed % 3))
  }

  async run(): Promise<void> {
    for (const name of this.all) await this.join(name)
    for (let step = 0; step < 60; step++) {
      await this.step(this.pick(this.all))
      await this.cluster.advance(this.below(4) === 0 ? this.below(6_000) : this.below(30))
    }
    this.cluster.heal()
    await this.cluster.advance(40_000)
    this.check()
    await this.cluster.stop()
  }

  private below(limit: number): number {
    return Math.floor(this.random.fraction() * limit)
  }

  private pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)] as T
  }

  private anyName(): string {
    return `n${this.below(8)}`
  }

  private async join(name: string): Promise<void> {
    const { cluster, all, policy } = this
    const port = (other: string): number => 30_001 + all.indexOf(other)
    const seeds = all.map((other) => `127.0.0.1:${port(other)}`)
    const node = await cluster.start(name, { port: port(name), seeds })
    const names = await cluster.run(GlobalEts.start(node, { policy }))
    this.members.set(name, { node, names, pids: [] })
    node.spawn(
      handler((self) => {
        self.monitorNodes(true)
        return () => {
          if (this.below(3) !== 0) return
          const pid = node.spawn(handler(() => () => undefined))
          names.registerName(this.anyName(), pid, { up: this.below(100) })
        }
      }),
    )
  }

  private async step(name: string): Promise<void> {
    const { cluster, members, all } = this
    const member = members.get(name)
    const dice = this.below(11)
    if (dice === 0) {
      cluster.network.cut(name, this.pick(all))
    } else if (dice === 1) {
      const others = all.filter((other) => other !== name)
      if (this.below(2) === 0) cluster.partition([name], others)
    } else if (dice === 2) {
      cluster.heal()
    } else if (dice === 3) {
      if (member === undefined || this.below(3) !== 0) return
      cluster.crash(name)
      members.delete(name)
    } else if (dice === 4) {
      // While a cut keeps its end from another node its name is in use.
      if (member === undefined) await this.join(name).catch(() => undefined)
    } else if (member !== undefined) {
      for (let things = this.below(6); things >= 0; things--) this.change(member)
    }
  }

  private change({ node, names, pids }: Member): void {
    const name = this.anyName()
    const dice = this.below(5)
    if (dice <= 1) {
      const pid = node.spawn(
        handler(() => () => undefined),
        { trapExit: this.below(4) === 0 },
      )
      pids.push(pid)
      names.registerName(name, pid, { v: this.below(1_000) })
      if (this.below(3) === 0) names.registerName(this.anyName(), pid)
    } else if (dice === 2) {
      names.setMeta(name, { v: this.below(1_000) })
    } else if (dice === 3) {
      names.unregisterName(name)
    } else if (pids.length > 0) {
      node.exit(this.pick(pids), 'kill')
    }
  }

  private check(): void {
    const { cluster, members, seed } = this
    const replay =
      `PIDMESH_FIRST_HISTORY=${seed} PIDMESH_HISTORIES=1 ` +
      'npx vitest run --project unit packages/global-ets/test/histories.test.ts'
    const rowsOf = (names: GlobalEts): string[] =>
      names.registeredInfo().map(({ name, pid, meta }) => `${name} ${pid} ${JSON.stringify(meta)}`)
    const [first] = members.values()
    const picture = first === undefined ? [] : rowsOf(first.names)
    let own = 0
    for (const [name, { node, names }] of members) {
      expect(node.nodes(), `${name} is connected to all; ${replay}`).toHaveLength(members.size - 1)
      expect(rowsOf(names), `${name} sees the same as the first; ${replay}`).toEqual(picture)
      expect(names.size, `the size of ${name}; ${replay}`).toBe(picture.length)
      const rows = names.localRegisteredInfo()
      const dead = rows.filter(({ pid }) => !node.isProcessAlive(pid))
      expect(dead, `those who have names on ${name} are alive; ${replay}`).toEqual([])
      own += rows.length
    }
    expect(own, `each row is the own of one node; ${replay}`).toBe(picture.length)
    expect(
      cluster.log.lines.filter(({ level }) => level === 'error'),
      replay,
    ).toEqual([])
  }
}

describe('convergence', () => {
  it(
    `after a rough history all nodes see the same (${HISTORIES} seeds from ${FIRST} on)`,
    { timeout: Math.max(30_000, HISTORIES * 1_000) },
    async () => {
      for (let seed = FIRST; seed < FIRST + HISTORIES; seed++) {
        await expect(new History(seed).run()).resolves.toBeUndefined()
      }
    },
  )
})
