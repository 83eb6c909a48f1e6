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
 * time the seed chooses who is next. Promises of user code settle between turns; those that wait for something outside, a real timer or a socket, are not waited
 * for.
 *
 * Faults: cuts, breaks, latency and rates are the network's (`cluster.network`), with the usual ones as methods here; crashes, stalls and wall clocks are a host's.
 *
 * Invariants: a crashed node has no more turns: its pump, its timers and its frames are dropped, and no clean-up of it runs (code that awaits something outside
 * goes on when that settles, and reaches nobody). A stalled node runs none until it goes
 * on; then its timers fire, late, before it reads what has been sent to it, as in an event loop that something has held up. What can't be done, to a host that was
 * never started for example, is a PidmeshError at the caller, and nothing has happened: a fault that strikes nobody is none.
 */
// By import: a test runner's fake timers take the place of the global one, and never fire by themselves.
import { setImmediate } from 'node:timers'
import { PidmeshError, shown } from '../errors.ts'
import { startNodeWith, type Node } from '../node/node.ts'
import type { NodeOptions } from '../options.ts'
import type { Clock, PumpFactory } from '../ports.ts'
import { checkDelay } from '../timers.ts'
import { checkCrashOptions, checkHost, checkHostName, checkHosts } from '../transport/memory-checks.ts'
import { MemoryNetwork, type BreakOptions, type CrashOptions } from '../transport/memory.ts'
import { badOption, checkClusterOptions, type TestClusterOptions } from './cluster-options.ts'
import { MemoryLogger } from './memory-logger.ts'
import { seededRandom } from './seeded-random.ts'
import { VirtualClock } from './virtual-clock.ts'

export interface TestNodeOptions extends Partial<NodeOptions> {
  /** @default all nodes that are running */
  readonly seeds?: readonly string[] | undefined
  /** What faults and `crash` call it: so a second node of the same name, an impostor, can be told from the first. @default the name */
  readonly host?: string | undefined
}

interface Host {
  readonly name: string
  node: Node | undefined
  alive: boolean
  wanted: boolean
  /** Runs the node's queue; says whether work is left. `undefined` once the node has stopped. */
  turn: (() => boolean) | undefined
  stalledUntilMs: number | undefined
  /** Timers that were due while it was stalled. */
  readonly late: (() => void)[]
}

export class TestCluster {
  readonly clock: VirtualClock = new VirtualClock()
  readonly network: MemoryNetwork
  readonly log: MemoryLogger = new MemoryLogger()
  private readonly random: ReturnType<typeof seededRandom>
  private readonly seed: number
  private readonly maxTurns: number
  private hosts: Host[] = []
  /** Every name that a host was ever started under. The network knows those too that only have a transport. */
  private readonly known = new Set<string>()
  private readonly wallOffsets = new Map<string, number>()
  private turnsRun = 0

  /** @throws PidmeshError `ERR_BAD_OPTION` */
  constructor(options: TestClusterOptions = {}) {
    const { seed, latencyMs, socketBytes, maxTurns } = checkClusterOptions(options)
    this.seed = seed
    this.random = seededRandom(seed)
    const [least, most] = latencyMs
    const drawLatencyMs = (): number => least + (most - least) * this.random.fraction()
    this.network = new MemoryNetwork(this.clock, drawLatencyMs, socketBytes)
    this.maxTurns = maxTurns
  }

  /** Turns of nodes that have been run. */
  get turns(): number {
    return this.turnsRun
  }

  /**
   * Starts the node `<name>@127.0.0.1`, by default with all running nodes as its seeds, and runs the cluster until it has started.
   * @throws PidmeshError by rejection: `ERR_BAD_ARGUMENT`, `ERR_BAD_OPTION`, and as `startNode`
   */
  start(name: string, options: TestNodeOptions = {}): Promise<Node> {
    return this.run(this.begin(name, options))
  }

