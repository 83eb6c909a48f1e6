/**
 * One of the three nodes: the way that is compared, and a gateway whose sessions register their user's name.
 */
import { handler, startNode, type Node, type NodeName, type Pid, type SendStatus } from '@pidmesh/runtime'
import { Gateway, SocketSession } from '@pidmesh/ws-gateway'
import { monotonicUs } from '../gateway/clock.ts'
import type { Said } from '../gateway/workloads.ts'
import { bytesOf } from '../serve.ts'
import type { Way } from './way-names.ts'
import { sizeOf, startNames, type Names } from './way.ts'

export interface WayNodeOptions {
  readonly name: string
  readonly cookie: string
  readonly seeds: readonly string[]
  readonly way: Way
  /** Of the store. */
  readonly place: string
}

/** What is sent to a name and counted where it comes. */
export interface Numbered {
  readonly type: 'numbered'
  readonly n: number
}

interface Principal {
  readonly user: string
}

type ServerMessage = Said | { readonly type: 'welcome' }

/** Sends that wait for the store, or for a broker, at a time: what one who sends in earnest lets run up. */
const WINDOW = 1_000
/** Others have their turn after so many calls of one of `CALLERS`. */
const PER_TURN = 10
const CALLERS = 100
const SETTLE_MS = 2_000

export class WayNode {
  readonly node: Node
  readonly names: Names
  readonly gateway: Gateway<never, ServerMessage, Principal>
  private held: { readonly name: string; readonly pid: Pid }[] = []
  private readonly came = new Set<number>()
  private underWay = 0
  private failed: string | undefined = undefined
  private onRoom: (() => void) | undefined = undefined
  private busyNode: Promise<unknown> | undefined = undefined

  private constructor(node: Node, names: Names, gateway: Gateway<never, ServerMessage, Principal>) {
    this.node = node
    this.names = names
    this.gateway = gateway
  }

  static async start({ way, place, ...options }: WayNodeOptions): Promise<WayNode> {
    const node = await startNode({ ...options, logLevel: 'silent' })
    const names = await startNames(node, way, place)
    // Where a name has one holder the newest gets it, as after a reconnect; where it may have many there is nothing to be taken.
    const policy = names.capabilities.holders === 'one' ? 'replace' : 'multi'
    class Client extends SocketSession<never, ServerMessage, Principal> {
      override async handleConnect() {
        await this.registerAs(`user:${this.principal.user}`, { policy })
        this.push({ type: 'welcome' })
      }
    }
    const gateway = await Gateway.start<never, ServerMessage, Principal>(node, {
      port: 0,
      names,
      session: Client,
      // All clients are of one address.
      maxConnectionsPerAddress: 100_000,
      authenticate: ({ url }) => {
        const user = url.searchParams.get('user')
        return user === null ? undefined : { user }
      },
    })
    return new WayNode(node, names, gateway)
  }

  /** Names that it knows. */
  size(): number {
    return sizeOf(this.names)
  }

  /** What it returns is waited for: until fewer sends are under way, or the connection has taken what it has. */
  push(name: string, message: unknown, to: NodeName): void | Promise<unknown> {
    if (this.failed !== undefined) throw new Error(this.failed)
    const status = this.names.send(name, message)
    if (typeof status === 'string') return this.onStatus(name, status, to)
    this.underWay++
    status
      .then((settled) => {
        const drained = this.onStatus(name, settled, to)
        if (drained !== undefined) this.busyNode = drained
      })
      .catch((error: unknown) => (this.failed = String(error)))
      .finally(() => {
        this.underWay--
        this.onRoom?.()
      })
    if (this.underWay < WINDOW) return this.takeBusy()
    return new Promise<void>((resolve) => (this.onRoom = resolve))
  }

  /** A process for each name, which waits for a message that never comes. */
  hold(count: number): void {
    this.held = Array.from({ length: count }, (_, n) => ({
      name: `user:${String(n).padStart(7, '0')}`,
      pid: this.node.spawn(handler(() => () => undefined)),
    }))
  }

  /** All that are held, by 100 callers at once. Resolves with the milliseconds that it took. */
  register(): Promise<number> {
    return this.each(async ({ name, pid }) => {
      const answer = await this.names.registerName(name, pid)
      if (answer !== 'yes') throw new Error(`${name} is not registered`)
    })
  }

  unregister(): Promise<number> {
    return this.each(async ({ name, pid }) => {
      await this.names.unregisterName(name, pid)
    })
  }

  /** One after the other; in milliseconds, each. */
  async registerSingly(): Promise<number[]> {
    const took: number[] = []
    for (const { name, pid } of this.held) {
      const startUs = monotonicUs()
      await this.names.registerName(name, pid)
      took.push((monotonicUs() - startUs) / 1_000)
      await nextTurn()
    }
    return took
  }

  /** Ends the processes of the names, which were given up. */
  letGo(): void {
    for (const { pid } of this.held) this.node.exit(pid, 'kill')
    this.held = []
  }

  /** A name whose process notes the number of each message that comes. */
  async listen(name: string): Promise<void> {
    const pid = this.node.spawn(handler(() => (message: Numbered) => void this.came.add(message.n)))
    const answer = await this.names.registerName(name, pid)
    if (answer !== 'yes') throw new Error(`${name} is not registered`)
  }

  /** Which numbers have come so far. */
  numbers(): number[] {
    return [...this.came]
  }

  /** The heap and what it keeps outside of itself, when buffers that are kept for a time only are gone. */
  async settledBytes(): Promise<number> {
    bytesOf('heap')
    await new Promise((resolve) => setTimeout(resolve, SETTLE_MS))
    return bytesOf('heap')
  }

  /** As for a deploy: sockets are closed, names given up. The process of the operating system goes on. */
  async stop(): Promise<void> {
    await this.gateway.stop()
    await this.node.stop()
  }

  private takeBusy(): Promise<unknown> | undefined {
    const busy = this.busyNode
    this.busyNode = undefined
    return busy
  }

  private onStatus(name: string, status: SendStatus | 'noproc', to: NodeName): Promise<unknown> | undefined {
    if (status === 'ok') return undefined
    if (status === 'busy' && this.names.capabilities.resolve !== 'none') return this.node.self.drained(to)
    if (status !== 'busy') this.failed = `${name}: ${status}`
    return undefined
  }

  private async each(one: (held: { readonly name: string; readonly pid: Pid }) => Promise<void>): Promise<number> {
    const startMs = performance.now()
    let next = 0
    const caller = async (): Promise<void> => {
      for (let n = 1; ; n++) {
        const held = this.held[next++]
        if (held === undefined) return
        await one(held)
        if (n % PER_TURN === 0) await nextTurn()
      }
    }
    await Promise.all(Array.from({ length: CALLERS }, caller))
    return performance.now() - startMs
  }
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve)
  })
}
