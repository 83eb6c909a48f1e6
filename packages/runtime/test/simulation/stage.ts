/**
 * What a history takes place on: a cluster, its nodes with the processes on them, and the judge, who is told of all that happens.
 *
 * Everything is seen through public API (a trace of all processes, `monitorNodes`) and at the transport's seam.
 */
import {
  assertNever,
  handler,
  nodeName,
  type Context,
  type ExitReason,
  type Node,
  type NodeName,
  type Pid,
  type Ref,
} from '@pidmesh/runtime'
import { TestCluster } from '@pidmesh/runtime/testing'
import { Judge, type Life, type Proc } from './judge.ts'
import type { Plan } from './plan.ts'

export interface Running {
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

/** Without time going on. */
const MAX_TURNS_AT_ONCE = 20_000

export class Stage {
  readonly plan: Plan
  readonly cluster: TestCluster
  readonly judge: Judge
  readonly lines: string[] = []
  /** Acts, faults, and what came of them. */
  readonly seen: Set<string> = new Set()
  /** The nodes that have started, by their host. */
  readonly running: Map<string, Running> = new Map()
  /** Hosts whose node is being started. */
  readonly starting: Set<string> = new Set()
  /** All that ever were. */
  readonly procs: Proc[] = []
  readonly aliases: Alias[] = []
  /** What is being waited for. */
  readonly pending: Map<number, { readonly what: string; readonly isWanted: () => boolean }> = new Map()
  /** The last of each host. */
  readonly stalls: Map<string, { readonly forMs: number; readonly untilMs: number }> = new Map()
  /** No more faults. */
  isOver = false
  /** By how much each host's wall clock has been put on. */
  private readonly jumpedMs = new Map<string, number>()
  private lastPending = 0

  constructor(plan: Plan) {
    this.plan = plan
    const { seed, latencyMs, socketBytes } = plan
    this.cluster = new TestCluster({ seed, latencyMs, socketBytes, maxTurns: MAX_TURNS_AT_ONCE })
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

  get nowMs(): number {
    return this.cluster.clock.monotonicMs()
  }

  /** A rule is broken: no need to go on. */
  get isBroken(): boolean {
    return this.judge.broken.length > 0
  }

  note(what: string): void {
    this.lines.push(`${this.nowMs.toFixed(3)} ${what}`)
  }

  async passTo(atMs: number): Promise<void> {
    if (atMs > this.nowMs) await this.cluster.advance(atMs - this.nowMs)
    else await this.cluster.settle()
  }

  later(ms: number, run: () => void): void {
    this.cluster.clock.setTimer(ms, () => {
      if (!this.isOver) run()
    })
  }

  begin(host: string, seat: string = host): void {
    const { hosts, netTickTimeMs } = this.plan
    this.starting.add(seat)
    this.note(`${seat} starts`)
    const portOf = (other: string): number => 30_001 + hosts.indexOf(other)
    const seeds = hosts.map((other) => `127.0.0.1:${portOf(other)}`)
    const bornWallMs = this.wallMs(seat)
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

  spawn(node: Node, life: Life, name: string | undefined, trapExit: boolean): void {
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

  end(host: string): void {
    const running = this.running.get(host)
    if (running === undefined) return
    this.running.delete(host)
    this.judge.lifeEnded(running.life)
  }

  alive(life: Life): Proc[] {
    return this.procs.filter((proc) => proc.life === life && this.judge.isAlive(proc))
  }

  aliveAt(host: string): Proc[] {
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

  tell(node: Node, proc: Proc, run: (self: Context) => void): void {
    node.send(proc.pid, { type: 'order', run } satisfies Order)
  }

  awaited(what: string, promise: Promise<unknown>, isWanted: () => boolean): void {
    const id = ++this.lastPending
    this.pending.set(id, { what, isWanted })
    const settled = (outcome: unknown): void => {
      this.pending.delete(id)
      this.note(`${what} gives ${String(outcome)}`)
    }
    promise.then(settled, settled)
  }

  pairs(): [string, string][] {
    const { hosts } = this.plan
    return hosts.flatMap((a, index) => hosts.slice(index + 1).map((b): [string, string] => [a, b]))
  }

  isConnected(a: string, b: string): boolean {
    const [one, other] = [this.running.get(a), this.running.get(b)]
    return (
      one !== undefined &&
      other !== undefined &&
      one.node.nodes().includes(other.life.name) &&
      other.node.nodes().includes(one.life.name)
    )
  }

  jumpWallClock(host: string, byMs: number): void {
    this.jumpedMs.set(host, (this.jumpedMs.get(host) ?? 0) + byMs)
    this.cluster.jumpWallClock(host, byMs)
  }

  /** What the host's wall clock shows. */
  wallMs(host: string): number {
    return this.cluster.clock.wallMs() + (this.jumpedMs.get(host) ?? 0)
  }
}

function wordOf(reason: unknown): string {
  return typeof reason === 'string' ? reason : 'of its own'
}
