/**
 * Plays a plan on a node with a virtual clock, and records what happens. It sees what supervisors get (the node's trace), the exit signals that
 * they send (by listening where signals arrive), and what they start (the starts are its own).
 */
import {
  DynamicSupervisor,
  GenServer,
  startLink,
  Supervisor,
  type ChildSpec,
  type DynamicSupervisorRef,
  type SupervisorRef,
} from '@pidmesh/gen-server'
import { hasType, type Context, type ExitReason, type Node, type Pid } from '@pidmesh/runtime'
import { TestCluster } from '@pidmesh/runtime/testing'
import { Dice, drawChild, type Act, type ChildPlan, type Plan, type SupervisorPlan, type WorkerPlan } from './plan.ts'
import { Chronicle, type GotMessage, type Question } from './record.ts'

/** After so long all is over that can be: shutdowns of trees within trees, of children that take their time. */
const OVER_MS = 120_000
/** How long those may live on whose supervisor was killed. */
const GRACE_MS = 5_000
const INIT_MS = [0, 0, 0, 1, 7, 30] as const
const TERMINATE_MS = [0, 0, 1, 10, 100] as const
const REASONS = ['normal', 'shutdown', 'boom', 'boom'] as const

interface Insides {
  readonly kernel: {
    readonly exits: { signal(to: { readonly pid: Pid }, from: Pid, reason: ExitReason): void }
  }
}

/** What a worker is told to do. */
interface Order {
  readonly type: 'order'
  readonly act: 'crash' | 'exit' | 'unlink'
  readonly how: number
}

interface Member {
  readonly pid: Pid
  readonly supervisor: string
  readonly supervisorPid: Pid
  readonly child: ChildPlan
}

export class Stage {
  readonly chronicle: Chronicle
  readonly broken: string[] = []
  private readonly plan: Plan
  private readonly dice: Dice
  private readonly cluster: TestCluster
  private readonly members: Member[] = []
  private readonly unlinked = new Set<string>()
  private readonly endedMs = new Map<string, number>()
  /** Who is just being started, by the supervisor that does it. */
  private readonly starting = new Map<string, ChildPlan>()
  private readonly planOfStart = new Map<unknown, ChildPlan>()
  private readonly planOfLife = new Map<string, SupervisorPlan>()
  private node: Node | undefined = undefined
  private isFailing: boolean
  private lastId = 0

  constructor(plan: Plan) {
    this.plan = plan
    this.dice = new Dice(plan.seed ^ 0x5eed)
    this.cluster = new TestCluster({ seed: plan.seed })
    this.chronicle = new Chronicle(() => this.cluster.clock.monotonicMs())
    this.isFailing = plan.failing.fromStart
  }

  async play(): Promise<void> {
    const { cluster, plan } = this
    const node = await cluster.start('a')
    this.node = node
    this.observe(node)
    const root: ChildPlan = {
      id: 'root',
      restart: 'temporary',
      shutdown: Infinity,
      significant: false,
      runs: plan.root,
    }
    const keeper = node.spawn(
      async (self) => {
        await this.specOf(root).start(self)
        await self.receive('stop')
        self.exit('shutdown')
      },
      { trapExit: true },
    )
    await cluster.advance(50)
    this.isFailing = true
    for (const { act, thenMs } of plan.steps) {
      this.perform(node, act)
      await cluster.advance(thenMs)
      this.lookForOrphans(GRACE_MS)
    }
    node.send(keeper, { type: 'stop' })
    for (const { act, thenMs } of plan.stepsInShutdown) {
      await cluster.advance(thenMs)
      this.perform(node, act)
    }
    await cluster.advance(OVER_MS)
    this.lookForOrphans(0)
    for (const { pid, child } of this.members) {
      if (node.isProcessAlive(pid) && !this.unlinked.has(pid.toString()))
        this.breach(`${child.id} ${pid} has outlived the end of all`)
    }
    await cluster.stop()
  }

  breach(rule: string): void {
    this.broken.push(rule)
    this.chronicle.add({ type: 'note', text: `broken: ${rule}` })
  }

