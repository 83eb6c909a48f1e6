/**
 * What processes do: each tells the judge what it is about to do, or has done.
 */
import { assertNever, erpc, type Context, type ExitReason, type NodeName, type Ref } from '@pidmesh/runtime'
import type { Proc } from './judge.ts'
import { pick, type Act, type Draws } from './plan.ts'
import type { Stage } from './stage.ts'

interface Monitor {
  readonly ref: Ref
  readonly by: Proc
}

const NAMES = ['p0', 'p1', 'p2', 'p3', 'p4']

export class Acts {
  private readonly stage: Stage
  private readonly monitors: Monitor[] = []
  private lastReason = 0
  private lastCall = 0

  constructor(stage: Stage) {
    this.stage = stage
  }

  order(act: Act, draws: Draws): void {
    const running = pick([...this.stage.running.values()], draws[0])
    if (running === undefined) return
    const proc = pick(this.stage.alive(running.life), draws[1])
    if (proc === undefined) return
    if (act === 'spawn') {
      const free = NAMES.find((name) => running.node.whereis(name) === undefined)
      if (this.stage.alive(running.life).length < 6)
        this.stage.spawn(running.node, running.life, draws[2] < 0.7 ? free : undefined, draws[3] < 0.6)
      return
    }
    this.stage.tell(running.node, proc, (self) => this.act(self, proc, act, draws))
  }

  private act(self: Context, proc: Proc, act: Act, draws: Draws): void {
    const target = this.target(proc, draws)
    if (target === undefined) return
    this.stage.note(`${proc.text} is told to ${act}, ${target.text}`)
    this.stage.seen.add(`act ${act}`)
    const { judge } = this.stage
    const { name: node } = target.life
    switch (act) {
      case 'send':
        // Now and then so many that they are taken in by pieces.
        for (let left = draws[3] < 0.9 ? 1 + Math.floor(draws[3] * 5) : 100; left > 0; left--)
          this.sendTo(self, proc, target, 0)
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
        this.stage.aliases.push({ ref: self.alias(), pid: proc.text, isOpen: true })
        return
      case 'close_alias': {
        const alias = this.stage.aliases.find(({ pid, isOpen }) => pid === proc.text && isOpen)
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
    const others = this.stage.procs.filter(({ life }) => life !== by.life)
    const living = others.filter((proc) => proc.life.name !== by.life.name && this.stage.judge.isAlive(proc))
    return pick(
      living.length === 0 || draws[2] > 0.85 ? others : living,
      draws[2] > 0.85 ? (draws[2] - 0.85) / 0.15 : draws[2] / 0.85,
    )
  }

  sendTo(self: Context, from: Proc, to: Proc, padBytes: number): void {
    const stamp = this.stage.judge.stamp(from, to.life.name, to.text, to)
    self.send(to.pid, padBytes === 0 ? stamp : { ...stamp, pad: new Uint8Array(padBytes) })
  }

  private sendToAlias(self: Context, from: Proc, draws: Draws): void {
    const alias = pick(
      this.stage.aliases.filter(({ ref }) => ref.node !== from.life.name),
      draws[3],
    )
    const owner = this.stage.judge.procs.get(alias?.pid ?? '')
    if (alias === undefined || owner === undefined) return
    self.send(alias.ref, this.stage.judge.stamp(from, owner.life.name, alias.ref.toString(), owner))
  }

  sendOk(self: Context, from: Proc, to: Proc): void {
    const stamp = this.stage.judge.stamp(from, to.life.name, to.text, to)
    this.stage.awaited(`sendOk of ${from.text}`, self.sendOk(to.pid, stamp), () => this.stage.judge.isAlive(from))
  }

  private call(self: Context, by: Proc, node: NodeName): void {
    const given = ++this.lastCall
    const called = erpc.call(self, node, 'echo', [given], 2_000).then((got) => {
      if (got !== given) this.stage.judge.breach(`call ${given} of ${by.text} gives ${String(got)}`)
      return 'a result'
    })
    this.stage.awaited(`call ${given} of ${by.text}`, called, () => this.stage.judge.isAlive(by))
  }

  monitor(self: Context, by: Proc, target: Proc): void {
    const ref = self.monitor(target.pid)
    this.stage.judge.monitored(by, ref, target.life.name, target)
    this.monitors.push({ ref, by })
  }

  private monitorName(self: Context, by: Proc, name: string, node: NodeName): void {
    const ref = self.monitor({ name, node })
    this.stage.judge.monitored(by, ref, node, undefined)
    this.monitors.push({ ref, by })
  }

  /** Two processes link and unlink each other, again and again, while what they say is on its way. */
  private tangle(a: Proc, b: Proc, draws: Draws): void {
    let bits = Math.floor(draws[3] * 2 ** 20)
    for (let step = 0; step < 10; step++) {
      const [by, to] = (bits & 1) === 0 ? [a, b] : [b, a]
      const isLink = (bits & 2) === 0
      bits >>= 2
      this.stage.later(step * this.stage.plan.latencyMs[1] * 0.3, () => {
        const running = this.stage.running.get(by.life.host)
        if (running?.life !== by.life || !this.stage.judge.isAlive(by)) return
        this.stage.tell(running.node, by, (self) => {
          this.stage.note(`${by.text} ${isLink ? 'links' : 'unlinks'} ${to.text}`)
          if (isLink) this.stage.judge.linked(by, to)
          if (isLink) self.link(to.pid)
          else self.unlink(to.pid)
          if (!isLink) this.stage.judge.unlinked(by, to)
        })
      })
    }
  }

  flood(proc: Proc, host: string, count: number, bytes: number): void {
    const running = this.stage.running.get(proc.life.host)
    const to = this.stage.aliveAt(host)[0]
    if (running?.life !== proc.life || to === undefined) return
    for (let left = count; left > 0; left--)
      this.stage.tell(running.node, proc, (self) => this.sendTo(self, proc, to, bytes))
    this.stage.tell(running.node, proc, (self) => this.sendOk(self, proc, to))
  }
}
