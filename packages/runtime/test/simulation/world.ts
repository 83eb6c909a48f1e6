/**
 * A history as it happens.
 *
 *   plan ─ step ─▶ World ─▶ Acts ── order ─▶ process ─ send, link, monitor … ─▶ judge (what was done)
 *                    └────▶ Faults ─▶ cluster                        trace ─▶ judge (what came of it)
 */
import { Acts } from './acts.ts'
import { Faults } from './faults.ts'
import type { Plan, Step } from './plan.ts'
import { Stage } from './stage.ts'

/** Time for all that the faults have left behind: timeouts, backoffs, pauses after a refusal. */
const RECOVERY_MS = 16_000
const QUIET_MS = 14_000
/** By then all are connected. */
const EARLY_IMPOSTOR_MS = 700
/** Several times what the longest history takes. */
const MAX_TURNS = 2_000
const MAX_DIALS = 300
/** What the connections of a node may have buffered when one of them is full, and one signal more. Two are never flooded at once. */
const MAX_BUFFERED_BYTES = (16 + 9) * 1024 * 1024

export class World {
  readonly stage: Stage
  private readonly acts: Acts
  private readonly faults: Faults

  constructor(plan: Plan) {
    this.stage = new Stage(plan)
    this.acts = new Acts(this.stage)
    this.faults = new Faults(this.stage, this.acts)
  }

  /** Up to the end, or to the first rule that is broken. */
  async play(): Promise<void> {
    const { plan } = this.stage
    for (const host of plan.hosts) this.stage.begin(host)
    // While nothing happens to them, no connection ends.
    this.stage.judge.isQuiet = true
    if (plan.hasEarlyImpostor) this.stage.later(EARLY_IMPOSTOR_MS, () => this.stage.begin('a', 'ax'))
    let isCalm = true
    for (const step of plan.steps) {
      await this.stage.passTo(step.atMs)
      if (this.stage.isBroken) return
      if (isCalm && step.what.type === 'fault') {
        isCalm = false
        this.judgeStart()
        this.stage.judge.isQuiet = false
      }
      this.take(step)
      this.judgeBuffers()
    }
    await this.stage.passTo(plan.endMs)
    await this.recover()
    if (!this.stage.isBroken) await this.judgeEnd()
    if (!this.stage.isBroken) await this.judgeHold()
  }

  /** All have started and dialed each other at the same time. */
  private judgeStart(): void {
    const { dials } = this.stage.cluster.network
    const { hosts, hasEarlyImpostor } = this.stage.plan
    for (const [a, b] of this.stage.pairs())
      if (!this.stage.isConnected(a, b)) this.stage.judge.breach(`${a} and ${b} are not connected from the start`)
    if (dials > hosts.length * (hosts.length - 1 + (hasEarlyImpostor ? 1 : 0)))
      this.stage.judge.breach(`${dials} dials to connect ${hosts.length} nodes`)
    // Before a node has started nobody there can be told of it.
    for (const { message, fields } of this.stage.cluster.log.lines)
      if (message === 'node down' && fields['reason'] !== 'shutdown')
        this.stage.judge.breach(`a connection was lost at the start: ${JSON.stringify(fields)}`)
    if (this.stage.running.has('ax')) this.stage.judge.breach(`an impostor of a has started, though a is heard by all`)
  }

  private take({ what, draws }: Step): void {
    if (what.type === 'act') this.acts.order(what.act, draws)
    else this.faults.strike(what.fault, draws)
  }

  /** No more faults; what was down comes back, and what was parted is brought together. */
  private async recover(): Promise<void> {
    await this.stage.passTo(this.faults.lastsUntilMs)
    this.stage.isOver = true
    this.stage.note('all faults are over')
    this.stage.cluster.heal()
    for (const seat of [...this.stage.running.keys()])
      if (!this.stage.plan.hosts.includes(seat)) this.faults.dismiss(seat)
    await this.stage.passTo(Math.max(this.stage.nowMs, this.faults.stalledUntilMs) + RECOVERY_MS / 2)
    for (const [a, b] of this.stage.pairs()) {
      if (!this.faults.parted.has(`${a} ${b}`) || this.stage.isConnected(a, b)) continue
      this.faults.connect(a, b)
      this.faults.connect(b, a)
    }
    await this.stage.passTo(this.stage.nowMs + RECOVERY_MS / 2)
    this.stage.judge.isQuiet = true
    this.stage.note('all is quiet')
    await this.stage.passTo(this.stage.nowMs + QUIET_MS)
  }

