/**
 * A history as it happens: a cluster, the processes on it, the faults; and the judge, who is told of all of it.
 *
 *   plan ─ step ─▶ World ─ order ─▶ process ─ send, link, monitor … ─▶ judge (what was done)
 *                    └──── fault ──▶ cluster                        trace ─▶ judge (what came of it)
 *
 * Everything is seen through public API (a trace of all processes, `monitorNodes`, `processInfo`) and at the transport's seam.
 */
import {
  assertNever,
  erpc,
  handler,
  type Context,
  type ExitReason,
  type Node,
  type NodeName,
  type Pid,
  type Ref,
  nodeName,
} from '@pidmesh/runtime'
import { TestCluster } from '@pidmesh/runtime/testing'
import { Judge, type Life, type Proc } from './judge.ts'
import type { Act, Fault, Plan, Step } from './plan.ts'

type Draws = Step['draws']

interface Running {
  readonly life: Life
  readonly node: Node
}

interface Order {
  readonly type: 'order'
  readonly run: (self: Context) => void
}

interface Alias {
  readonly ref: Ref
  /** Whose it is. */
  readonly pid: string
  isOpen: boolean
}

interface Monitor {
  readonly ref: Ref
  readonly by: Proc
}

/** Time for all that the faults have left behind: timeouts, backoffs, pauses after a refusal. */
const RECOVERY_MS = 16_000
const QUIET_MS = 14_000
const NAMES = ['p0', 'p1', 'p2', 'p3', 'p4']
/** By then all are connected. */
const EARLY_IMPOSTOR_MS = 700
/** Without time going on. */
const MAX_TURNS_AT_ONCE = 20_000
/** Several times what the longest history takes. */
const MAX_TURNS = 2_000
const MAX_DIALS = 300
/** What a connection may have buffered, and one frame more. */
const MAX_BUFFERED_BYTES = (16 + 9) * 1024 * 1024
const HOUR_MS = 3_600_000

export class World {
  readonly judge: Judge
  readonly lines: string[] = []
  /** Acts, faults, and what came of them. */
  readonly seen: Set<string> = new Set()
  readonly cluster: TestCluster
  private readonly plan: Plan
  private readonly running = new Map<string, Running>()
  /** Hosts whose node is being started. */
  private readonly starting = new Set<string>()
  private readonly procs: Proc[] = []
  private readonly aliases: Alias[] = []
  private readonly monitors: Monitor[] = []
  /** Pairs of hosts whose nodes were disconnected on purpose. */
  private readonly parted = new Set<string>()
  /** What is being waited for, by whom. */
  private readonly pending = new Map<number, { readonly what: string; readonly isWanted: () => boolean }>()
  /** By how much each host's wall clock has been put on. */
  private readonly jumpedMs = new Map<string, number>()
  /** The last of each host. */
  private readonly stalls = new Map<string, { readonly forMs: number; readonly untilMs: number }>()
  private lastPending = 0
  private lastReason = 0
  private lastCall = 0
  private isOver = false
  private stalledUntilMs = 0
  /** A fault that means nothing before it is over. */
  private lastsUntilMs = 0

  constructor(plan: Plan) {
    this.plan = plan
    this.cluster = new TestCluster({ seed: plan.seed, latencyMs: plan.latencyMs, maxTurns: MAX_TURNS_AT_ONCE })
    this.judge = new Judge(() => this.nowMs, plan.netTickTimeMs)
    this.judge.isUnread = (life, peer) => this.isUnread(life, peer)
    this.cluster.network.observe((event) => {
      switch (event.type) {
        case 'dial':
          this.note(`link ${event.link}: ${event.from} dials ${event.address}`)
          return
        case 'sent':
          this.note(`link ${event.link}: ${event.from} to ${event.to}, ${event.frame.length} bytes`)
          return
        case 'arrives': {
          const to = this.running.get(event.to)
          if (to === undefined) return
          this.judge.arrives(
            nodeName(`${event.from.slice(0, 1)}@127.0.0.1`),
            this.running.get(event.from)?.life,
            to.life,
          )
          return
        }
        case 'over':
          this.note(`link ${event.link}: over at ${event.at}, ${event.end.type}`)
          return
        default:
          assertNever(event)
      }
    })
  }