  /** As `start`, but leaves it to you to run the cluster: several nodes may be starting at the same time. */
  async begin(name: string, given: TestNodeOptions = {}): Promise<Node> {
    checkHostName('start(name)', name)
    if (typeof given !== 'object' || given === null)
      throw badOption(`the options of start must be an object, not ${shown(given)}`)
    const { host: hostName = name, ...options } = given
    if (typeof hostName !== 'string' || hostName === '')
      throw badOption(`host of start must be the name of a host, not ${shown(hostName)}`)
    // One that has been stopped has no turns any more: as a seed it would be dialed for ever.
    const running = this.hosts.flatMap((host) =>
      host.alive && host.turn !== undefined && host.node !== undefined ? [host.node.address] : [],
    )
    const host: Host = {
      name: hostName,
      node: undefined,
      alive: true,
      wanted: false,
      turn: undefined,
      stalledUntilMs: undefined,
      late: [],
    }
    this.hosts.push(host)
    const starting = startNodeWith(
      { name: `${name}@127.0.0.1`, cookie: 'test-cookie', seeds: running, ...options },
      ({ logger = this.log }) => {
        this.known.add(hostName)
        return {
          clock: this.clockOf(host),
          random: this.random,
          pump: this.pumpOf(host),
          transport: this.network.transport(hostName),
          log: logger,
        }
      },
    )
    try {
      host.node = await starting
      return host.node
    } catch (error) {
      host.alive = false
      this.resumeWithout(host)
      throw error
    }
  }

  /** What a node that is gone would have done after its stall: the host's next one is to hear what it is told. */
  private resumeWithout(gone: Host): void {
    const isStalled = this.hosts.some(
      ({ name, alive, stalledUntilMs }) => name === gone.name && alive && stalledUntilMs !== undefined,
    )
    if (!isStalled && this.known.has(gone.name)) this.network.resume(gone.name)
  }

  /** Runs the cluster, letting time pass as it needs to, until the promise has settled. @throws PidmeshError by rejection: `ERR_BAD_ARGUMENT` if it is no promise */
  async run<T>(promise: Promise<T>): Promise<T> {
    if (typeof promise?.finally !== 'function') throw bad(`run(promise) must be a promise, not ${shown(promise)}`)
    let done = false
    const finished = promise.finally(() => {
      done = true
    })
    finished.catch(() => undefined)
    const beganMs = this.clock.monotonicMs()
    for (let rounds = 0; ; rounds++) {
      await this.settle()
      if (done) return finished
      if (rounds > this.maxTurns)
        throw this.stillPending(`after ${Math.round(this.clock.monotonicMs() - beganMs)} ms of the cluster's time`)
      if (!this.clock.fireNext(Infinity)) throw this.stillPending('and nothing is left to happen in the cluster')
    }
  }

  private stillPending(when: string): Error {
    return new Error(
      `the promise that was given to run is still pending, ${when} (seed ${this.seed}): it can't settle, or waits for what is outside of the cluster, as a real timer or a socket is`,
    )
  }

  /** Runs all that can happen without time going on. */
  async settle(): Promise<void> {
    for (let turns = 0; turns < this.maxTurns; turns++) {
      await microtasks()
      const host = this.nextReady()
      if (host !== undefined) this.step(host)
      else if (!this.clock.fireNext(this.clock.monotonicMs())) return
    }
    throw new Error(`the cluster does not come to rest within ${this.maxTurns} turns (seed ${this.seed})`)
  }

  /** Lets so much time pass, with all that happens in it. @throws PidmeshError by rejection: `ERR_BAD_ARGUMENT` */
  async advance(ms: number): Promise<void> {
    checkDelay('advance(ms)', ms)
    const endMs = this.clock.monotonicMs() + ms
    do await this.settle()
    while (this.clock.fireNext(endMs))
    this.clock.passTo(endMs)
    await this.settle()
  }

  /** Nothing gets from one side to the other any more, in both directions; nobody is told. @throws PidmeshError `ERR_BAD_ARGUMENT` */
  partition(side: readonly string[], otherSide: readonly string[]): void {
    checkHosts('partition(side)', side, this.network.hostNames)
    checkHosts('partition(otherSide)', otherSide, this.network.hostNames)
    for (const a of side) {
      for (const b of otherSide) {
        this.network.cut(a, b)
        this.network.cut(b, a)
      }
    }
  }

  /** Ends all cuts, and all latencies and rates that have been set. */
  heal(): void {
    for (const a of this.network.hostNames) {
      for (const b of this.network.hostNames) {
        if (a === b) continue
        this.network.heal(a, b)
        this.network.setLatency(a, b, undefined)
        this.network.setRate(a, b, undefined)
      }
    }
  }

