/**
 * Random histories. fast-check draws, and shrinks, rough steps: what kind of command, and numbers. A run of the model makes commands of them, since only
 * it knows who lives, which names are taken and which references lead anywhere: so most commands do something, and those that name the dead, a taken
 * name or a stale reference come as often as is wanted.
 */
import fc from 'fast-check'
import {
  ALIAS_MODES,
  NAMES,
  REASONS,
  type Act,
  type Address,
  type AliasMode,
  type Child,
  type Command,
  type History,
  type Leave,
  type MessageSymbol,
  type NameSymbol,
  type ProcessSymbol,
  type RefSymbol,
} from './commands.ts'
import { Model, type ModelProcess } from './model.ts'

const WEIGHTS = {
  spawn: 2,
  spawn_link: 2,
  spawn_monitor: 2,
  send: 6,
  send_alias: 6,
  exit: 7,
  leave: 2,
  farewell: 3,
  link: 8,
  unlink: 3,
  monitor: 8,
  demonitor: 5,
  alias: 2,
  unalias: 4,
  register: 7,
  unregister: 1,
  whereis: 1,
  trap_exit: 3,
  is_alive: 1,
  info: 2,
  far_timer: 3,
  near_timer: 0.3,
  cancel_timer: 2,
  read_timer: 1,
  deaf: 4,
  listen: 1.5,
  take_down: 4,
  look: 1,
} as const

type Kind = keyof typeof WEIGHTS

/** A kind of command, and numbers that its parts are chosen with. */
export interface RoughStep {
  readonly kind: Kind
  readonly by: number
  readonly a: number
  readonly b: number
  readonly c: number
}

const MOST_PROCESSES = 16
const LEAST_ALIVE = 3

const kinds = Object.entries(WEIGHTS) as [Kind, number][]
const number = fc.nat(1_000)
const rough: fc.Arbitrary<RoughStep> = fc.record({
  kind: fc.oneof(...kinds.map(([kind, weight]) => ({ weight: weight * 10, arbitrary: fc.constant(kind) }))),
  by: number,
  a: number,
  b: number,
  c: number,
})

/** With up to so many commands after the first processes have been started. */
export function histories(maxLength: number): fc.Arbitrary<History> {
  return fc.array(rough, { minLength: 1, maxLength, size: 'max' }).map((steps) => new Author().write(steps))
}

const FIRST: readonly Omit<Child, 'process'>[] = [
  { traps: true, body: 'function' },
  { traps: false, body: 'function' },
  { traps: true, body: 'handler' },
  { traps: false, body: 'handler' },
  { traps: false, body: 'function' },
]

interface KnownRef {
  readonly ref: RefSymbol
  readonly kind: 'monitor' | 'alias' | 'timer'
  readonly by: ProcessSymbol
  readonly object?: Address
  readonly mode?: AliasMode
}

class Author {
  private readonly model = new Model()
  private readonly history: Command[] = []
  private readonly refs: KnownRef[] = []
  private lastMessage = -1

  write(steps: readonly RoughStep[]): History {
    for (const first of FIRST) this.start(first)
    for (const step of steps) {
      if (this.alive().length < LEAST_ALIVE) this.start(pick(FIRST, step.c))
      const refs = this.refs.length
      const command = this.command(step)
      if (command !== undefined) this.add(command)
      else this.refs.length = refs
    }
    // What is still in a mailbox is to be seen.
    for (const { symbol: by } of this.alive().filter(({ listening }) => !listening))
      this.add({ type: 'act', by, act: { type: 'listen' } })
    this.add({ type: 'look' })
    return this.history
  }

  private add(command: Command): void {
    this.history.push(command)
    this.model.step(command)
  }

  private start(child: Omit<Child, 'process'>): void {
    this.add({ type: 'start', child: { process: this.nextProcess(), ...child } })
  }

