/**
 * What happens to the cluster.
 */
import { assertNever } from '@pidmesh/runtime'
import type { Acts } from './acts.ts'
import type { Draws, Fault } from './plan.ts'
import type { Stage } from './stage.ts'

const HOUR_MS = 3_600_000

export class Faults {
  /** Pairs of hosts whose nodes were disconnected on purpose. */
  readonly parted: Set<string> = new Set()
  stalledUntilMs = 0
  /** A fault that means nothing before it is over lasts until then. */
  lastsUntilMs = 0
  private readonly stage: Stage
  private readonly acts: Acts

  constructor(stage: Stage, acts: Acts) {
    this.stage = stage
    this.acts = acts
  }

  strike(fault: Fault, draws: Draws): void {
    const { cluster, plan } = this.stage
    const { network } = cluster
    const [a, b] = this.pair(draws)
    const forMs = lasting(draws[2], plan.netTickTimeMs)
    this.stage.seen.add(`fault ${fault}`)
    this.stage.note(`fault: ${fault}, ${a} ${b}, ${forMs.toFixed(1)} ms`)
    switch (fault) {
      case 'cut_one_way':
        network.cut(a, b)
        this.stage.later(forMs, () => network.heal(a, b))
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
        this.stage.later(forMs, () => network.setLatency(a, b, undefined))
        return
      case 'slow_reader':
        network.setRate(a, b, 2_000 + draws[3] * 200_000)
        this.stage.later(forMs, () => network.setRate(a, b, undefined))
        for (const proc of this.stage.aliveAt(a)) this.acts.flood(proc, b, 3, 400_000)
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
        this.stage.jumpWallClock(a, draws[2] < 0.5 ? HOUR_MS : -HOUR_MS)
        return
      case 'impostor':
        this.impostor(a, b, forMs)
        return
      case 'disconnect':
        this.disconnect(a, b)
        return
      case 'dial_together':
        cluster.break(a, b)
        this.stage.later(draws[3] * 60, () => {
          this.connect(a, b)
          this.connect(b, a)
        })
        return
      case 'flood':
        this.cut([[a, b]], Math.max(forMs, 200))
        for (let left = 7; left > 0; left--)
          this.stage.later(left * 10, () => {
            for (const proc of this.stage.aliveAt(a).slice(0, 1)) this.acts.flood(proc, b, 1, 5_000_000)
          })
        return
      default:
        assertNever(fault)
    }
  }

  private pair(draws: Draws): [string, string] {
    const { hosts } = this.stage.plan
    const a = Math.floor(draws[0] * hosts.length)
    const b = (a + 1 + Math.floor(draws[1] * (hosts.length - 1))) % hosts.length
    return [hosts[a] ?? '', hosts[b] ?? '']
  }

  private cut(pairs: readonly (readonly [string, string])[], forMs: number): void {
    for (const [a, b] of pairs) this.stage.cluster.partition([a], [b])
    this.stage.later(forMs, () => {
      for (const [a, b] of pairs) {
        this.stage.cluster.network.heal(a, b)
        this.stage.cluster.network.heal(b, a)
      }
    })
  }

  /** Several frames are on their way when the link breaks, and some of them arrive. */
  private tear(a: string, b: string, part: number): void {
    const [, slowest] = this.stage.plan.latencyMs
    const sendAll = (): void => {
      for (const [from, to] of [
        [a, b],
        [b, a],
      ] as const) {
        const running = this.stage.running.get(from)
        const target = this.stage.aliveAt(to)[0]
        if (running === undefined || target === undefined) continue
        for (const proc of this.stage.alive(running.life)) {
          this.stage.tell(running.node, proc, (self) => {
            this.acts.sendTo(self, proc, target, 0)
            if (part < 0.5) this.acts.monitor(self, proc, target)
          })
        }
      }
    }
    for (let round = 0; round < 4; round++) this.stage.later((round * slowest) / 4, sendAll)
    this.stage.later(slowest, () => this.stage.cluster.break(a, b, { arriving: (inFlight) => inFlight * part }))
  }

