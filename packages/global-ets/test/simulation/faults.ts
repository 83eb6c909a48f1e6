/**
 * What happens to the cluster.
 */
import { assertNever, type TimerHandle } from '@pidmesh/runtime'
import type { Member } from './member.ts'
import { pick, type Draws, type Fault } from './plan.ts'
import type { World } from './world.ts'

const SERVER = 'pidmesh_global_ets:default'
/** Some frames take so long where they come one by one. */
const SLOW_MS = 300
const KINDS = ['hello', 'hello', 'hello', 'snapshot_begin', 'snapshot_chunk', 'delta', 'resume'] as const
/** A fault lasts so long if it is to outlast what is kept of a node that is gone: until all are over. */
const FOR_EVER_MS = 1_000_000
/** Longer than anything is kept of a node that is gone. */
const LONG_DOWN_MS = 66_000

export class Faults {
  serversKilled = 0
  /** Nodes that are down, and when they come back. */
  private readonly away = new Map<string, TimerHandle>()
  private readonly world: World

  constructor(world: World) {
    this.world = world
  }

  strike(fault: Fault, draws: Draws): void {
    const { cluster, plan, judge } = this.world
    const { network } = cluster
    const [a, b] = this.pair(draws)
    const forMs = plan.isLong ? FOR_EVER_MS : lasting(draws[2], plan.netTickTimeMs)
    judge.count(`fault ${fault}`)
    this.world.note(`fault: ${fault}, ${a} ${b}, ${forMs.toFixed(1)} ms`)
    switch (fault) {
      case 'cut_one_way':
        network.cut(a, b)
        this.world.later(forMs, () => network.heal(a, b))
        return
      case 'cut':
        this.cut(a, [b], forMs)
        return
      case 'isolate':
        this.cut(
          a,
          plan.hosts.filter((other) => other !== a),
          forMs,
        )
        return
      case 'delay':
        network.setLatency(a, b, draws[3] * 500)
        this.world.later(forMs, () => network.setLatency(a, b, undefined))
        return
      case 'slow_reader':
        this.flood(a, b, forMs, draws)
        return
      case 'reset':
        cluster.break(a, b)
        return
      case 'torn_batch':
        cluster.break(a, b, { arriving: (inFlight) => Math.ceil(inFlight * draws[3]), tellMs: { [b]: draws[2] * 4 } })
        return
      case 'half_open':
        cluster.break(a, b, { tellMs: { [b]: draws[3] < 0.5 ? Infinity : draws[2] * 1_000 } })
        return
      case 'crash':
        this.crash(a, true, plan.isLong ? forMs : draws[2] * 2_000)
        return
      case 'power_failure':
        this.crash(a, false, plan.isLong ? forMs : draws[2] * 4_000)
        return
      case 'stop':
        this.stop(a, draws[2] * 2_000)
        return
      case 'stall': {
        const ms = draws[2] < 0.5 ? draws[2] * 500 : draws[2] * 1.5 * plan.netTickTimeMs
        this.world.stalledUntilMs.set(a, Math.max(this.world.stalledUntilMs.get(a) ?? 0, this.world.nowMs + ms))
        cluster.stall(a, ms)
        return
      }
      case 'server_crash':
        this.killServer(a)
        return
      case 'server_crash_twice':
        this.killServer(a)
        this.world.later(draws[2] * 30, () => this.killServer(a))
        if (draws[3] < 0.5) this.world.later(draws[3] * 30, () => this.killServer(b))
        return
      case 'table_restart':
        this.restartTable(a)
        return
      case 'rot':
        this.rot(a, draws)
        return
      case 'in_the_midst':
        // Somebody comes who has nothing yet, and there is much to be sent.
        if (draws[3] < 0.5) {
          for (const member of this.world.members.values()) this.world.acts.registerMany(member, 10)
          this.crash(a, true, draws[2] * 200)
        }
        this.inTheMidst(draws)
        return
      default:
        assertNever(fault)
    }
  }

  private pair(draws: Draws): [string, string] {
    const { hosts } = this.world.plan
    const a = Math.floor(draws[0] * hosts.length)
    const b = (a + 1 + Math.floor(draws[1] * (hosts.length - 1))) % hosts.length
    return [hosts[a] ?? '', hosts[b] ?? '']
  }

  private cut(host: string, others: readonly string[], forMs: number): void {
    const { cluster } = this.world
    cluster.partition([host], others)
    this.world.later(forMs, () => {
      for (const other of others) {
        cluster.network.heal(host, other)
        cluster.network.heal(other, host)
      }
    })
  }

