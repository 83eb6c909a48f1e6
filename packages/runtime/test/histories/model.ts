/**
 * The reference: what Erlang/OTP documents of processes on one node, in the plainest form that can be run. Written from the manual (the reference
 * manual's chapter "Processes", and the module `erlang`), not from the implementation, whose structures it shares none of.
 *
 * A signal takes effect when it is sent, which is one of the orders that Erlang allows, and the only one that can be seen if each command waits until
 * all has come to rest. Messages are texts already: `m4`, `EXIT p2 boom`, `DOWN r5 p2 boom`, `timeout r3 m4`.
 */
import { assertNever } from '@pidmesh/runtime'
import {
  isNameHere,
  isProcess,
  isRef,
  NAMES,
  type Act,
  type Address,
  type Child,
  type Command,
  type History,
  type Leave,
  type NameSymbol,
  type ProcessSymbol,
  type RefSymbol,
} from './commands.ts'
import { infoText, linesOf, type Observation, type Player, type StepLines } from './observation.ts'

export interface ModelProcess {
  readonly symbol: ProcessSymbol
  readonly body: Child['body']
  alive: boolean
  trapExit: boolean
  listening: boolean
  name: NameSymbol | undefined
  mailbox: string[]
  readonly links: Set<ModelProcess>
}

interface Monitor {
  readonly ref: RefSymbol
  readonly watcher: ModelProcess
  readonly target: ModelProcess | undefined
  /** As the `DOWN` names it. */
  readonly object: string
}

interface Alias {
  readonly ref: RefSymbol
  readonly owner: ModelProcess
  /** Closed by the first message that comes to it. */
  readonly once: boolean
  /** Closed with the monitor of the same reference. */
  readonly endsWithMonitor: boolean
}

interface FarTimer {
  readonly ref: RefSymbol
  readonly to: ProcessSymbol | NameSymbol
}

export class Model {
  readonly processes: ModelProcess[] = []
  private monitors: Monitor[] = []
  private aliases: Alias[] = []
  private timers: FarTimer[] = []
  private exited = new Map<ProcessSymbol, string>()

  step(command: Command): StepLines {
    this.exited = new Map()
    const result = this.run(command)
    const got = new Map<ProcessSymbol, string[]>()
    for (const process of this.processes) {
      if (!process.alive || !process.listening) continue
      got.set(process.symbol, process.mailbox)
      process.mailbox = []
    }
    return linesOf(command, { result, got, exited: this.exited })
  }

  holder(name: string): ModelProcess | undefined {
    return this.processes.find((process) => process.alive && process.name === name)
  }

  hasOpenAlias(ref: RefSymbol): boolean {
    return this.aliases.some((alias) => alias.ref === ref)
  }

  /** Where the alias leads, if it is open. */
  ownerOfAlias(ref: RefSymbol): ModelProcess | undefined {
    return this.aliases.find((alias) => alias.ref === ref)?.owner
  }

  private run(command: Command): string {
    switch (command.type) {
      case 'start':
        this.start(command.child)
        return 'ok'
      case 'look':
        return this.look()
      case 'act': {
        const by = this.process(command.by)
        return by.alive ? this.act(by, command.act) : 'dead'
      }
      default:
        return assertNever(command)
    }
  }