  private command(step: RoughStep): Command | undefined {
    if (step.kind === 'look') return { type: 'look' }
    const candidates = this.actors(step.kind)
    if (candidates.length === 0) return undefined
    const by = pick(candidates, step.by)
    const act = this.act(step, by)
    return act === undefined ? undefined : { type: 'act', by: by.symbol, act }
  }

  private actors(kind: Kind): ModelProcess[] {
    const alive = this.alive()
    if (kind === 'deaf') return alive.filter(({ body, listening }) => body === 'function' && listening)
    return kind === 'listen' || kind === 'take_down' ? alive.filter(({ listening }) => !listening) : alive
  }

  private act({ kind, a, b, c }: RoughStep, self: ModelProcess): Act | undefined {
    const by = self.symbol
    switch (kind) {
      case 'spawn':
      case 'spawn_link':
      case 'spawn_monitor': {
        if (this.model.processes.length >= MOST_PROCESSES) return undefined
        const child = { process: this.nextProcess(), ...pick(FIRST, a) }
        if (kind !== 'spawn_monitor') return { type: kind, child }
        return { type: kind, child, ref: this.newRef({ kind: 'monitor', by, object: child.process }) }
      }
      case 'send':
        return { type: 'send', to: this.address(a, b), message: this.nextMessage() }
      case 'send_alias': {
        const refs = this.refs.filter(({ kind: is, mode }) => is === 'alias' || (mode ?? 'none') !== 'none')
        const open = refs.filter(({ ref }) => this.model.hasOpenAlias(ref))
        const choice = pickIfAny(b % 4 === 0 ? this.refs : b % 3 === 0 ? refs : open, a)
        return choice === undefined ? undefined : { type: 'send', to: choice.ref, message: this.nextMessage() }
      }
      case 'exit':
        return { type: 'exit', to: c % 8 === 0 ? by : this.process(a), reason: pick(REASONS, b) }
      case 'leave':
        return { type: 'leave', how: leaveOf(b) }
      case 'farewell':
        return this.farewell(a, b)
      case 'link':
        return { type: 'link', to: this.process(a) }
      case 'unlink': {
        const linked = [...self.links].map(({ symbol }) => symbol)
        return { type: 'unlink', to: c % 3 === 0 ? this.process(a) : (pickIfAny(linked, a) ?? this.process(a)) }
      }
      case 'monitor': {
        const object = this.address(a, b)
        const alias = pick(ALIAS_MODES, c)
        return { type: kind, object, alias, ref: this.newRef({ kind: 'monitor', by, object, mode: alias }) }
      }
      case 'demonitor': {
        const ref = (c % 2 === 0 ? this.waitingDown(self, a) : undefined) ?? this.ref('monitor', by, a)
        return ref === undefined ? undefined : { type: kind, ref, flush: b % 2 === 0, info: c % 3 !== 0 }
      }
      case 'alias':
        return { type: kind, ref: this.newRef({ kind: 'alias', by }), once: b % 2 === 0 }
      case 'unalias': {
        const open = this.refs.filter((known) => this.model.ownerOfAlias(known.ref) === self)
        const ref = b % 2 === 0 ? pickIfAny(open, a)?.ref : this.ref('monitor', by, a)
        return ref === undefined ? undefined : { type: kind, ref }
      }
      case 'register':
        return {
          type: kind,
          name: c % 40 === 0 ? 'undefined' : pick(NAMES, b),
          process: c % 3 === 0 ? by : this.process(a),
        }
      case 'unregister':
        return { type: kind, name: c % 4 === 0 ? pick(NAMES, a) : this.heldName(a) }
      case 'whereis':
        return { type: kind, name: pick(NAMES, a) }
      case 'trap_exit':
        return { type: kind, on: b % 4 === 0 ? self.trapExit : !self.trapExit }
      case 'is_alive':
      case 'info':
        return { type: kind, process: this.process(a) }
      case 'far_timer':
      case 'near_timer': {
        const near = kind === 'near_timer'
        const to = b % 4 === 0 ? this.heldName(a) : this.process(a)
        const ref = this.newRef({ kind: 'timer', by })
        return { type: c % 2 === 0 ? 'start_timer' : 'send_after', to, ref, near, message: this.nextMessage() }
      }
      case 'cancel_timer':
      case 'read_timer': {
        const ref = this.ref('timer', by, a)
        return ref === undefined ? undefined : { type: kind, ref }
      }
      case 'deaf':
      case 'listen':
        return { type: kind }
      case 'take_down': {
        const ref = (b % 4 === 0 ? undefined : this.waitingDown(self, a)) ?? this.ref('monitor', by, a)
        return ref === undefined ? undefined : { type: kind, ref }
      }
      case 'look':
        return undefined
    }
  }

