/**
 * Plays a history on a node of ours, to rest after each command.
 *
 * Each process of the history obeys orders that come as messages, and notes all other messages as they come. One that has been told to be deaf
 * receives orders only.
 */
import {
  assertNever,
  ExitError,
  handler,
  hasType,
  isErrorReason,
  PidmeshError,
  type Context,
  type Destination,
  type ExitReason,
  type MessageHandler,
  type NameOnNode,
  type Node,
  type Pid,
  type ProcessBody,
  type Ref,
} from '@pidmesh/runtime'
import { TestCluster } from '@pidmesh/runtime/testing'
import {
  isNameHere,
  isNear,
  isProcess,
  isRef,
  NAMES,
  type Act,
  type Address,
  type Child,
  type Command,
  type History,
  type Leave,
  type ProcessSymbol,
  type Reason,
  type RefSymbol,
} from './commands.ts'
import { infoText, linesOf, type Observation, type Player, type StepLines } from './observation.ts'

/** A near timer fires after one of these, and a step with one in it takes all of them. */
const NEAR_MS = 1
const STEP_MS = 3
const FAR_MS = 1_000_000_000

class Order {
  readonly act: Act
  /** `dead` stays if nobody takes the order. */
  result = 'dead'

  constructor(act: Act) {
    this.act = act
  }
}

class World {
  private readonly cluster: TestCluster
  private readonly node: Node
  private readonly pids = new Map<string, Pid>()
  private readonly refs = new Map<string, Ref>()
  /** Of pids and references, by their texts. */
  private readonly symbols = new Map<string, string>()
  private readonly deaf = new Set<ProcessSymbol>()
  private got = new Map<ProcessSymbol, string[]>()
  private exited = new Map<ProcessSymbol, string>()
  private observer: Context | undefined = undefined

  constructor(cluster: TestCluster, node: Node) {
    this.cluster = cluster
    this.node = node
  }

  async begin(): Promise<void> {
    this.node.spawn(
      handler((self) => {
        this.observer = self
        return (message) => {
          if (hasType(message, 'DOWN'))
            this.exited.set(this.symbol(message.pid) as ProcessSymbol, reasonText(message.reason))
        }
      }),
    )
    await this.cluster.settle()
  }

  async step(command: Command): Promise<StepLines> {
    this.got = new Map()
    this.exited = new Map()
    const result = await this.run(command)
    return linesOf(command, { result, got: this.got, exited: this.exited })
  }

  private async run(command: Command): Promise<string> {
    switch (command.type) {
      case 'start':
        this.bindProcess(command.child, this.node.spawn(this.body(command.child), { trapExit: command.child.traps }))
        await this.cluster.settle()
        return 'ok'
      case 'look':
        return this.look()
      case 'act': {
        const order = new Order(command.act)
        this.node.send(this.pid(command.by), order)
        await (isNear(command) ? this.cluster.advance(STEP_MS) : this.cluster.settle())
        return order.result
      }
      default:
        return assertNever(command)
    }
  }

  private body({ process, body }: Child): ProcessBody {
    if (body === 'handler') return handler((self) => this.handlerOf(process, self))
    return async (self) => {
      for (;;) {
        const isDeaf = this.deaf.has(process)
        const message = await self.receive(isDeaf ? { match: (other) => other instanceof Order } : {})
        if (!(message instanceof Order)) this.note(process, self, message)
        else if (message.act.type === 'leave' && message.act.how === 'return') return
        else await this.obey(process, self, message)
      }
    }
  }

  private handlerOf(process: ProcessSymbol, self: Context): MessageHandler {
    return (message) => {
      if (message instanceof Order) return this.obey(process, self, message)
      return this.note(process, self, message)
    }
  }

  private note(process: ProcessSymbol, self: Context, message: unknown): void {
    const notes = this.got.get(process) ?? []
    this.got.set(process, notes)
    notes.push(this.messageText(self, message))
  }