  /** `wallMs`: what the host's wall clock shows when the next life begins; `undefined`: as if nothing had happened to it. */
  private crash(host: string, isTold: boolean, downMs: number, wallMs?: number): void {
    if (!this.stage.running.has(host)) return
    this.stage.cluster.crash(host, { isTold })
    this.stage.end(host)
    this.stage.cluster.clock.setTimer(downMs, () => {
      if (wallMs !== undefined) this.stage.jumpWallClock(host, wallMs - this.stage.wallMs(host))
      this.stage.begin(host)
    })
  }

  /** Its next life begins at the very time, by its own clock, at which this one has begun; or an hour before that. */
  private rollBack(host: string, draws: Draws): void {
    const life = this.stage.running.get(host)?.life
    if (life !== undefined)
      this.crash(host, true, draws[2] * 1_000, draws[3] < 0.3 ? life.bornWallMs - HOUR_MS : life.bornWallMs)
  }

  private stop(host: string, downMs: number): void {
    const running = this.stage.running.get(host)
    if (running === undefined) return
    this.stage.awaited(`stop of ${host}`, running.node.stop(), () => true)
    this.stage.end(host)
    this.stage.cluster.clock.setTimer(downMs, () => this.stage.begin(host))
  }

  private stall(host: string, ms: number): void {
    this.stage.stalls.set(host, { forMs: ms, untilMs: this.stage.nowMs + ms })
    this.stage.running.get(host)?.life.stalls.push({ fromMs: this.stage.nowMs, forMs: ms })
    this.stalledUntilMs = Math.max(this.stalledUntilMs, this.stage.nowMs + ms)
    this.stage.cluster.stall(host, ms)
  }

  /** It is held up again and again, so that it never trusts its own watch; meanwhile it hears nothing of the other. */
  private stutter(a: string, b: string, draws: Draws): void {
    const tickMs = this.stage.plan.netTickTimeMs / 4
    const stallMs = tickMs * (0.4 + draws[2])
    const forMs = tickMs * 12
    this.lastsUntilMs = Math.max(this.lastsUntilMs, this.stage.nowMs + forMs)
    this.stage.cluster.network.cut(b, a)
    for (let atMs = 0; atMs < forMs; atMs += stallMs + 2) this.stage.later(atMs, () => this.stall(a, stallMs))
    this.stage.later(forMs, () => this.stage.cluster.network.heal(b, a))
  }

  private impostor(host: string, other: string, forMs: number): void {
    const seat = `${host}x`
    if (this.stage.starting.has(seat) || this.stage.running.has(seat)) return
    // It gets in where the real one is not heard.
    if (forMs > 2_000) this.cut([[host, other]], forMs)
    this.stage.later(forMs / 2, () => {
      if (!this.stage.starting.has(seat) && !this.stage.running.has(seat)) this.stage.begin(host, seat)
    })
    this.stage.later(forMs + 2_000, () => this.dismiss(seat))
  }

  dismiss(seat: string): void {
    if (!this.stage.running.has(seat)) return
    this.stage.cluster.crash(seat)
    this.stage.end(seat)
  }

  private disconnect(a: string, b: string): void {
    const [one, other] = [this.stage.running.get(a), this.stage.running.get(b)]
    if (one === undefined || other === undefined) return
    this.parted.add(a < b ? `${a} ${b}` : `${b} ${a}`)
    one.node.disconnectNode(other.life.name)
  }

  connect(a: string, b: string): void {
    const one = this.stage.running.get(a)
    if (one === undefined) return
    const peer = this.stage.running.get(b)?.life.name
    if (peer !== undefined)
      this.stage.awaited(
        `connectNode of ${a} to ${b}`,
        one.node.connectNode(peer),
        () => one.life.endedMs === undefined,
      )
  }
}

/** Many faults are over at once, some last until they are noticed. */
function lasting(fraction: number, netTickTimeMs: number): number {
  return fraction < 0.4 ? fraction * 500 : netTickTimeMs * (fraction * 2.5 - 0.8)
}

function stallMs(fraction: number, netTickTimeMs: number): number {
  return fraction < 0.4 ? fraction * 1_000 : netTickTimeMs * (fraction * 2.5 - 0.8)
}