  /** Up to the end, or to the first rule that is broken. */
  async play(): Promise<void> {
    const { plan } = this
    for (const host of plan.hosts) this.begin(host)
    // While nothing happens to them, no connection ends.
    this.judge.isQuiet = true
    if (plan.hasEarlyImpostor) this.later(EARLY_IMPOSTOR_MS, () => this.begin('a', 'ax'))
    let isCalm = true
    for (const step of plan.steps) {
      await this.passTo(step.atMs)
      if (this.isBroken) return
      if (isCalm && step.what.type === 'fault') {
        isCalm = false
        this.judgeStart()
        this.judge.isQuiet = false
      }
      this.take(step)
    }
    await this.passTo(plan.endMs)
    await this.recover()
    if (!this.isBroken) await this.judgeEnd()
    if (!this.isBroken) await this.judgeHold()
  }

  /** All have started and dialed each other at the same time. */
  private judgeStart(): void {
    const { dials } = this.cluster.network
    const { hosts, hasEarlyImpostor } = this.plan
    for (const [a, b] of this.pairs())
      if (!this.isConnected(a, b)) this.judge.breach(`${a} and ${b} are not connected from the start`)
    if (dials > hosts.length * (hosts.length - 1 + (hasEarlyImpostor ? 1 : 0)))
      this.judge.breach(`${dials} dials to connect ${hosts.length} nodes`)
    if (this.running.has('ax')) this.judge.breach(`an impostor of a has started, though a is heard by all`)
  }

  private get nowMs(): number {
    return this.cluster.clock.monotonicMs()
  }

  private get isBroken(): boolean {
    return this.judge.broken.length > 0
  }

  private note(what: string): void {
    this.lines.push(`${this.nowMs.toFixed(3)} ${what}`)
  }

  private async passTo(atMs: number): Promise<void> {
    if (atMs > this.nowMs) await this.cluster.advance(atMs - this.nowMs)
    else await this.cluster.settle()
  }

  private later(ms: number, run: () => void): void {
    this.cluster.clock.setTimer(ms, () => {
      if (!this.isOver) run()
    })
  }

  private take({ what, draws }: Step): void {
    if (what.type === 'act') this.order(what.act, draws)
    else this.strike(what.fault, draws)
  }

  // Nodes and processes

  private begin(host: string, seat: string = host): void {
    const { hosts, netTickTimeMs } = this.plan
    this.starting.add(seat)
    this.note(`${seat} starts`)
    const portOf = (other: string): number => 30_001 + hosts.indexOf(other)
    const seeds = hosts.map((other) => `127.0.0.1:${portOf(other)}`)
    const bornWallMs = this.cluster.clock.wallMs() + (this.jumpedMs.get(seat) ?? 0)
    const port = seat === host ? portOf(host) : portOf(host) + 100
    this.cluster.begin(host, { host: seat, port, seeds, netTickTimeMs }).then(
      (node) => {
        this.starting.delete(seat)
        if (seat !== host && this.isOver) this.cluster.crash(seat)
        else this.onStarted(seat, node, bornWallMs)
      },
      (error: unknown) => {
        this.starting.delete(seat)
        this.note(`${seat} can't start: ${String(error)}`)
        // It may find its own name in use: the crash of its earlier life has not been noticed yet.
        if (seat === host) this.cluster.clock.setTimer(1_000, () => this.begin(host))
      },
    )
  }

  private onStarted(seat: string, node: Node, bornWallMs: number): void {
    const life: Life = {
      name: node.name,
      host: seat,
      incarnation: node.incarnation,
      peers: new Map(),
      endedMs: undefined,
      stalls: [],
      bornWallMs,
    }
    this.note(`${seat} has started as ${node.name}/${node.incarnation}, connected to ${node.nodes().join(' ')}`)
    this.running.set(seat, { life, node })
    node.trace('all', { receive: true, exit: true }, (event) => {
      if (event.type === 'receive') this.onReceive(life, node, event.pid, event.message)
      else if (event.type === 'exit') this.onExit(life, event.pid, event.reason)
    })
    node.self.monitorNodes(true)
    node.exportFunctions({ echo: (_self, given: number) => given })
    this.judge.lifeBegan(life, node.nodes())
    this.spawn(node, life, 'p0', true)
    this.spawn(node, life, 'p1', true)
    this.spawn(node, life, 'p2', false)
  }