  private observe(node: Node): void {
    const { chronicle } = this
    const { exits } = (node as unknown as Insides).kernel
    const signal = exits.signal.bind(exits)
    exits.signal = (to, from, reason) => {
      chronicle.add({ type: 'signal', from: from.toString(), to: to.pid.toString(), reason })
      signal(to, from, reason)
    }
    node.trace('all', { spawn: true, exit: true, receive: true }, (event) => {
      const pid = event.pid.toString()
      if (event.type === 'spawn') this.onSpawn(event.pid, event.child)
      if (event.type === 'exit') {
        this.endedMs.set(pid, event.atMs)
        chronicle.add({ type: 'ended', pid, reason: event.reason })
      }
      if (event.type === 'receive' && this.planOfLife.has(pid)) {
        const message = this.read(event.message)
        if (message !== undefined) chronicle.add({ type: 'got', supervisor: pid, message })
      }
    })
  }

  private onSpawn(supervisorPid: Pid, pid: Pid): void {
    const parent = supervisorPid.toString()
    const child = this.starting.get(parent)
    if (child === undefined) return
    this.members.push({ pid, supervisor: parent, supervisorPid, child })
    if (child.runs.type !== 'supervisor') return
    this.planOfLife.set(pid.toString(), child.runs)
    this.chronicle.lives.push({ pid: pid.toString(), parent, plan: child.runs })
  }

  private read(message: unknown): GotMessage | undefined {
    if (hasType(message, 'EXIT')) return { type: 'exit', from: message.from.toString(), reason: message.reason }
    if (hasType(message, '$supervisor_retry')) {
      const { child } = message as unknown as { child: { spec: ChildSpec } }
      return { type: 'retry', id: child.spec.id }
    }
    if (!hasType(message, '$gen_call')) return undefined
    const { from, request } = message as unknown as { from: { pid: Pid }; request: { type: string } & object }
    const ask = this.questionOf(request)
    return ask === undefined ? undefined : { type: 'question', caller: from.pid.toString(), ask }
  }

  private questionOf(
    request: { readonly type: string; readonly [key: string]: unknown } & object,
  ): Question | undefined {
    switch (request.type) {
      case 'start_child': {
        const child = this.planOfStart.get((request['spec'] as ChildSpec).start)
        return child === undefined ? undefined : { type: request.type, child }
      }
      case 'terminate_child':
        return { type: request.type, child: String(request['child']) }
      case 'restart_child':
      case 'delete_child':
        return { type: request.type, id: String(request['id']) }
      case 'which_children':
        return { type: request.type }
      default:
        return undefined
    }
  }

  private specOf(child: ChildPlan): ChildSpec {
    const { chronicle } = this
    const { id, restart, shutdown, significant, runs } = child
    const inner = runs.type === 'supervisor' ? this.startOfSupervisor(runs) : this.startOfWorker(child, runs)
    const start = async (self: Context): Promise<Pid | undefined> => {
      const supervisor = self.pid.toString()
      chronicle.add({ type: 'start', supervisor, child })
      this.starting.set(supervisor, child)
      try {
        const pid = await inner(self)
        this.starting.delete(supervisor)
        chronicle.add({ type: 'started', supervisor, child, pid: pid?.toString() })
        if (pid !== undefined && runs.type === 'supervisor' && runs.strategy === 'dynamic') this.fill(pid, runs)
        return pid
      } catch (error) {
        this.starting.delete(supervisor)
        if (self.isAlive) chronicle.add({ type: 'start_failed', supervisor, child })
        throw error
      }
    }
    this.planOfStart.set(start, child)
    return { id, restart, shutdown, significant, type: runs.type, start }
  }

  private startOfSupervisor(plan: SupervisorPlan): ChildSpec['start'] {
    const { strategy, intensity, periodMs, autoShutdown, children } = plan
    if (strategy === 'dynamic') return (self) => DynamicSupervisor.startLink(self, { intensity, periodMs })
    const specs = children.map((child) => this.specOf(child))
    return (self) => Supervisor.startLink(self, { strategy, intensity, periodMs, autoShutdown }, specs)
  }

