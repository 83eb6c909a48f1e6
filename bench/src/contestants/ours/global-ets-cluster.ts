/**
 * The cluster of the contestant `ours` in group `global-ets`: this process is its first node; the second lives as long, and a third is started for a run
 * and ends with it. All are connected with each other, and all but a third that is to join have the table.
 */
import { randomUUID } from 'node:crypto'
import { erpc, startNode, type Node, type NodeName } from '@pidmesh/runtime'
import type { Registered, Registering, Span } from './global-ets-member.ts'
import { exportMember } from './global-ets-member.ts'
import { startOtherNode, type OtherNode } from './other-node.ts'
import { transport } from './transport.ts'

/** For what should take seconds at most: whoever needs longer fails the bench. */
export const WITHIN_MS = 60_000
const LOOK_AGAIN_MS = 5

export class Cluster {
  readonly near: MemberNode
  readonly second: MemberNode
  private readonly node: Node
  private readonly seeds: readonly string[]
  private readonly cookie: string
  /** The near and the second node have tables of groups. */
  hasGroups = false
  private started = 0

  private constructor(node: Node, second: OtherNode, cookie: string) {
    this.node = node
    this.near = new MemberNode(node, node.name)
    this.second = new MemberNode(node, second.name)
    this.seeds = [node.address, second.address]
    this.cookie = cookie
  }

  static async start(): Promise<Cluster> {
    const cookie = randomUUID()
    const node = await startNode({ name: `near-${process.pid}@127.0.0.1`, cookie, transport, logLevel: 'silent' })
    exportMember(node)
    const name = `second-${process.pid}@127.0.0.1`
    const second = await startOtherNode({ program: PROGRAM, name, cookie, seeds: [node.address], core: undefined })
    const cluster = new Cluster(node, second, cookie)
    await cluster.untilConnected(second.name)
    await cluster.near.startTable()
    await cluster.second.startTable()
    return cluster
  }

  /** Gives a third node, which has the table, for as long as `use` takes. */
  async withThird<T>(use: (third: MemberNode, kill: OtherNode['kill']) => Promise<T>): Promise<T> {
    return this.withOther(async (third, kill) => {
      await third.startTable()
      return use(third, kill)
    })
  }

  /** Gives a node that has no table yet. */
  async withOther<T>(use: (other: MemberNode, kill: OtherNode['kill']) => Promise<T>): Promise<T> {
    const { seeds, cookie } = this
    const name = `other${++this.started}-${process.pid}@127.0.0.1`
    const other = await startOtherNode({ program: PROGRAM, name, cookie, seeds, core: undefined })
    try {
      await this.untilConnected(other.name)
      return await use(new MemberNode(this.node, other.name), other.kill)
    } finally {
      // One that was stopped heeds nothing.
      other.kill('SIGCONT')
      await other.end()
    }
  }

  private async untilConnected(name: NodeName): Promise<void> {
    const deadlineMs = performance.now() + WITHIN_MS
    while (!this.node.nodes().includes(name)) {
      if (performance.now() > deadlineMs) throw new Error(`${name} is not connected`)
      await new Promise((resolve) => setTimeout(resolve, LOOK_AGAIN_MS))
    }
  }
}

const PROGRAM = 'global-ets-far.js'

/** A node, and what it can be told: see global-ets-member.ts. */
export class MemberNode {
  private readonly caller: Node
  private readonly name: NodeName

  constructor(caller: Node, name: NodeName) {
    this.caller = caller
    this.name = name
  }

  startTable(): Promise<void> {
    return this.call('startTable', [])
  }

  join(size: number): Promise<number> {
    return this.call('join', [size, WITHIN_MS])
  }

  untilSize(size: number, withinMs: number = WITHIN_MS): Promise<void> {
    return this.call('untilSize', [size, withinMs], withinMs + WITHIN_MS)
  }

  /** `withinMs` for the answer as well: of a node that may not answer. */
  async hasSize(size: number, withinMs: number): Promise<boolean> {
    try {
      await this.call('untilSize', [size, withinMs], withinMs)
      return true
    } catch {
      return false
    }
  }

  hold(holders: number, namesPerHolder = 1): Promise<void> {
    return this.call('hold', [holders, namesPerHolder])
  }

  register(registering: Registering): Promise<Registered> {
    return this.call('register', [registering])
  }

  registerPaced(span: Span, intervalMs: number): Promise<number[]> {
    return this.call('registerPaced', [span, intervalMs])
  }

  watch(span: Span): Promise<void> {
    return this.call('watch', [span])
  }

  seen(): Promise<number[]> {
    return this.call('seen', [])
  }

  release(): Promise<void> {
    return this.call('release', [])
  }

  lookups(span: Span, passes: number): Promise<number> {
    return this.call('lookups', [span, passes])
  }

  startGroups(): Promise<void> {
    return this.call('startGroups', [])
  }

  untilMembers(count: number): Promise<void> {
    return this.call('untilMembers', [count, WITHIN_MS], 2 * WITHIN_MS)
  }

  changeGroups(change: 'join' | 'leave'): Promise<number> {
    return this.call('changeGroups', [change])
  }

  getMembers(count: number): Promise<number> {
    return this.call('getMembers', [count])
  }

  bytes(): Promise<number> {
    return this.call('bytes', [])
  }

  startBlocks(): Promise<void> {
    return this.call('startBlocks', [])
  }

  longestBlock(): Promise<number> {
    return this.call('longestBlock', [])
  }

  private call<T>(name: string, args: readonly unknown[], timeoutMs = WITHIN_MS): Promise<T> {
    return erpc.call<T>(this.caller, this.name, name, args, timeoutMs)
  }
}