  /** Not async throughout: a handler's promise would hold back its next message. */
  private obey(process: ProcessSymbol, self: Context, order: Order): void | Promise<void> {
    const { act } = order
    if (act.type === 'deaf') this.deaf.add(process)
    if (act.type === 'listen') this.deaf.delete(process)
    if (act.type === 'take_down') {
      const ref = this.ref(act.ref)
      const match = (message: unknown): boolean => hasType(message, 'DOWN') && message.ref.equals(ref)
      return self.receive({ match, timeoutMs: 0 }).then((message) => {
        order.result = message === undefined ? 'nothing' : this.messageText(self, message)
      })
    }
    try {
      order.result = this.perform(self, act)
    } catch (error) {
      if (!(error instanceof PidmeshError) || error instanceof ExitError) throw error
      order.result = `error ${error.code}`
    }
  }

  private perform(self: Context, act: Exclude<Act, { type: 'take_down' }>): string {
    switch (act.type) {
      case 'spawn':
        this.bindProcess(act.child, self.spawn(this.body(act.child), { trapExit: act.child.traps }))
        return 'ok'
      case 'spawn_link':
        this.bindProcess(act.child, self.spawnLink(this.body(act.child), { trapExit: act.child.traps }))
        return 'ok'
      case 'spawn_monitor': {
        const { pid, ref } = self.spawnMonitor(this.body(act.child), { trapExit: act.child.traps })
        this.bindProcess(act.child, pid)
        return this.bindRef(act.ref, ref)
      }
      case 'send':
        return self.send(this.destination(act.to), act.message)
      case 'exit':
        self.exit(this.pid(act.to), reasonData(act.reason))
        return 'ok'
      case 'leave':
        return leave(self, act.how)
      case 'farewell':
        for (const to of act.to) {
          try {
            self.send(this.destination(to), act.message)
          } catch {
            // A name that nobody has.
          }
        }
        return leave(self, act.how)
      case 'link':
        self.link(this.pid(act.to))
        return 'ok'
      case 'unlink':
        self.unlink(this.pid(act.to))
        return 'ok'
      case 'monitor': {
        const object = this.object(act.object)
        return this.bindRef(act.ref, self.monitor(object, act.alias === 'none' ? {} : { alias: act.alias }))
      }
      case 'demonitor':
        return String(self.demonitor(this.ref(act.ref), { flush: act.flush, info: act.info }))
      case 'alias':
        return this.bindRef(act.ref, self.alias({ reply: act.once }))
      case 'unalias':
        return String(self.unalias(this.ref(act.ref)))
      case 'register':
        self.register(act.name, this.pid(act.process))
        return 'ok'
      case 'unregister':
        self.unregister(act.name)
        return 'ok'
      case 'whereis':
        return this.symbol(self.whereis(act.name))
      case 'trap_exit':
        self.trapExit = act.on
        return 'ok'
      case 'is_alive':
        return String(self.isProcessAlive(this.pid(act.process)))
      case 'info':
        return this.info(self, this.pid(act.process))
      case 'start_timer':
      case 'send_after': {
        const to = isProcess(act.to) ? this.pid(act.to) : act.to
        const delayMs = act.near ? NEAR_MS : FAR_MS
        const isPlain = act.type === 'send_after'
        return this.bindRef(
          act.ref,
          isPlain ? self.sendAfter(delayMs, to, act.message) : self.startTimer(delayMs, to, act.message),
        )
      }
      case 'cancel_timer':
        return leftText(self.cancelTimer(this.ref(act.ref)))
      case 'read_timer':
        return leftText(self.readTimer(this.ref(act.ref)))
      case 'deaf':
      case 'listen':
        return 'ok'
      default:
        return assertNever(act)
    }
  }

  private bindProcess({ process }: Child, pid: Pid): void {
    this.pids.set(process, pid)
    this.symbols.set(pid.toString(), process)
    this.observer?.monitor(pid)
  }