  private spawn(node: Node, life: Life, name: string | undefined, trapExit: boolean): void {
    const body = handler((self) => {
      // So that the same number means something in each life of the node.
      this.aliases.push({ ref: self.alias(), pid: self.pid.toString(), isOpen: true })
      return (message: Order) => {
        if (typeof message === 'object' && message.type === 'order') message.run(self)
      }
    })
    const pid = node.spawn(body, name === undefined ? { trapExit } : { trapExit, name })
    this.procs.push(this.judge.spawned(life, pid, name, trapExit))
    this.note(`${life.host} spawns ${pid}`)
  }

  private onReceive(life: Life, node: Node, pid: Pid, message: unknown): void {
    const { type, ...rest } = message as { readonly type: string; readonly [key: string]: unknown }
    if (type === 'order') return
    if (pid.equals(node.self.pid)) {
      const { node: peer, reason = '' } = rest as { node: NodeName; reason?: string }
      this.note(`${life.host} sees ${type} ${peer} ${reason}`)
      this.seen.add(`${type} ${reason}`)
      if (type === 'nodeup' || type === 'nodedown') this.judge.nodeTold(life, type, peer, reason)
      return
    }
    const proc = this.judge.procs.get(pid.toString())
    this.note(`${pid} gets ${type} ${JSON.stringify({ ...rest, pad: undefined })}`)
    this.seen.add(type === 'DOWN' || type === 'EXIT' ? `${type} ${wordOf(rest['reason'])}` : type)
    if (proc !== undefined) this.judge.delivered(proc, message)
  }

  private onExit(life: Life, pid: Pid, reason: ExitReason): void {
    const proc = this.judge.procs.get(pid.toString())
    this.note(`${pid} ends: ${JSON.stringify(reason)}`)
    if (proc !== undefined && life.endedMs === undefined) this.judge.died(proc, reason)
  }

  private end(host: string): void {
    const running = this.running.get(host)
    if (running === undefined) return
    this.running.delete(host)
    this.judge.lifeEnded(running.life)
  }

  private alive(life: Life): Proc[] {
    return this.procs.filter((proc) => proc.life === life && this.judge.isAlive(proc))
  }

  private aliveAt(host: string): Proc[] {
    const running = this.running.get(host)
    return running === undefined ? [] : this.alive(running.life)
  }

  private isUnread(life: Life, peer: NodeName): boolean {
    const forMs = this.stalls.get(life.host)?.forMs ?? 0
    // A short stall is no reason to wait longer.
    if (forMs < this.plan.netTickTimeMs / 8) return false
    const [host = ''] = peer.split('@')
    return this.cluster.network.unread(host, life.host) > 0
  }

  // What processes do

  private order(act: Act, draws: Draws): void {
    const running = pick([...this.running.values()], draws[0])
    if (running === undefined) return
    const proc = pick(this.alive(running.life), draws[1])
    if (proc === undefined) return
    if (act === 'spawn') {
      const free = NAMES.find((name) => running.node.whereis(name) === undefined)
      if (this.alive(running.life).length < 6)
        this.spawn(running.node, running.life, draws[2] < 0.7 ? free : undefined, draws[3] < 0.6)
      return
    }
    this.tell(running.node, proc, (self) => this.act(self, proc, act, draws))
  }

  private tell(node: Node, proc: Proc, run: (self: Context) => void): void {
    node.send(proc.pid, { type: 'order', run } satisfies Order)
  }