  private act(self: ModelProcess, act: Act): string {
    switch (act.type) {
      case 'spawn':
        this.start(act.child)
        return 'ok'
      case 'spawn_link':
        this.link(self, this.start(act.child))
        return 'ok'
      case 'spawn_monitor':
        this.monitor(self, this.start(act.child).symbol, act.ref)
        return 'ok'
      case 'send':
        return this.send(act.to, act.message)
      case 'exit':
        this.exitSignal(self, this.process(act.to), act.reason)
        return 'ok'
      case 'leave':
        this.end(self, reasonOf(act.how))
        return 'exited'
      case 'farewell':
        for (const to of act.to) this.send(to, act.message)
        this.end(self, reasonOf(act.how))
        return 'exited'
      case 'link': {
        const other = this.process(act.to)
        // A link to a process that doesn't exist: an exit signal `noproc` from it.
        if (other.alive) this.link(self, other)
        else this.linkSignal(other, self, 'noproc')
        return 'ok'
      }
      case 'unlink': {
        const other = this.process(act.to)
        self.links.delete(other)
        other.links.delete(self)
        return 'ok'
      }
      case 'monitor':
        // BEAM gives a reference that is neither monitor nor alias.
        if (this.receiver(act.object) === self) return 'ok'
        if (act.alias !== 'none') {
          const once = act.alias === 'reply_demonitor'
          this.aliases.push({ ref: act.ref, owner: self, once, endsWithMonitor: act.alias !== 'explicit_unalias' })
        }
        this.monitor(self, act.object, act.ref)
        return 'ok'
      case 'demonitor': {
        const found = this.monitors.find(({ ref, watcher }) => ref === act.ref && watcher === self)
        if (found !== undefined) this.removeMonitor(found)
        else if (act.flush) takeDown(self, act.ref)
        return String(found !== undefined || !act.info)
      }
      case 'alias':
        this.aliases.push({ ref: act.ref, owner: self, once: act.once, endsWithMonitor: false })
        return 'ok'
      case 'unalias': {
        const isOpen = this.aliases.some(({ ref, owner }) => ref === act.ref && owner === self)
        if (isOpen) this.closeAlias(act.ref)
        return String(isOpen)
      }
      case 'register':
        return this.register(act.name, this.process(act.process))
      case 'unregister': {
        const process = this.holder(act.name)
        if (process === undefined) return 'error ERR_NOT_REGISTERED'
        process.name = undefined
        return 'ok'
      }
      case 'whereis':
        return this.holder(act.name)?.symbol ?? 'undefined'
      case 'trap_exit':
        self.trapExit = act.on
        return 'ok'
      case 'is_alive':
        return String(this.process(act.process).alive)
      case 'info':
        return this.info(this.process(act.process))
      case 'start_timer':
      case 'send_after': {
        const message = act.type === 'send_after' ? act.message : `timeout ${act.ref} ${act.message}`
        if (act.near) this.deliver(this.receiver(act.to), message)
        // A timer to a process that doesn't exist is cancelled at once; one to a name looks the name up when it fires.
        else if (!isProcess(act.to) || this.process(act.to).alive) this.timers.push({ ref: act.ref, to: act.to })
        return 'ok'
      }
      case 'cancel_timer':
      case 'read_timer': {
        const isRunning = this.timers.some(({ ref }) => ref === act.ref)
        if (act.type === 'cancel_timer') this.timers = this.timers.filter(({ ref }) => ref !== act.ref)
        return isRunning ? 'time left' : 'none'
      }
      case 'deaf':
        self.listening = false
        return 'ok'
      case 'listen':
        self.listening = true
        return 'ok'
      case 'take_down':
        return takeDown(self, act.ref) ?? 'nothing'
      default:
        return assertNever(act)
    }
  }

  private start({ process: symbol, traps, body }: Child): ModelProcess {
    const process: ModelProcess = {
      symbol,
      body,
      alive: true,
      trapExit: traps,
      listening: true,
      name: undefined,
      mailbox: [],
      links: new Set(),
    }
    this.processes.push(process)
    return process
  }

  private process(symbol: ProcessSymbol): ModelProcess {
    const process = this.processes.find((other) => other.symbol === symbol)
    if (process === undefined) throw new Error(`there is no ${symbol}`)
    return process
  }

  /** Whom an address leads to now. */
  receiver(address: Address): ModelProcess | undefined {
    return isProcess(address) ? this.process(address) : this.holder(address.replace('@here', ''))
  }

  private deliver(process: ModelProcess | undefined, message: string): void {
    if (process?.alive === true) process.mailbox.push(message)
  }

  private send(to: Address | RefSymbol, message: string): string {
    if (isRef(to)) {
      this.sendToAlias(to, message)
      return 'ok'
    }
    const process = this.receiver(to)
    if (process === undefined && !isNameHere(to)) return 'error ERR_NOT_REGISTERED'
    this.deliver(process, message)
    return 'ok'
  }

  private sendToAlias(ref: RefSymbol, message: string): void {
    const alias = this.aliases.find((open) => open.ref === ref)
    if (alias === undefined) return
    this.deliver(alias.owner, message)
    if (!alias.once) return
    this.closeAlias(ref)
    this.monitors = this.monitors.filter((monitor) => monitor.ref !== ref)
  }