  private bindRef(symbol: RefSymbol, ref: Ref): string {
    this.refs.set(symbol, ref)
    this.symbols.set(ref.toString(), symbol)
    return 'ok'
  }

  private pid(symbol: ProcessSymbol): Pid {
    const pid = this.pids.get(symbol)
    if (pid === undefined) throw new Error(`there is no ${symbol}`)
    return pid
  }

  private ref(symbol: RefSymbol): Ref {
    const ref = this.refs.get(symbol)
    if (ref === undefined) throw new Error(`there is no ${symbol}`)
    return ref
  }

  private destination(to: Address | RefSymbol): Destination {
    return isRef(to) ? this.ref(to) : this.object(to)
  }

  private object(address: Address): Pid | NameOnNode | string {
    if (isProcess(address)) return this.pid(address)
    return isNameHere(address) ? { name: address.replace('@here', ''), node: this.node.name } : address
  }

  private symbol(identity: Pid | Ref | NameOnNode | undefined): string {
    if (identity === undefined) return 'undefined'
    if ('name' in identity) return `${identity.name}@${identity.node === this.node.name ? 'here' : identity.node}`
    return this.symbols.get(identity.toString()) ?? `unknown ${identity.toString()}`
  }

  private messageText(self: Context, message: unknown): string {
    if (hasType(message, 'EXIT')) return `EXIT ${this.symbol(message.from)} ${reasonText(message.reason)}`
    if (hasType(message, 'timeout')) return `timeout ${this.symbol(message.ref)} ${String(message.message)}`
    if (!hasType(message, 'DOWN')) return String(message)
    const { ref, pid, reason } = message
    return `DOWN ${this.symbol(ref)} ${this.symbol(pid)} ${reasonText(reason)}${stillThere(self, pid)}`
  }

  private info(self: Context, pid: Pid): string {
    const info = self.processInfo(pid)
    if (info === undefined) return infoText(undefined)
    const watchers = info.monitoredBy.filter((watcher) => !watcher.equals(this.observer?.pid))
    return infoText({
      name: info.registeredName,
      trapExit: info.trapExit,
      links: info.links.map((other) => this.symbol(other)),
      monitors: info.monitors.map((object) => this.symbol(object)),
      monitoredBy: watchers.map((watcher) => this.symbol(watcher)),
      unread: info.messageQueueLength,
    })
  }

  private look(): string {
    const processes = [...this.pids].map(([symbol, pid]) => `${symbol} ${this.info(this.node.self, pid)}`)
    const names = NAMES.map((name) => `${name} ${this.symbol(this.node.whereis(name))}`)
    return [...processes, ...names].join('; ')
  }
}

export const ours: Player = {
  play: async (history: History): Promise<Observation> => {
    const cluster = new TestCluster()
    const node = await cluster.start('a')
    const world = new World(cluster, node)
    await world.begin()
    const steps: StepLines[] = []
    for (const command of history) steps.push(await world.step(command))
    await cluster.stop()
    return steps
  },
}

function leave(self: Context, how: Leave): never {
  if (how === 'throw') throw new Error('crash')
  return self.exit(how === 'return' ? 'normal' : reasonData(how))
}

/** Everything that a process held is released before anyone is told of its end. */
function stillThere(self: Context, pid: Pid | NameOnNode): string {
  if ('name' in pid) return ''
  if (self.isProcessAlive(pid)) return ' but it is alive'
  const held = NAMES.find((name) => self.whereis(name)?.equals(pid))
  return held === undefined ? '' : ` but it has the name ${held}`
}

function reasonData(reason: Reason): ExitReason {
  return reason === 'shutdown:tired' ? { shutdown: 'tired' } : reason
}

function reasonText(reason: ExitReason): string {
  if (typeof reason === 'string') return reason
  if (isErrorReason(reason)) return reason.error.message
  return 'shutdown' in reason ? `shutdown:${String(reason['shutdown'])}` : JSON.stringify(reason)
}

function leftText(leftMs: number | undefined): string {
  return leftMs === undefined ? 'none' : 'time left'
}