  /**
   * Ends the connection of two nodes: by default both are told at once, and what is on its way is lost. `arriving` lets the first of the frames that are
   * on their way arrive, so that it ends in the middle of a batch; `tellMs` has a side told late, or never: a half-open connection.
   * @throws PidmeshError `ERR_BAD_ARGUMENT`, `ERR_BAD_OPTION`
   * @example cluster.break('a', 'b')                                                  // a reset
   * @example cluster.break('a', 'b', { tellMs: { b: Infinity } })                     // b is not told, and finds out by its ticks
   * @example cluster.break('a', 'b', { arriving: (inFlight) => inFlight - 1 })        // the last frame is lost
   */
  break(a: string, b: string, options?: BreakOptions): void {
    this.network.break(a, b, options)
  }

  /**
   * As `kill -9`: its links end, and it has no more turns. `isTold: false` is a power failure: the other nodes find out by their ticks.
   * @throws PidmeshError `ERR_BAD_ARGUMENT`, `ERR_BAD_OPTION`
   */
  crash(name: string, options: CrashOptions = {}): void {
    checkHost('crash(name)', name, this.network.hostNames)
    const checked = checkCrashOptions(options)
    for (const host of this.hosts) {
      if (host.name === name && host.alive) host.alive = false
    }
    this.hosts = this.hosts.filter((host) => host.alive)
    this.network.crash(name, checked)
  }

  /**
   * The node's event loop is held up for so long: no turn, no timer, no frame. Then its timers fire, late, and after them it reads what has been sent to it.
   * A stall within a stall makes it end no earlier.
   * @throws PidmeshError `ERR_BAD_ARGUMENT`
   */
  stall(name: string, ms: number): void {
    checkHost('stall(name)', name, this.known)
    checkDelay('stall(ms)', ms)
    const untilMs = this.clock.monotonicMs() + ms
    for (const host of this.hosts) {
      if (host.name !== name || !host.alive) continue
      this.network.stall(name)
      host.stalledUntilMs = Math.max(host.stalledUntilMs ?? 0, untilMs)
      this.clock.setTimer(ms, () => {
        if (host.stalledUntilMs === undefined || host.stalledUntilMs > this.clock.monotonicMs()) return
        host.stalledUntilMs = undefined
        // Behind all timers that are late by now.
        host.late.push(() => this.network.resume(host.name))
      })
    }
  }

  /**
   * Puts a host's wall clock on, or back, by so much: for the nodes that run on it, and those that will.
   * @throws PidmeshError `ERR_BAD_ARGUMENT`
   */
  jumpWallClock(name: string, byMs: number): void {
    checkHost('jumpWallClock(name)', name, this.known)
    if (!Number.isFinite(byMs))
      throw bad(`jumpWallClock(byMs) must be a finite number of milliseconds, not ${shown(byMs)}`)
    this.wallOffsets.set(name, (this.wallOffsets.get(name) ?? 0) + byMs)
  }

  /** Stops all nodes. */
  async stop(): Promise<void> {
    for (const { node } of this.hosts) if (node !== undefined) await this.run(node.stop())
    this.hosts = []
  }

  private nextReady(): Host | undefined {
    const ready = this.hosts.filter((host) => host.alive && host.stalledUntilMs === undefined && isReady(host))
    return ready.length === 0 ? undefined : ready[Math.floor(this.random.fraction() * ready.length)]
  }

  private step(host: Host): void {
    const timer = host.late.shift()
    if (timer !== undefined) {
      timer()
      return
    }
    this.turnsRun++
    host.wanted = host.turn?.() ?? false
  }

  private clockOf(host: Host): Clock {
    const { clock } = this
    return {
      monotonicMs: () => clock.monotonicMs(),
      wallMs: () => clock.wallMs() + (this.wallOffsets.get(host.name) ?? 0),
      setTimer: (delayMs, fire) => {
        let isCancelled = false
        const timer = clock.setTimer(delayMs, () => {
          if (!host.alive) return
          if (host.stalledUntilMs === undefined && host.late.length === 0) fire()
          else host.late.push(() => (isCancelled ? undefined : fire()))
        })
        return {
          cancel: () => {
            isCancelled = true
            timer.cancel()
          },
        }
      },
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

function bad(problem: string): PidmeshError {
  return new PidmeshError('ERR_BAD_ARGUMENT', problem)
}

function isReady(host: Host): boolean {
  return host.wanted || host.late.length > 0
}

/** Lets all promises settle that can: a real turn of the event loop comes after all microtasks. */
function microtasks(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve)
  })
}