  /** A dynamic supervisor has been started: it is given its children. */
  private fill(supervisor: DynamicSupervisorRef & Pid, plan: SupervisorPlan): void {
    for (const child of plan.children) {
      const spec = this.specOf({ ...child, id: `d${++this.lastId}` })
      this.ask(async (self) => (await DynamicSupervisor.startChild(self, supervisor, spec)).type)
    }
  }

  private startOfWorker(child: ChildPlan, { as, traps }: WorkerPlan): ChildSpec['start'] {
    if (as === 'process') return (self) => self.spawnLink(this.body(self.pid), { trapExit: traps })
    return async (self) => {
      if (as === 'function' && this.dice.percent(25)) {
        await this.sleep(self, this.dice.of(INIT_MS))
        return undefined
      }
      return startLink(self, Worker, [this.behaviour(self.pid)], { trapExit: traps })
    }
  }

  private behaviour(supervisor: Pid): Behaviour {
    const { dice } = this
    return {
      init: async (self) => {
        await this.sleep(self, dice.of(INIT_MS))
        const fails = this.isFailing && dice.percent(this.plan.failing.percent)
        if (fails && dice.percent(50)) throw new Error('init fails')
        if (fails) self.exit(dice.of(['boom', 'normal', 'shutdown'] as const))
      },
      order: (self, order) => this.obey(self, order, supervisor),
      terminate: async (self) => {
        await this.sleep(self, dice.of(TERMINATE_MS))
        if (dice.percent(10)) throw new Error('terminate fails')
      },
    }
  }

  private body(supervisor: Pid) {
    return async (self: Context): Promise<void> => {
      for (;;) {
        const message = await self.receive()
        if (hasType(message, 'order')) this.obey(self, message as Order, supervisor)
        if (!hasType(message, 'EXIT')) continue
        await this.sleep(self, this.dice.of(TERMINATE_MS))
        self.exit(this.dice.percent(80) ? message.reason : 'boom')
      }
    }
  }

  private obey(self: Context, { act, how }: Order, supervisor: Pid): void {
    if (act === 'crash') throw new Error('crashed as it was told')
    const dice = new Dice(how)
    if (act === 'exit') self.exit(dice.percent(20) ? { shutdown: 'of its own' } : dice.of(REASONS))
    this.unlinked.add(self.pid.toString())
    self.unlink(supervisor)
  }

  private async sleep(self: Context, ms: number): Promise<void> {
    // The main process doesn't end before the node does.
    if (ms > 0 && this.node !== undefined) await self.awaitDown(this.node.self.pid, ms)
  }

  private perform(node: Node, act: Act): void {
    const living = this.members.filter(({ pid }) => node.isProcessAlive(pid))
    const supervisors = living.filter(({ child }) => child.runs.type === 'supervisor')
    const workers = living.filter(({ child }) => child.runs.type === 'worker')
    const chosen = <T>(items: readonly T[]): T | undefined => items[act.at % Math.max(1, items.length)]
    const worker = chosen(workers)
    const supervisor = chosen(supervisors)
    switch (act.type) {
      case 'crash':
      case 'exit':
      case 'unlink': {
        const order: Order = { type: 'order', act: act.type, how: act.how }
        if (worker !== undefined) node.send(worker.pid, order)
        return
      }
      case 'kill':
        if (worker !== undefined) node.exit(worker.pid, act.how % 3 === 0 ? 'boom' : 'kill')
        return
      case 'kill_and_terminate':
        // The question stands before another try, should the first one fail.
        if (worker === undefined) return
        node.exit(worker.pid, 'kill')
        this.ask((self) => Supervisor.terminateChild(self, worker.supervisorPid, worker.child.id))
        return
      case 'kill_supervisor':
        if (supervisor !== undefined) node.exit(supervisor.pid, act.how % 4 === 0 ? 'shutdown' : 'kill')
        return
      case 'start_child':
      case 'terminate_child':
      case 'restart_child':
      case 'delete_child':
      case 'which_children':
        if (supervisor !== undefined) this.askSupervisor(supervisor, act)
    }
  }

