/**
 * A whole cluster in one OS process, on a virtual clock, driven by a seed.
 *
 *   const cluster = new TestCluster({ seed: 1 })
 *   const a = await cluster.start('a')                 // the node a@127.0.0.1
 *   await cluster.settle()                             // all that can happen without time going on
 *   await cluster.advance(5_000)                       // five seconds, in no time
 *   cluster.partition(['a'], ['b'])
 *
 * Nothing happens by itself: turns run, frames arrive and timers fire only within `settle`, `advance` and `run`. Among nodes that are ready at the same
 * time the seed chooses who is next. Promises of user code settle between turns.
 *
 * Invariant: a crashed node runs no more code: its pump, its timers and its frames are dropped, and no clean-up of it runs.
 */
import { startNodeWith, type Node } from '../node/node.ts'
import type { NodeOptions } from '../options.ts'
import type { Clock, PumpFactory } from '../ports.ts'
import { MemoryNetwork } from '../transport/memory.ts'
import { MemoryLogger } from './memory-logger.ts'
import { seededRandom } from './seeded-random.ts'
import { VirtualClock } from './virtual-clock.ts'

export interface TestClusterOptions {
  /** Chooses who is next, and all random numbers of the nodes. @default 1 */
  readonly seed?: number
  /** From one node to another; two numbers: drawn between them for each direction of each connection. @default 1 */
  readonly latencyMs?: number | readonly [least: number, most: number]
}

export interface TestNodeOptions extends Partial<NodeOptions> {
  /** @default all nodes that are running */
  readonly seeds?: readonly string[]
}

interface Host {
  readonly name: string
  node: Node | undefined
  alive: boolean
  wanted: boolean
  /** Runs the node's queue; says whether work is left. */
  turn: (() => boolean) | undefined
}

/** Turns without an end to them: a livelock in what is tested. */
const MAX_TURNS = 1_000_000

export class TestCluster {
  readonly clock: VirtualClock = new VirtualClock()
  readonly network: MemoryNetwork
  readonly log: MemoryLogger = new MemoryLogger()
  private readonly random: ReturnType<typeof seededRandom>
  private hosts: Host[] = []
  /** Every name that a node was ever started under. */
  private readonly known = new Set<string>()

  constructor(options: TestClusterOptions = {}) {
    this.random = seededRandom(options.seed ?? 1)
    const { latencyMs = 1 } = options
    const [least, most] = typeof latencyMs === 'number' ? [latencyMs, latencyMs] : latencyMs
    this.network = new MemoryNetwork(this.clock, () => least + (most - least) * this.random.fraction())
  }

  /** Starts the node `<name>@127.0.0.1`, by default with all running nodes as its seeds, and runs the cluster until it has started. */
  start(name: string, options: TestNodeOptions = {}): Promise<Node> {
    return this.run(this.begin(name, options))
  }

  /** As `start`, but leaves it to you to run the cluster: several nodes may be starting at the same time. */
  begin(name: string, options: TestNodeOptions = {}): Promise<Node> {
    const running = this.hosts.flatMap((host) => (host.alive && host.node !== undefined ? [host.node.address] : []))
    const host: Host = { name, node: undefined, alive: true, wanted: false, turn: undefined }
    this.hosts.push(host)
    this.known.add(name)
    const starting = startNodeWith(
      { name: `${name}@127.0.0.1`, cookie: 'test-cookie', seeds: running, ...options },
      () => ({
        clock: this.clockOf(host),
        random: this.random,
        pump: this.pumpOf(host),
        transport: this.network.transport(name),
        log: this.log,
      }),
    )
    return starting.then(
      (node) => {
        host.node = node
        return node
      },
      (error: unknown) => {
        host.alive = false
        throw error
      },
    )
  }

  /** Runs the cluster, letting time pass as it needs to, until the promise has settled. */
  async run<T>(promise: Promise<T>): Promise<T> {
    let done = false
    const finished = promise.finally(() => {
      done = true
    })
    finished.catch(() => undefined)
    for (let rounds = 0; ; rounds++) {
      await this.settle()
      if (done) return finished
      if (rounds > MAX_TURNS || !this.clock.fireNext(Infinity))
        throw new Error('the cluster has come to rest and the promise is still pending')
    }
  }

  /** Runs all that can happen without time going on. */
  async settle(): Promise<void> {
    for (let turns = 0; turns < MAX_TURNS; turns++) {
      await microtasks()
      const ready = this.hosts.filter((host) => host.alive && host.wanted)
      const host = ready[Math.floor(this.random.fraction() * ready.length)]
      if (host !== undefined) {
        host.wanted = host.turn?.() ?? false
        continue
      }
      if (!this.clock.fireNext(this.clock.monotonicMs())) return
    }
    throw new Error(`the cluster does not come to rest within ${MAX_TURNS} turns`)
  }

  /** Lets so much time pass, with all that happens in it. */
  async advance(ms: number): Promise<void> {
    const endMs = this.clock.monotonicMs() + ms
    do await this.settle()
    while (this.clock.fireNext(endMs))
    this.clock.passTo(endMs)
    await this.settle()
  }

  /** Nothing gets from one side to the other any more, in both directions; nobody is told. */
  partition(side: readonly string[], otherSide: readonly string[]): void {
    this.checkNames([...side, ...otherSide])
    for (const a of side) {
      for (const b of otherSide) {
        this.network.cut(a, b)
        this.network.cut(b, a)
      }
    }
  }

  /** Ends all cuts. */
  heal(): void {
    for (const a of this.known) for (const b of this.known) if (a !== b) this.network.heal(a, b)
  }

  /** As `kill -9`: its links end, and nothing of it runs any more. */
  crash(name: string): void {
    this.checkNames([name])
    for (const host of this.hosts) {
      if (host.name === name && host.alive) host.alive = false
    }
    this.hosts = this.hosts.filter((host) => host.alive)
    this.network.crash(name)
  }

  /** Stops all nodes. */
  async stop(): Promise<void> {
    for (const { node } of this.hosts) if (node !== undefined) await this.run(node.stop())
    this.hosts = []
  }

  private checkNames(names: readonly string[]): void {
    for (const name of names) {
      if (!this.known.has(name)) throw new Error(`there is no node ${name}: it is called by what start was given`)
    }
  }

  private clockOf(host: Host): Clock {
    const { clock } = this
    return {
      monotonicMs: () => clock.monotonicMs(),
      wallMs: () => clock.wallMs(),
      setTimer: (delayMs, fire) => clock.setTimer(delayMs, () => (host.alive ? fire() : undefined)),
    }
  }

  private pumpOf(host: Host): PumpFactory {
    return ({ clock, budgetMs, turn }) => {
      host.turn = () => {
        const nowMs = clock.monotonicMs()
        return turn(nowMs, nowMs + budgetMs)
      }
      return {
        wake: () => {
          host.wanted = true
        },
        stop: () => {
          host.turn = undefined
        },
      }
    }
  }
}

/** Lets all promises settle that can: a real turn of the event loop comes after all microtasks. */
function microtasks(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve)
  })
}