  private act(self: Context, proc: Proc, act: Act, draws: Draws): void {
    const target = this.target(proc, draws)
    if (target === undefined) return
    this.note(`${proc.text} is told to ${act}, ${target.text}`)
    this.seen.add(`act ${act}`)
    const { judge } = this
    const { name: node } = target.life
    switch (act) {
      case 'send':
        for (let left = 1 + Math.floor(draws[3] * 5); left > 0; left--) this.sendTo(self, proc, target, 0)
        return
      case 'send_large':
        this.sendTo(self, proc, target, Math.floor(draws[3] * 300_000))
        return
      case 'send_ok':
        this.sendOk(self, proc, target)
        return
      case 'send_name': {
        const name = pick(NAMES, draws[3]) ?? ''
        self.send({ name, node }, judge.stamp(proc, node, `${name} ${node}`, undefined))
        return
      }
      case 'send_alias':
        this.sendToAlias(self, proc, draws)
        return
      case 'exit_signal':
        self.exit(target.pid, { ...judge.stamp(proc, node, target.text, target) })
        return
      case 'monitor':
        this.monitor(self, proc, target)
        return
      case 'monitor_name':
        this.monitorName(self, proc, pick(NAMES, draws[3]) ?? '', node)
        return
      case 'demonitor': {
        const monitor = pick(
          this.monitors.filter(({ by }) => by === proc),
          draws[3],
        )
        if (monitor === undefined) return
        self.demonitor(monitor.ref, { flush: true })
        judge.demonitored(monitor.ref)
        return
      }
      case 'link':
        judge.linked(proc, target)
        self.link(target.pid)
        return
      case 'unlink':
        self.unlink(target.pid)
        judge.unlinked(proc, target)
        return
      case 'tangle':
        this.tangle(proc, target, draws)
        return
      case 'monitor_node':
        judge.nodeMonitored(proc, node)
        self.monitorNode(node, true)
        return
      case 'call':
        this.call(self, proc, node)
        return
      case 'open_alias':
        this.aliases.push({ ref: self.alias(), pid: proc.text, isOpen: true })
        return
      case 'close_alias': {
        const alias = this.aliases.find(({ pid, isOpen }) => pid === proc.text && isOpen)
        if (alias === undefined) return
        alias.isOpen = false
        self.unalias(alias.ref)
        judge.aliasClosed(alias.ref)
        return
      }
      case 'die':
        self.exit(
          pick<ExitReason>(
            [{ died: ++this.lastReason }, { died: ++this.lastReason }, 'normal', 'shutdown'],
            draws[3],
          ) ?? 'normal',
        )
        return
      case 'spawn':
        return
      default:
        assertNever(act)
    }
  }

  /** Mostly one that lives; now and then one that has ended, or is of an earlier life of its node. */
  private target(by: Proc, draws: Draws): Proc | undefined {
    // Those of an earlier life of its own node among them.
    const others = this.procs.filter(({ life }) => life !== by.life)
    const living = others.filter((proc) => proc.life.name !== by.life.name && this.judge.isAlive(proc))
    return pick(
      living.length === 0 || draws[2] > 0.85 ? others : living,
      draws[2] > 0.85 ? (draws[2] - 0.85) / 0.15 : draws[2] / 0.85,
    )
  }

  private sendTo(self: Context, from: Proc, to: Proc, padBytes: number): void {
    const stamp = this.judge.stamp(from, to.life.name, to.text, to)
    self.send(to.pid, padBytes === 0 ? stamp : { ...stamp, pad: new Uint8Array(padBytes) })
  }

  private sendToAlias(self: Context, from: Proc, draws: Draws): void {
    const alias = pick(
      this.aliases.filter(({ ref }) => ref.node !== from.life.name),
      draws[3],
    )
    const owner = this.judge.procs.get(alias?.pid ?? '')
    if (alias === undefined || owner === undefined) return
    self.send(alias.ref, this.judge.stamp(from, owner.life.name, alias.ref.toString(), owner))
  }

  private sendOk(self: Context, from: Proc, to: Proc): void {
    const stamp = this.judge.stamp(from, to.life.name, to.text, to)
    this.awaited(`sendOk of ${from.text}`, self.sendOk(to.pid, stamp), () => this.judge.isAlive(from))
  }

  private call(self: Context, by: Proc, node: NodeName): void {
    const given = ++this.lastCall
    const called = erpc.call(self, node, 'echo', [given], 2_000).then((got) => {
      if (got !== given) this.judge.breach(`call ${given} of ${by.text} gives ${String(got)}`)
      return 'a result'
    })
    this.awaited(`call ${given} of ${by.text}`, called, () => this.judge.isAlive(by))
  }