  private closeAlias(ref: RefSymbol): void {
    this.aliases = this.aliases.filter((alias) => alias.ref !== ref)
  }

  private register(name: NameSymbol | 'undefined', process: ModelProcess): string {
    if (!process.alive || name === 'undefined') return 'error ERR_BAD_ARGUMENT'
    if (process.name !== undefined || this.holder(name) !== undefined) return 'error ERR_NAME_TAKEN'
    process.name = name
    return 'ok'
  }

  private link(a: ModelProcess, b: ModelProcess): void {
    if (a === b) return
    a.links.add(b)
    b.links.add(a)
  }

  private monitor(watcher: ModelProcess, address: Address, ref: RefSymbol): void {
    const target = this.receiver(address)
    const object = isProcess(address) || isNameHere(address) ? address : `${address}@here`
    const monitor: Monitor = { ref, watcher, target, object }
    this.monitors.push(monitor)
    if (target?.alive !== true) this.fire(monitor, 'noproc')
  }

  private fire(monitor: Monitor, reason: string): void {
    this.removeMonitor(monitor)
    this.deliver(monitor.watcher, `DOWN ${monitor.ref} ${monitor.object} ${reason}`)
  }

  private removeMonitor(monitor: Monitor): void {
    this.monitors = this.monitors.filter((other) => other !== monitor)
    this.aliases = this.aliases.filter((alias) => !(alias.endsWithMonitor && alias.ref === monitor.ref))
  }

  /** `exit(to, reason)` */
  private exitSignal(from: ModelProcess, to: ModelProcess, reason: string): void {
    if (!to.alive) return
    if (reason === 'kill') this.end(to, 'killed')
    else if (to.trapExit) this.deliver(to, `EXIT ${from.symbol} ${reason}`)
    else if (reason !== 'normal' || from === to) this.end(to, reason)
  }

  /** The exit signal of a link: `kill` has no special meaning in it. */
  private linkSignal(from: ModelProcess, to: ModelProcess, reason: string): void {
    if (!to.alive) return
    if (to.trapExit) this.deliver(to, `EXIT ${from.symbol} ${reason}`)
    else if (reason !== 'normal') this.end(to, reason)
  }

  private end(process: ModelProcess, reason: string): void {
    process.alive = false
    process.name = undefined
    process.mailbox = []
    this.exited.set(process.symbol, reason)
    this.timers = this.timers.filter(({ to }) => to !== process.symbol)
    this.aliases = this.aliases.filter(({ owner }) => owner !== process)
    this.monitors = this.monitors.filter(({ watcher }) => watcher !== process)
    const linked = [...process.links]
    process.links.clear()
    for (const other of linked) other.links.delete(process)
    for (const other of linked) this.linkSignal(process, other, reason)
    for (const monitor of this.monitors.filter(({ target }) => target === process)) this.fire(monitor, reason)
  }

  private info(process: ModelProcess): string {
    if (!process.alive) return infoText(undefined)
    return infoText({
      name: process.name,
      trapExit: process.trapExit,
      links: [...process.links].map(({ symbol }) => symbol),
      monitors: this.monitors.filter(({ watcher }) => watcher === process).map(({ object }) => object),
      monitoredBy: this.monitors.filter(({ target }) => target === process).map(({ watcher }) => watcher.symbol),
      unread: process.mailbox.length,
    })
  }

  private look(): string {
    const processes = this.processes.map((process) => `${process.symbol} ${this.info(process)}`)
    const names = NAMES.map((name) => `${name} ${this.holder(name)?.symbol ?? 'undefined'}`)
    return [...processes, ...names].join('; ')
  }
}

export const model: Player = {
  play: (history: History): Promise<Observation> => {
    const world = new Model()
    return Promise.resolve(history.map((command) => world.step(command)))
  },
}

/** A function that returns exits `normal`, one that throws crashes. */
function reasonOf(how: Leave): string {
  if (how === 'return') return 'normal'
  return how === 'throw' ? 'crash' : how
}

function takeDown(process: ModelProcess, ref: RefSymbol): string | undefined {
  const index = process.mailbox.findIndex((message) => message.startsWith(`DOWN ${ref} `))
  return index < 0 ? undefined : process.mailbox.splice(index, 1)[0]
}