  /** To one process, in as many ways as lead to it. */
  private farewell(a: number, b: number): Act {
    const to = this.process(a)
    const receiver = this.model.processes.find(({ symbol }) => symbol === to)
    const name = receiver?.name
    const alias = this.refs.find(({ ref }) => this.model.ownerOfAlias(ref) === receiver)
    const addresses: (Address | RefSymbol)[] = [to]
    if (name !== undefined) addresses.push(b % 2 === 0 ? name : `${name}@here`)
    if (alias !== undefined) addresses.push(alias.ref)
    return { type: 'farewell', to: addresses, message: this.nextMessage(), how: leaveOf(b) }
  }

  private alive(): ModelProcess[] {
    return this.model.processes.filter(({ alive }) => alive)
  }

  /** Rather the living than the dead. */
  private process(n: number): ProcessSymbol {
    const alive = this.alive()
    const dead = this.model.processes.filter((process) => !process.alive).slice(-3)
    return pick([...alive, ...alive, ...dead], n).symbol
  }

  private address(a: number, b: number): Address {
    if (b % 5 < 3) return this.process(a)
    const name = b % 7 === 0 ? pick(NAMES, a) : this.heldName(a)
    return b % 2 === 0 ? `${name}@here` : name
  }

  private heldName(n: number): NameSymbol {
    const held = NAMES.filter((name) => this.model.holder(name) !== undefined)
    return pickIfAny(held, n) ?? pick(NAMES, n)
  }

  /** Rather one's own of that kind, and the newest. */
  private ref(kind: KnownRef['kind'], by: ProcessSymbol, n: number): RefSymbol | undefined {
    const own = this.refs.filter((known) => known.kind === kind && known.by === by).slice(-4)
    const ofKind = this.refs.filter((known) => known.kind === kind).slice(-4)
    return pickIfAny([...own, ...own, ...own, ...ofKind, ...this.refs.slice(-2)], n)?.ref
  }

  /** Of a `DOWN` that is in its mailbox. */
  private waitingDown({ mailbox }: ModelProcess, n: number): RefSymbol | undefined {
    const downs = this.refs.filter(({ ref }) => mailbox.some((message) => message.startsWith(`DOWN ${ref} `)))
    return pickIfAny(downs, n)?.ref
  }

  private newRef(known: Omit<KnownRef, 'ref'>): RefSymbol {
    const ref: RefSymbol = `r${this.refs.length}`
    this.refs.push({ ref, ...known })
    return ref
  }

  private nextProcess(): ProcessSymbol {
    return `p${this.model.processes.length}`
  }

  private nextMessage(): MessageSymbol {
    return `m${++this.lastMessage}`
  }
}

function leaveOf(n: number): Leave {
  return pick<Leave>(['return', 'throw', ...REASONS], n)
}

function pick<T>(items: readonly T[], n: number): T {
  const item = items[n % items.length]
  if (item === undefined) throw new Error('there is nothing to pick from')
  return item
}

function pickIfAny<T>(items: readonly T[], n: number): T | undefined {
  return items[n % items.length]
}