  private async judgeEnd(): Promise<void> {
    const { judge, cluster } = this.stage
    for (const [a, b] of this.stage.pairs()) {
      if (!this.stage.isConnected(a, b)) judge.breach(`${a} and ${b} are not connected`)
      const links = cluster.network.openLinks(a, b)
      if (links !== 1) judge.breach(`${a} and ${b} have ${links} links`)
      this.probe(a, b)
      this.probe(b, a)
    }
    await this.stage.passTo(this.stage.nowMs + 1_000)
    judge.atRest((life, node) => this.stage.running.get(life.host)?.node.nodes().includes(node) === true)
    for (const { what, isWanted } of this.stage.pending.values())
      if (isWanted()) judge.breach(`${what} never comes to an end`)
    this.judgeRelations()
    for (const { level, message, fields } of cluster.log.lines)
      if (level === 'error') judge.breach(`an error was logged: ${message} ${JSON.stringify(fields)}`)
    if (cluster.turns > MAX_TURNS) judge.breach(`${cluster.turns} turns: a livelock`)
    if (cluster.network.dials > MAX_DIALS) judge.breach(`${cluster.network.dials} dials: a livelock`)
  }

  private judgeBuffers(): void {
    for (const { node } of this.stage.running.values()) {
      const { bufferedBytes } = node.counters()
      if (bufferedBytes > MAX_BUFFERED_BYTES)
        this.stage.judge.breach(`${node.name} has ${bufferedBytes} bytes buffered`)
    }
  }

  /** What is connected can be heard. */
  private probe(a: string, b: string): void {
    const running = this.stage.running.get(a)
    const to = this.stage.aliveAt(b)[0]
    const proc = this.stage.aliveAt(a)[0]
    if (running === undefined || to === undefined || proc === undefined) return
    this.stage.tell(running.node, proc, (self) => this.acts.sendTo(self, proc, to, 0))
  }

  /** Both ends know of the same links and monitors. */
  private judgeRelations(): void {
    const links = new Set<string>()
    const made: string[] = []
    const known: string[] = []
    let byName = 0
    for (const { node } of this.stage.running.values()) {
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
      if (!links.has(`${b} ${a}`)) this.stage.judge.breach(`${a} is linked to ${b}, which knows nothing of it`)
    }
    if (made.length + byName !== known.length || made.some((monitor) => !known.includes(monitor)))
      this.stage.judge.breach(
        `${made.length} monitors by pid and ${byName} by name are open, and ${known.length} are known where they lead`,
      )
  }

  /** Who is disconnected on purpose stays so until somebody wants otherwise. */
  private async judgeHold(): Promise<void> {
    const [a, b] = this.stage.plan.hosts
    const [one, other] = [this.stage.running.get(a ?? ''), this.stage.running.get(b ?? '')]
    if (this.stage.plan.seed % 4 !== 0 || one === undefined || other === undefined) return
    this.stage.note(`${a} disconnects ${b}`)
    this.stage.judge.isQuiet = false
    one.node.disconnectNode(other.life.name)
    await this.stage.passTo(this.stage.nowMs + 8_000)
    if (one.node.nodes().includes(other.life.name) || other.node.nodes().includes(one.life.name))
      this.stage.judge.breach(`${a} and ${b} were disconnected on purpose, and are connected`)
    if (!(await this.stage.cluster.run(one.node.connectNode(other.life.name))))
      this.stage.judge.breach(`${a} can't be connected with ${b} again`)
    await this.stage.passTo(this.stage.nowMs + 1_000)
    if (!this.stage.isConnected(a ?? '', b ?? '')) this.stage.judge.breach(`${a} and ${b} are not connected again`)
  }
}