  /** More than the connection takes at once is sent on it, and the other side reads slowly. */
  private flood(a: string, b: string, forMs: number, draws: Draws): void {
    const { cluster, members } = this.world
    cluster.network.setRate(a, b, 100_000 + draws[3] * 2_000_000)
    this.world.later(forMs, () => cluster.network.setRate(a, b, undefined))
    const [from, to] = [members.get(a), members.get(b)]
    if (from === undefined || to === undefined) return
    const { pid } = to.spawn(false)
    for (let left = 4; left > 0; left--) from.node.send(pid, { pad: new Uint8Array(400_000) })
  }

  private crash(host: string, isTold: boolean, downMs: number): void {
    if (!this.world.members.has(host)) return
    this.world.cluster.crash(host, { isTold })
    this.world.end(host)
    this.comeBack(host, downMs)
  }

  private stop(host: string, downMs: number): void {
    const member = this.world.members.get(host)
    if (member === undefined) return
    this.world.end(host)
    member.node.stop().then(
      () => this.comeBack(host, downMs),
      (error: unknown) => this.world.judge.breach(`${host} can't be stopped: ${String(error)}`),
    )
  }

  /** The table is stopped, and another one started on the same node: what processes had in the first they don't have in the second. */
  private restartTable(host: string): void {
    const member = this.world.members.get(host)
    if (member === undefined) return
    this.world.end(host)
    const stopped = member.names === undefined ? member.table.stop() : member.names.stop()
    stopped
      .then(() => this.world.join(host, member.node))
      .catch((error: unknown) => this.world.note(`${host} has no table again: ${String(error)}`))
  }

  /** All faults are over: who is down comes back now. */
  allComeBack(): void {
    for (const host of this.away.keys()) this.comeBackNow(host)
  }

  /** After a while, or when all faults are over. */
  private comeBack(host: string, downMs: number): void {
    const { cluster, plan, isOver } = this.world
    const awayMs = plan.isLong ? LONG_DOWN_MS : downMs
    this.away.set(
      host,
      cluster.clock.setTimer(isOver ? 0 : awayMs, () => this.comeBackNow(host)),
    )
  }

  private comeBackNow(host: string): void {
    this.away.get(host)?.cancel()
    this.away.delete(host)
    this.world.begin(host)
  }

  /** With the next message of a kind, whoever it is for, something happens to the two: what follows it is on its way then. */
  private inTheMidst(draws: Draws): void {
    const { cluster, judge, plan } = this.world
    const wanted = pick(KINDS, draws[0])
    const [, slowestMs] = plan.latencyMs
    judge.onTaken = (host, from, type) => {
      const isFilled = (this.world.members.get(host)?.table.replica.table.own.count ?? 0) > 3
      if (type !== wanted || (wanted === 'hello' && !isFilled)) return
      judge.onTaken = () => undefined
      judge.count(`in the midst, at a ${type}`)
      // What it is sent now comes one by one.
      const isSlow = draws[1] < 0.6
      if (isSlow) {
        cluster.network.setRate(host, from, 4_000)
        this.world.later(SLOW_MS * 2, () => cluster.network.setRate(host, from, undefined))
      }
      this.world.later(isSlow ? draws[2] * SLOW_MS : draws[2] * slowestMs, () => {
        const part = (draws[2] * 7) % 1
        this.world.note(`in the midst of what ${from} sends ${host}`)
        if ((draws[3] * 3) % 1 < 0.5) cluster.break(host, from, { arriving: (inFlight) => Math.ceil(inFlight * part) })
        else if ((draws[3] * 3) % 1 < 0.6) cluster.break(host, from, { tellMs: { [host]: part * 50 } })
        else if ((draws[3] * 3) % 1 < 0.75) this.killServer(from)
        else if ((draws[3] * 3) % 1 < 0.9) this.killServer(host)
        else this.crash(from, true, part * 500)
      })
    }
  }

  private killServer(host: string): void {
    const member = this.world.members.get(host)
    const server = member?.node.whereis(SERVER)
    if (member === undefined || server === undefined) return
    this.serversKilled++
    this.world.note(`${host}: its table server is killed`)
    member.node.exit(server, 'kill')
  }

  /** A row of a copy, or a delta, is lost, as by a mistake in the code: sums, or numbers, tell. */
  private rot(host: string, draws: Draws): void {
    const member: Member | undefined = this.world.members.get(host)
    if (member === undefined) return
    this.world.judge.hasRot = true
    if (draws[3] < 0.5) {
      member.losesDelta = true
      return
    }
    const { table, views } = member.table.replica
    const view = pick(
      [...views.values()].filter(({ copy }) => copy?.isVisible === true && copy.count > 0),
      draws[2],
    )
    if (view?.copy === undefined) return
    this.world.judge.damaged.add(view.copy)
    this.world.judge.count('rot of a row')
    table.removeRow(view.copy, view.copy.first)
  }
}

/** Many faults are over at once, some last until they are noticed. */
function lasting(fraction: number, netTickTimeMs: number): number {
  return fraction < 0.4 ? fraction * 500 : netTickTimeMs * (fraction * 2.5 - 0.8)
}
