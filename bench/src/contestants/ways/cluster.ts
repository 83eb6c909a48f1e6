/**
 * The cluster of a way: this process is the near node, which sends; the far and the third are children of it. All are connected with each other, and with the store.
 *
 *   near ⇄ far ⇄ third ⇄ near        store ⇄ each, where there is one
 */
import { randomUUID } from 'node:crypto'
import { isInstalled } from '@pidmesh/dev-services'
import { nodeName, type NodeName } from '@pidmesh/runtime'
import { Child } from '../gateway/child.ts'
import { cpuMsInTicksOf, sentBy, type Traffic } from '../linux.ts'
import { startStore, type Store } from './store.ts'
import { WayNode, type WayNodeOptions } from './way-node.ts'
import type { Way } from './way-names.ts'

const WITHIN_MS = 30_000
const LOOK_AGAIN_MS = 5

export class Member {
  readonly name: NodeName
  readonly child: Child
  readonly port: number

  private constructor(name: NodeName, child: Child, port: number) {
    this.name = name
    this.child = child
    this.port = port
  }

  static async start(options: WayNodeOptions): Promise<Member> {
    const program = new URL('member.js', import.meta.url)
    const child = new Child(program, [JSON.stringify(options)], ['--expose-gc'])
    return new Member(nodeName(options.name), child, await child.ask<number>('port'))
  }
}

export class Cluster {
  readonly store: Store
  readonly near: WayNode
  readonly far: Member
  third: Member
  private readonly options: Omit<WayNodeOptions, 'name' | 'seeds'>
  private started = 0

  private constructor(
    options: Omit<WayNodeOptions, 'name' | 'seeds'>,
    parts: { readonly store: Store; readonly near: WayNode; readonly far: Member; readonly third: Member },
  ) {
    this.options = options
    this.store = parts.store
    this.near = parts.near
    this.far = parts.far
    this.third = parts.third
  }

  static async start(way: Way): Promise<Cluster> {
    const store = await startStore(way)
    const options = { way, place: store.place, cookie: randomUUID() }
    const near = await WayNode.start({ ...options, name: nameOf('near'), seeds: [] })
    const seeds = [near.node.address]
    const far = await Member.start({ ...options, name: nameOf('far'), seeds })
    const third = await Member.start({ ...options, name: nameOf('third'), seeds })
    const cluster = new Cluster(options, { store, near, far, third })
    await cluster.untilConnected()
    return cluster
  }

  /** What all nodes and the store have taken so far. */
  cpuMs(): number {
    return cpuMsInTicksOf(this.pids)
  }

  /** What all nodes and the store have sent each other so far; `undefined` where `ss` is missing. */
  traffic(): Traffic | undefined {
    return isInstalled('ss') ? sentBy(this.pids, [this.near.gateway.port, this.far.port, this.third.port]) : undefined
  }

  private get pids(): readonly number[] {
    return [process.pid, this.far.child.pid, this.third.child.pid, ...this.store.pids]
  }

  /** Another one in place of the third, which has stopped. */
  async replaceThird(): Promise<void> {
    await this.third.child.end()
    const seeds = [this.near.node.address]
    this.third = await Member.start({ ...this.options, name: nameOf(`third${++this.started}`), seeds })
    await this.untilConnected()
  }

  /** Resolves when the near node knows so many names of a member's. */
  async untilRegistered(member: Member, count: number): Promise<void> {
    await until(`${count} names`, async () => (await this.registeredOf(member)) === count)
  }

  /** What a member has registered, as far as the near node can know of it; of a table that is the same everywhere: all there is. */
  async registeredOf(member: Member): Promise<number> {
    return this.options.way === 'global-ets' ? this.near.size() : member.child.ask<number>('size')
  }

  private untilConnected(): Promise<void> {
    const { near, far, third } = this
    return until('all connected', () => [far, third].every(({ name }) => near.node.nodes().includes(name)))
  }
}

export async function until(what: string, isSo: () => boolean | Promise<boolean>): Promise<void> {
  const deadlineMs = performance.now() + WITHIN_MS
  while (!(await isSo())) {
    if (performance.now() > deadlineMs) throw new Error(`not so after ${WITHIN_MS} ms: ${what}`)
    await pause(LOOK_AGAIN_MS)
  }
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

function nameOf(role: string): string {
  return `${role}-${process.pid}@127.0.0.1`
}