  private awaited(what: string, promise: Promise<unknown>, isWanted: () => boolean): void {
    const id = ++this.lastPending
    this.pending.set(id, { what, isWanted })
    const settled = (outcome: unknown): void => {
      this.pending.delete(id)
      this.note(`${what} gives ${String(outcome)}`)
    }
    promise.then(settled, settled)
  }

  private monitor(self: Context, by: Proc, target: Proc): void {
    const ref = self.monitor(target.pid)
    this.judge.monitored(by, ref, target.life.name, target)
    this.monitors.push({ ref, by })
  }

  private monitorName(self: Context, by: Proc, name: string, node: NodeName): void {
    const ref = self.monitor({ name, node })
    this.judge.monitored(by, ref, node, undefined)
    this.monitors.push({ ref, by })
  }

  /** Two processes link and unlink each other, again and again, while what they say is on its way. */
  private tangle(a: Proc, b: Proc, draws: Draws): void {
    let bits = Math.floor(draws[3] * 2 ** 20)
    for (let step = 0; step < 10; step++) {
      const [by, to] = (bits & 1) === 0 ? [a, b] : [b, a]
      const isLink = (bits & 2) === 0
      bits >>= 2
      this.later(step * this.plan.latencyMs[1] * 0.3, () => {
        const running = this.running.get(by.life.host)
        if (running?.life !== by.life || !this.judge.isAlive(by)) return
        this.tell(running.node, by, (self) => {
          this.note(`${by.text} ${isLink ? 'links' : 'unlinks'} ${to.text}`)
          if (isLink) this.judge.linked(by, to)
          if (isLink) self.link(to.pid)
          else self.unlink(to.pid)
          if (!isLink) this.judge.unlinked(by, to)
        })
      })
    }
  }

  // What happens to the cluster

  private strike(fault: Fault, draws: Draws): void {
    const { cluster, plan } = this
    const { network } = cluster
    const [a, b] = this.pair(draws)
    const forMs = lasting(draws[2], plan.netTickTimeMs)
    this.seen.add(`fault ${fault}`)
    this.note(`fault: ${fault}, ${a} ${b}, ${forMs.toFixed(1)} ms`)
    switch (fault) {
      case 'cut_one_way':
        network.cut(a, b)
        this.later(forMs, () => network.heal(a, b))
        return
      case 'cut':
        this.cut([[a, b]], forMs)
        return
      case 'isolate':
        this.cut(
          plan.hosts.filter((other) => other !== a).map((other) => [a, other]),
          forMs,
        )
        return
      case 'delay':
        network.setLatency(a, b, draws[3] * 500)
        this.later(forMs, () => network.setLatency(a, b, undefined))
        return
      case 'slow_reader':
        network.setRate(a, b, 2_000 + draws[3] * 200_000)
        this.later(forMs, () => network.setRate(a, b, undefined))
        for (const proc of this.aliveAt(a)) this.flood(proc, b, 3, 400_000)
        return
      case 'reset':
        cluster.break(a, b)
        return
      case 'half_open':
        cluster.break(a, b, { tellMs: { [b]: Infinity } })
        return
      case 'torn_batch':
        this.tear(a, b, draws[3])
        return
      case 'told_late':
        cluster.break(a, b, { arriving: (inFlight) => inFlight * draws[3], tellMs: { [b]: draws[2] * 3_000 } })
        return
      case 'crash':
        this.crash(a, true, draws[2] * 3_000)
        return
      case 'power_failure':
        this.crash(a, false, draws[2] * 8_000)
        return
      case 'roll_back':
        this.rollBack(a, draws)
        return
      case 'stop':
        this.stop(a, draws[2] * 3_000)
        return
      case 'stall':
        this.stall(a, stallMs(draws[2], plan.netTickTimeMs))
        return
      case 'stutter':
        this.stutter(a, b, draws)
        return
      case 'wall_jump':
        this.jumpWallClock(a, draws[2] < 0.5 ? HOUR_MS : -HOUR_MS)
        return
      case 'impostor':
        this.impostor(a, b, forMs)
        return
      case 'disconnect':
        this.disconnect(a, b)
        return
      case 'dial_together':
        cluster.break(a, b)
        this.later(draws[3] * 60, () => {
          this.connect(a, b)
          this.connect(b, a)
        })
        return
      case 'flood':
        this.cut([[a, b]], Math.max(forMs, 200))
        for (let left = 7; left > 0; left--)
          this.later(left * 10, () => {
            // What is sent within one turn is sent, however much that is.
            if ((this.stalls.get(a)?.untilMs ?? 0) >= this.nowMs) return
            for (const proc of this.aliveAt(a).slice(0, 1)) this.flood(proc, b, 1, 5_000_000)
          })
        return
      default:
        assertNever(fault)
    }
  }

