/**
 * A history as it happens.
 *
 *   plan ─ step ─▶ World ─▶ Acts ─▶ members ─ what their replicas do ─▶ judge
 *                    └────▶ Faults ─▶ cluster
 */
import { handler, hasType, type Node } from '@pidmesh/runtime'
import { seededRandom, TestCluster } from '@pidmesh/runtime/testing'
import { Acts } from './acts.ts'
import { isConverged, judgeEnd } from './end.ts'
import { Faults } from './faults.ts'
import { Judge } from './judge.ts'
import { Member, TIGHT_ROWS } from './member.ts'
import type { Plan } from './plan.ts'

/** Longer than a node is kept in mind that is gone. */
const LONG_MS = 66_000
/** Reconnects, ticks, and the sums that are compared every tenth tick. */
const MAX_RECOVERY_MS = 40_000
/** One who was refused is asked again after a minute. */
const REFUSED_RECOVERY_MS = 150_000
/** Without time going on. */
const MAX_TURNS_AT_ONCE = 20_000
const MAX_TURNS = 40_000

export class World {
  readonly plan: Plan
  readonly cluster: TestCluster
  readonly judge: Judge
  readonly lines: string[] = []
  /** The nodes that run and have their part in the table, by their hosts. */
  readonly members: Map<string, Member> = new Map()
  /** In the order of what happens: the same in each playing of a history. */
  readonly random
  readonly stalledUntilMs: Map<string, number> = new Map()
  readonly acts: Acts
  /** No more faults. */
  isOver = false
  private readonly faults: Faults

  constructor(plan: Plan) {
    this.plan = plan
    this.cluster = new TestCluster({ seed: plan.seed, latencyMs: plan.latencyMs, maxTurns: MAX_TURNS_AT_ONCE })
    this.judge = new Judge(plan, (what) => this.note(what))
    this.random = seededRandom(plan.seed * 31 + 7)
    this.acts = new Acts(this)
    this.faults = new Faults(this)
  }

  get nowMs(): number {
    return this.cluster.clock.monotonicMs()
  }

  note(what: string): void {
    this.lines.push(`${this.nowMs.toFixed(3)} ${what}`)
  }

  later(ms: number, run: () => void): void {
    this.cluster.clock.setTimer(ms, () => {
      if (!this.isOver) run()
    })
  }

  /** Up to the end, or to the first rule that is broken. */
  async play(): Promise<void> {
    const { plan } = this
    for (const host of plan.hosts) this.begin(host)
    for (const { atMs, what, draws } of plan.steps) {
      await this.passTo(atMs)
      if (this.isBroken) return
      if (what.type === 'act') this.acts.order(what.act, draws)
      else this.faults.strike(what.fault, draws)
    }
    await this.passTo(plan.endMs)
    if (plan.isTight) await this.overfill()
    if (plan.isLong) await this.passTo(this.nowMs + LONG_MS)
    if (!this.isBroken) await this.recover()
    if (this.isBroken) return
    judgeEnd(this.judge, [...this.members.values()], plan)
    this.judgeLog()
  }

  get isBroken(): boolean {
    return this.judge.broken.length > 0
  }

  begin(host: string): void {
    const { hosts, netTickTimeMs } = this.plan
    const portOf = (other: string): number => 30_001 + hosts.indexOf(other)
    const seeds = hosts.map((other) => `127.0.0.1:${portOf(other)}`)
    this.note(`${host} starts`)
    this.cluster
      .begin(host, { port: portOf(host), seeds, netTickTimeMs })
      .then((node) => this.join(host, node))
      .catch((error: unknown) => {
        this.note(`${host} can't start: ${String(error)}`)
        // It may find its own name in use: the end of its earlier life has not been noticed yet.
        this.cluster.clock.setTimer(500, () => this.begin(host))
      })
  }

  end(host: string): void {
    const member = this.members.get(host)
    if (member === undefined) return
    this.members.delete(host)
    this.judge.ended.add(member)
  }

  async join(host: string, node: Node): Promise<void> {
    const member = await Member.start(host, node, this.plan, this.judge)
    this.judge.began(member)
    this.members.set(host, member)
    this.note(`${host} has started as ${node.name}/${node.incarnation}`)
    node.spawn(
      handler((self) => {
        self.monitorNodes(true)
        return (message) => this.onNodeMessage(member, message)
      }),
    )
    if (this.random.fraction() < 0.5) this.acts.registerNew(member, 'start')
  }

  private onNodeMessage(member: Member, message: unknown): void {
    if (hasType(message, 'nodedown')) this.note(`${member.host}: nodedown ${String(message.node)}`)
    if (!hasType(message, 'nodeup') || this.isOver || this.judge.ended.has(member)) return
    if (this.random.fraction() < 0.3) this.acts.registerNew(member, 'nodeup')
  }

  private async passTo(atMs: number): Promise<void> {
    if (atMs > this.nowMs) await this.cluster.advance(atMs - this.nowMs)
    else await this.cluster.settle()
    for (const member of this.members.values()) {
      this.judge.look(member)
      if ((this.stalledUntilMs.get(member.host) ?? -1) < this.nowMs) this.judge.judgeWatches(member)
    }
  }

  /** One node has more than the others take of it. */
  private async overfill(): Promise<void> {
    const [member] = this.members.values()
    if (member !== undefined) this.acts.registerMany(member, TIGHT_ROWS * 2)
    await this.passTo(this.nowMs + 200)
  }

  /** What was down comes back, what was parted meets, and time passes until all have come to the same, or too much of it has passed. */
  private async recover(): Promise<void> {
    const { plan, cluster } = this
    this.isOver = true
    this.note('all faults are over')
    cluster.heal()
    this.faults.allComeBack()
    for (const member of this.members.values()) member.losesDelta = false
    if (plan.isTight && (plan.kind === 'groups' || plan.seed % 4 < 2))
      for (const member of this.members.values()) this.acts.shrink(member)
    // One that is stalled is lost later, and one that was cut off too.
    await this.passTo(Math.max(this.nowMs, ...this.stalledUntilMs.values()) + plan.netTickTimeMs * 1.5)
    const untilMs = this.nowMs + (plan.isTight ? REFUSED_RECOVERY_MS : MAX_RECOVERY_MS)
    while (this.nowMs < untilMs && !this.isBroken) {
      await this.passTo(this.nowMs + 500)
      if (this.members.size === plan.hosts.length && isConverged([...this.members.values()], plan)) break
    }
    this.note('all is quiet')
    await this.passTo(this.nowMs + 200)
    if (this.members.size < plan.hosts.length) this.judge.breach('not all nodes have come back')
    if (cluster.turns > MAX_TURNS) this.judge.breach(`${cluster.turns} turns: a livelock`)
  }

  private judgeLog(): void {
    for (const { level, message, fields } of this.cluster.log.lines) {
      if (level !== 'error') continue
      if (message === 'the table server has ended and is started again' && this.faults.serversKilled > 0) continue
      if (message === 'what a node has in the table is refused' && this.plan.isTight) continue
      this.judge.breach(`an error was logged: ${message} ${JSON.stringify(fields)}`)
    }
  }
}
