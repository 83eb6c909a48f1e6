/**
 * What is done to the table, on the nodes that are there.
 */
import { assertNever } from '@pidmesh/runtime'
import { TIGHT_ROWS, type Member, type Proc } from './member.ts'
import { pick, type Act, type Draws } from './plan.ts'
import type { World } from './world.ts'

/** Names that are fought for. */
/** Short ones of ASCII and of Latin-1, long ones, and one whose characters are wider. */
const NAMES = ['n0', 'n1', 'n2é', 'n3€', 'n4 and more than stands in a row', 'n5 and more than stands in a row é']

export class Acts {
  private readonly world: World
  private lastMeta = 0
  private lastBulk = 0

  constructor(world: World) {
    this.world = world
  }

  order(act: Act, draws: Draws): void {
    const member = pick([...this.world.members.values()], draws[0])
    if (member === undefined) return
    this.world.note(`${member.host}: ${act}`)
    this.world.judge.count(`act ${act}`)
    this.act(member, act, draws)
  }

  private act(member: Member, act: Act, draws: Draws): void {
    const proc = pick(member.alive(), draws[1])
    switch (act) {
      case 'register':
        this.register(member, member.spawn(draws[2] < 0.3), pick(NAMES, draws[3]) ?? '')
        return
      case 'register_again':
        if (proc !== undefined) this.register(member, proc, pick(NAMES, draws[3]) ?? '')
        return
      case 'register_many': {
        const holder = proc ?? member.spawn(false)
        for (let left = 5 + Math.floor(draws[3] * 30); left > 0; left--)
          this.register(member, holder, draws[2] < 0.7 ? `b${++this.lastBulk}` : `b${left}`)
        return
      }
      case 'unregister':
        member.unregister(pick(member.ownKeys(), draws[1]) ?? 'n0')
        return
      case 'set_meta':
        member.setMeta(pick(member.ownKeys(), draws[1]) ?? 'n0', this.meta(draws[2]))
        return
      case 'takeover': {
        const name = pick(NAMES, draws[3]) ?? ''
        if (member.takeover(name, member.spawn(draws[2] < 0.3), this.meta(draws[2])))
          this.world.judge.count('takeover of a name')
        return
      }
      case 'die':
        if (proc !== undefined) this.kill(member, proc)
        return
      case 'die_many':
        for (const each of member.alive()) this.kill(member, each)
        return
      case 'watch': {
        const watcher = member.spawn(false)
        member.watch(watcher, draws[2] < 0.5 ? 'all' : 'prefix')
        return
      }
      case 'unwatch': {
        const watch = pick(member.watches, draws[1])
        if (watch !== undefined) member.unwatch(watch)
        return
      }
      case 'many_in_a_turn': {
        const parts = ['register', 'unregister', 'set_meta', 'register_again', 'die'] as const
        for (let left = 3; left > 0; left--) {
          const part = pick(parts, (draws[2] * left * 7) % 1) ?? 'register'
          this.act(member, part, [draws[0], (draws[1] * left * 5) % 1, draws[2], (draws[3] * left * 3) % 1])
        }
        return
      }
      default:
        assertNever(act)
    }
  }

  /** A process that has just begun takes a name, while the cluster is only coming together. */
  registerNew(member: Member, why: 'start' | 'nodeup'): void {
    const { random, judge } = this.world
    judge.count(`registers at ${why}`)
    this.register(member, member.spawn(random.fraction() < 0.3), pick(NAMES, random.fraction()) ?? '')
  }

  registerMany(member: Member, count: number): void {
    const holder = member.spawn(false)
    for (let left = count; left > 0; left--) this.register(member, holder, `b${++this.lastBulk}`)
  }

  /** It gives back what is more than others take of it. */
  shrink(member: Member): void {
    for (const key of member.ownKeys().slice(TIGHT_ROWS / 2)) while (member.claims.has(key)) member.unregister(key)
    for (const [key, holders] of member.claims) for (let left = holders.length; left > 1; left--) member.unregister(key)
  }

  private register(member: Member, proc: Proc, name: string): void {
    const isYes = member.register(name, proc, this.meta(this.world.random.fraction()))
    this.world.note(`${member.host} registers ${name} for ${proc.text}: ${isYes}`)
  }

  private kill(member: Member, proc: Proc): void {
    proc.isKilled = true
    member.node.exit(proc.pid, 'kill')
  }

  private meta(draw: number): { readonly [name: string]: number } {
    return draw < 0.3 ? {} : { v: ++this.lastMeta }
  }
}