  private askSupervisor({ pid, child: { runs } }: Member, act: Extract<Act, { readonly child: number }>): void {
    if (runs.type !== 'supervisor') return
    const { strategy, children, autoShutdown } = runs
    const ids = [...children.map(({ id }) => id), 'n0', 'n1']
    const id = ids[act.child % ids.length] ?? 'n0'
    const dice = new Dice(act.how)
    if (strategy === 'dynamic') {
      this.askDynamic(pid, act)
      return
    }
    const supervisor: SupervisorRef & Pid = pid
    switch (act.type) {
      case 'start_child': {
        const spec = this.specOf(drawChild(dice, { id, depth: 4, autoShutdown }))
        this.ask(async (self) => (await Supervisor.startChild(self, supervisor, spec)).type)
        return
      }
      case 'terminate_child':
        this.ask((self) => Supervisor.terminateChild(self, supervisor, id))
        return
      case 'restart_child':
        this.ask(async (self) => (await Supervisor.restartChild(self, supervisor, id)).type)
        return
      case 'delete_child':
        this.ask((self) => Supervisor.deleteChild(self, supervisor, id))
        return
      case 'which_children':
        this.ask(async (self) => listText(await Supervisor.whichChildren(self, supervisor)))
    }
  }

  private askDynamic(supervisor: DynamicSupervisorRef & Pid, act: Extract<Act, { readonly child: number }>): void {
    switch (act.type) {
      case 'start_child': {
        const plan = drawChild(new Dice(act.how), { id: `d${++this.lastId}`, depth: 4, autoShutdown: 'never' })
        this.ask(async (self) => (await DynamicSupervisor.startChild(self, supervisor, this.specOf(plan))).type)
        return
      }
      case 'terminate_child': {
        const theirs = this.members.filter((member) => member.supervisor === supervisor.toString())
        const child = theirs[act.child % Math.max(1, theirs.length)]
        if (child !== undefined) this.ask((self) => DynamicSupervisor.terminateChild(self, supervisor, child.pid))
        return
      }
      case 'restart_child':
      case 'delete_child':
      case 'which_children':
        this.ask(async (self) => listText(await DynamicSupervisor.whichChildren(self, supervisor)))
    }
  }

  /** A process of its own for each question: it waits as long as it takes. */
  private ask(question: (self: Context) => Promise<string>): void {
    this.node?.spawn(async (self) => {
      const result = await question(self).catch(() => undefined)
      // Its supervisor has ended: that is told elsewhere.
      if (result !== undefined) this.chronicle.add({ type: 'answered', caller: self.pid.toString(), result })
    })
  }

  /** Living children whose supervisor has ended long ago. */
  private lookForOrphans(graceMs: number): void {
    const nowMs = this.cluster.clock.monotonicMs()
    for (const { pid, supervisor, child } of this.members) {
      const endedMs = this.endedMs.get(supervisor)
      if (endedMs === undefined || endedMs + graceMs > nowMs || this.unlinked.has(pid.toString())) continue
      if (this.node?.isProcessAlive(pid) === true)
        this.breach(`an orphan: ${child.id} ${pid}, child of ${supervisor}, which ended at ${endedMs} ms`)
    }
  }
}

export function listText(
  children: readonly { readonly id: string; readonly pid: Pid | 'restarting' | undefined }[],
): string {
  return children.map(({ id, pid }) => `${id}:${String(pid)}`).join(' ')
}

interface Behaviour {
  readonly init: (self: Context) => Promise<void>
  readonly order: (self: Context, order: Order) => void
  readonly terminate: (self: Context) => Promise<void>
}

class Worker extends GenServer {
  private behaviour: Behaviour | undefined

  override async init(behaviour: Behaviour): Promise<void> {
    this.behaviour = behaviour
    await behaviour.init(this.self)
  }

  override handleInfo(message: unknown) {
    if (hasType(message, 'order')) this.behaviour?.order(this.self, message as Order)
    // Of somebody else: its parent's it doesn't see.
    return hasType(message, 'EXIT') ? this.stop(message.reason) : undefined
  }

  override async terminate(): Promise<void> {
    await this.behaviour?.terminate(this.self)
  }
}