  private pair(draws: Draws): [string, string] {
    const { hosts } = this.plan
    const a = Math.floor(draws[0] * hosts.length)
    const b = (a + 1 + Math.floor(draws[1] * (hosts.length - 1))) % hosts.length
    return [hosts[a] ?? '', hosts[b] ?? '']
  }

  private cut(pairs: readonly (readonly [string, string])[], forMs: number): void {
    for (const [a, b] of pairs) this.cluster.partition([a], [b])
    this.later(forMs, () => {
      for (const [a, b] of pairs) {
        this.cluster.network.heal(a, b)
        this.cluster.network.heal(b, a)
      }
    })
  }

  private flood(proc: Proc, host: string, count: number, bytes: number): void {
    const running = this.running.get(proc.life.host)
    const to = this.aliveAt(host)[0]
    if (running?.life !== proc.life || to === undefined) return
    for (let left = count; left > 0; left--) this.tell(running.node, proc, (self) => this.sendTo(self, proc, to, bytes))
    this.tell(running.node, proc, (self) => this.sendOk(self, proc, to))
  }

  /** Several frames are on their way when the link breaks, and some of them arrive. */
  private tear(a: string, b: string, part: number): void {
    const [, slowest] = this.plan.latencyMs
    const sendAll = (): void => {
      for (const [from, to] of [
        [a, b],
        [b, a],
      ] as const) {
        const running = this.running.get(from)
        const target = this.aliveAt(to)[0]
        if (running === undefined || target === undefined) continue
        for (const proc of this.alive(running.life)) {
          this.tell(running.node, proc, (self) => {
            this.sendTo(self, proc, target, 0)
            if (part < 0.5) this.monitor(self, proc, target)
          })
        }
      }
    }
    for (let round = 0; round < 4; round++) this.later((round * slowest) / 4, sendAll)
    this.later(slowest, () => this.cluster.break(a, b, { arriving: (inFlight) => inFlight * part }))
  }

  /** `wallMs`: what the host's wall clock shows when the next life begins; `undefined`: as if nothing had happened to it. */
  private crash(host: string, isTold: boolean, downMs: number, wallMs?: number): void {
    if (!this.running.has(host)) return
    this.cluster.crash(host, { isTold })
    this.end(host)
    this.cluster.clock.setTimer(downMs, () => {
      const jumpedMs = this.jumpedMs.get(host) ?? 0
      if (wallMs !== undefined) this.jumpWallClock(host, wallMs - jumpedMs - this.cluster.clock.wallMs())
      this.begin(host)
    })
  }

  /** Its next life begins at the very time, by its own clock, at which this one has begun; or an hour before that. */
  private rollBack(host: string, draws: Draws): void {
    const life = this.running.get(host)?.life
    if (life !== undefined)
      this.crash(host, true, draws[2] * 1_000, draws[3] < 0.3 ? life.bornWallMs - HOUR_MS : life.bornWallMs)
  }

  private jumpWallClock(host: string, byMs: number): void {
    this.jumpedMs.set(host, (this.jumpedMs.get(host) ?? 0) + byMs)
    this.cluster.jumpWallClock(host, byMs)
  }

  private stop(host: string, downMs: number): void {
    const running = this.running.get(host)
    if (running === undefined) return
    this.awaited(`stop of ${host}`, running.node.stop(), () => true)
    this.end(host)
    this.cluster.clock.setTimer(downMs, () => this.begin(host))
  }

  private stall(host: string, ms: number): void {
    this.stalls.set(host, { forMs: ms, untilMs: this.nowMs + ms })
    this.running.get(host)?.life.stalls.push({ fromMs: this.nowMs, forMs: ms })
    this.stalledUntilMs = Math.max(this.stalledUntilMs, this.nowMs + ms)
    this.cluster.stall(host, ms)
  }

  /** It is held up again and again, so that it never trusts its own watch; meanwhile it hears nothing of the other. */
  private stutter(a: string, b: string, draws: Draws): void {
    const tickMs = this.plan.netTickTimeMs / 4
    const stallMs = tickMs * (0.4 + draws[2])
    const forMs = tickMs * 12
    this.lastsUntilMs = Math.max(this.lastsUntilMs, this.nowMs + forMs)
    this.cluster.network.cut(b, a)
    for (let atMs = 0; atMs < forMs; atMs += stallMs + 2) this.later(atMs, () => this.stall(a, stallMs))
    this.later(forMs, () => this.cluster.network.heal(b, a))
  }

  private impostor(host: string, other: string, forMs: number): void {
    const seat = `${host}x`
    if (this.starting.has(seat) || this.running.has(seat)) return
    // It gets in where the real one is not heard.
    if (forMs > 2_000) this.cut([[host, other]], forMs)
    this.later(forMs / 2, () => {
      if (!this.starting.has(seat) && !this.running.has(seat)) this.begin(host, seat)
    })
    this.later(forMs + 2_000, () => this.dismiss(seat))
  }

  private dismiss(seat: string): void {
    if (!this.running.has(seat)) return
    this.cluster.crash(seat)
    this.end(seat)
  }

  private disconnect(a: string, b: string): void {
    const [one, other] = [this.running.get(a), this.running.get(b)]
    if (one === undefined || other === undefined) return
    this.parted.add(a < b ? `${a} ${b}` : `${b} ${a}`)
    one.node.disconnectNode(other.life.name)
  }

  private connect(a: string, b: string): void {
    const one = this.running.get(a)
    if (one === undefined) return
    const peer = this.running.get(b)?.life.name
    if (peer !== undefined)
      this.awaited(`connectNode of ${a} to ${b}`, one.node.connectNode(peer), () => one.life.endedMs === undefined)
  }

  // The end

  /** No more faults; what was down comes back, and what was parted is brought together. */
  private async recover(): Promise<void> {
    await this.passTo(this.lastsUntilMs)
    this.isOver = true
    this.note('all faults are over')
    this.cluster.heal()
    for (const seat of [...this.running.keys()]) if (!this.plan.hosts.includes(seat)) this.dismiss(seat)
    await this.passTo(Math.max(this.nowMs, this.stalledUntilMs) + RECOVERY_MS / 2)
    for (const [a, b] of this.pairs()) {
      if (!this.parted.has(`${a} ${b}`) || this.isConnected(a, b)) continue
      this.connect(a, b)
      this.connect(b, a)
    }
    await this.passTo(this.nowMs + RECOVERY_MS / 2)
    this.judge.isQuiet = true
    this.note('all is quiet')
    await this.passTo(this.nowMs + QUIET_MS)
  }

  private pairs(): [string, string][] {
    const { hosts } = this.plan
    return hosts.flatMap((a, index) => hosts.slice(index + 1).map((b): [string, string] => [a, b]))
  }

  private isConnected(a: string, b: string): boolean {
    const [one, other] = [this.running.get(a), this.running.get(b)]
    return (
      one !== undefined &&
      other !== undefined &&
      one.node.nodes().includes(other.life.name) &&
      other.node.nodes().includes(one.life.name)
    )
  }

  private async judgeEnd(): Promise<void> {
    const { judge, cluster } = this
    for (const [a, b] of this.pairs()) {
      if (!this.isConnected(a, b)) judge.breach(`${a} and ${b} are not connected`)
      const links = cluster.network.openLinks(a, b)
      if (links !== 1) judge.breach(`${a} and ${b} have ${links} links`)
      this.probe(a, b)
      this.probe(b, a)
    }
    await this.passTo(this.nowMs + 1_000)
    judge.atRest((life, node) => this.running.get(life.host)?.node.nodes().includes(node) === true)
    for (const { what, isWanted } of this.pending.values())
      if (isWanted()) judge.breach(`${what} never comes to an end`)
    this.judgeRelations()
    for (const { level, message, fields } of cluster.log.lines)
      if (level === 'error') judge.breach(`an error was logged: ${message} ${JSON.stringify(fields)}`)
    if (cluster.turns > MAX_TURNS) judge.breach(`${cluster.turns} turns: a livelock`)
    if (cluster.network.dials > MAX_DIALS) judge.breach(`${cluster.network.dials} dials: a livelock`)
    if (cluster.network.mostBufferedBytes > MAX_BUFFERED_BYTES)
      judge.breach(`${cluster.network.mostBufferedBytes} bytes were buffered`)
  }

  /** What is connected can be heard. */
  private probe(a: string, b: string): void {
    const running = this.running.get(a)
    const to = this.aliveAt(b)[0]
    const proc = this.aliveAt(a)[0]
    if (running === undefined || to === undefined || proc === undefined) return
    this.tell(running.node, proc, (self) => this.sendTo(self, proc, to, 0))
  }

  /** Both ends know of the same links and monitors. */
  private judgeRelations(): void {
    const links = new Set<string>()
    const made: string[] = []
    const known: string[] = []
    let byName = 0
    for (const { node } of this.running.values()) {
      for (const pid of node.processes()) {
        const info = node.processInfo(pid)
        for (const other of info?.links ?? []) links.add(`${pid} ${other}`)
        for (const object of info?.monitors ?? []) {
          if ('id' in object) made.push(`${pid} monitors ${object}`)
          else byName++
        }
        for (const watcher of info?.monitoredBy ?? []) known.push(`${watcher} monitors ${pid}`)
      }
    }
    for (const link of links) {
      const [a = '', b = ''] = link.split(' ')
      if (!links.has(`${b} ${a}`)) this.judge.breach(`${a} is linked to ${b}, which knows nothing of it`)
    }
    if (made.length + byName !== known.length || made.some((monitor) => !known.includes(monitor)))
      this.judge.breach(
        `${made.length} monitors by pid and ${byName} by name are open, and ${known.length} are known where they lead`,
      )
  }

  /** Who is disconnected on purpose stays so until somebody wants otherwise. */
  private async judgeHold(): Promise<void> {
    const [a, b] = this.plan.hosts
    const [one, other] = [this.running.get(a ?? ''), this.running.get(b ?? '')]
    if (this.plan.seed % 4 !== 0 || one === undefined || other === undefined) return
    this.note(`${a} disconnects ${b}`)
    this.judge.isQuiet = false
    one.node.disconnectNode(other.life.name)
    await this.passTo(this.nowMs + 8_000)
    if (one.node.nodes().includes(other.life.name) || other.node.nodes().includes(one.life.name))
      this.judge.breach(`${a} and ${b} were disconnected on purpose, and are connected`)
    if (!(await this.cluster.run(one.node.connectNode(other.life.name))))
      this.judge.breach(`${a} can't be connected with ${b} again`)
    await this.passTo(this.nowMs + 1_000)
    if (!this.isConnected(a ?? '', b ?? '')) this.judge.breach(`${a} and ${b} are not connected again`)
  }
}

function pick<T>(items: readonly T[], fraction: number): T | undefined {
  return items[Math.floor(fraction * items.length)]
}

function wordOf(reason: unknown): string {
  return typeof reason === 'string' ? reason : 'of its own'
}

/** Many faults are over at once, some last until they are noticed. */
function lasting(fraction: number, netTickTimeMs: number): number {
  return fraction < 0.4 ? fraction * 500 : netTickTimeMs * (fraction * 2.5 - 0.8)
}

function stallMs(fraction: number, netTickTimeMs: number): number {
  return fraction < 0.4 ? fraction * 1_000 : netTickTimeMs * (fraction * 2.5 - 0.8)
}
