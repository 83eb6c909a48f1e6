/**
 * What user code holds of its own process: `self`. Everything that a process can do, and the only way to do it as that process.
 *
 * Once the process has exited every method that does something throws `ProcessExited`, so that a continuation that resumes too late can do nothing as a process
 * that is no more.
 */
import { ExitError, PidmeshError, shown } from '../errors.ts'
import { Pid, sameIdentity, type NameOnNode, type NodeIdentity, type NodeName, type Ref } from '../ids.ts'
import type { NodeDownMessage, NodeType, SystemMessages, TimeoutMessage } from '../messages.ts'
import type { AttachedTable, TableListener } from '../node/attached-tables.ts'
import type { Kernel } from '../node/kernel.ts'
import type { Destination } from '../node/router.ts'
import type { EventListener, Instrument, Telemetry } from '../observe/telemetry.ts'
import type { ProcessInfo, ProcessInfoOptions } from '../observe/process-info.ts'
import type { LogFields, Logger } from '../ports.ts'
import { formatReason, isQuietReason, reasonOfThrown, type ExitReason } from '../reasons.ts'
import type { SendStatus, SentStatus } from '../signals/signal.ts'
import { checkDelay, checkDuration } from '../timers.ts'
import { ProcessAbort } from './abort.ts'
import type { ProcessBody, SpawnOptions } from './body.ts'
import {
  checkAddressee,
  checkFlag,
  checkFlagOption,
  checkFunction,
  checkLabel,
  checkNameText,
  checkNodeName,
  checkNodeTypeOption,
  checkOptions,
  checkPid,
  checkReason,
  checkRef,
  isA,
} from './checks.ts'
import { awaitAny, checkOpenRequests, OpenRequest } from './open-request.ts'
import { exitedError, type Process } from './process.ts'
import type { KeptContext } from './propagator.ts'
import { checkReceive, flushDown, receive, type ReceiveOptions, type ReceiveTimeout } from './receive.ts'
import { asItIs, PendingRequest, type ReadOutcome, type RequestOutcome } from './requests.ts'
import { within, type Within } from './within.ts'

export interface MonitorOptions {
  /**
   * Makes the reference an alias too, to which messages to this process can be sent (`alias` of `erlang:monitor/3`), until
   * - `explicit_unalias`: `unalias`;
   * - `demonitor`: `unalias`, `demonitor`, or the `DOWN`;
   * - `reply_demonitor`: the same, or the first message to it, which ends the monitor too.
   * @default no alias
   */
  readonly alias?: 'explicit_unalias' | 'demonitor' | 'reply_demonitor'
}

export interface MonitorNodesOptions {
  /** @default 'visible' */
  readonly nodeType?: NodeType | 'all'
}

export interface DemonitorOptions {
  /** Also removes the monitor's `DOWN` from the mailbox if it is there already. @default false */
  readonly flush?: boolean
  /** Makes `demonitor` say whether the monitor was still there; without it the answer is always `true`. @default false */
  readonly info?: boolean
}

export interface AliasOptions {
  /** Closes the alias with the first message to it. @default false */
  readonly reply?: boolean
}

const TABLE_EVENTS: ReadonlyArray<keyof TableListener> = ['onProcessEnd', 'onNodeDown']

/** Calls in a process that has exited which are told so, before it is let wait. */
const MAX_LATE_CALLS = 100

const ALIAS_MODES: ReadonlySet<unknown> = new Set<MonitorOptions['alias']>([
  undefined,
  'explicit_unalias',
  'demonitor',
  'reply_demonitor',
])

export class Context {
  private readonly kernel: Kernel
  private readonly process: Process
  private logger: Logger | undefined = undefined
  private lateCalls = 0

  /** Made by the runtime. */
  constructor(kernel: Kernel, process: Process) {
    this.kernel = kernel
    this.process = process
  }

  get pid(): Pid {
    return this.process.pid
  }

  /** The name of the node that this process runs on. */
  get node(): NodeName {
    return this.kernel.identity.name
  }

  get isAlive(): boolean {
    return this.process.isAlive
  }

  /** A logger whose lines bear this process's pid. */
  get log(): Logger {
    return (this.logger ??= this.kernel.log.child({ pid: this.process.pid.toString() }))
  }

  /**
   * Aborted when the process has exited, with a `ProcessExited` as its reason: give it to the I/O that the process starts. What a listener throws is
   * logged (`abort_listener`).
   */
  get signal(): AbortSignal {
    this.process.abort ??= new ProcessAbort(this.process, (thrown) =>
      this.kernel.reports.abortListener(this.process, reasonOfThrown(thrown)),
    )
    return this.process.abort.signal
  }

  /**
   * For libraries that tell what they do: `undefined` if nobody listens on this node.
   * @example self.telemetry?.tell({ type: 'cache_missed', key })
   */
  get telemetry(): Telemetry | undefined {
    return this.kernel.telemetry.active
  }

  /**
   * For libraries: attaches a listener to what is told on this node. Of what types its events are their tellers say, such as `telemetry.attach` of
   * `@pidmesh/gen-server`, which is what programs use. It stays when this process ends.
   * @returns what detaches it
   * @throws PidmeshError `ERR_BAD_ARGUMENT`
   */
  attachTelemetry<Event>(listener: EventListener<Event>): () => void {
    checkFunction('a listener of telemetry', listener)
    this.living()
    return this.kernel.telemetry.attach(listener as EventListener<unknown>)
  }

  /** For libraries: as `attachTelemetry`, of what runs operations. */
  instrumentTelemetry<Operation, Event>(instrument: Instrument<Operation, Event>): () => void {
    checkFunction('an instrument of telemetry', instrument)
    this.living()
    return this.kernel.telemetry.instrument(instrument as Instrument<unknown, unknown>)
  }

  /**
   * For libraries: what one of them holds for this node. There is one of each class, made when it is first asked for, with the context of the node's main process.
   * @example const tables = self.perNode(Tables)
   * @throws PidmeshError `ERR_BAD_ARGUMENT`; what the constructor throws
   */
  perNode<T extends object>(kind: new (main: Context) => T): T {
    checkFunction('what there is one of for each node', kind)
    this.living()
    return this.kernel.perNode(kind)
  }

  /**
   * For libraries that keep tables of processes: they are told of ends at once, before any process is. It stays when this process ends, until it is detached. See
   * `TableListener`.
   * @throws PidmeshError `ERR_BAD_OPTION`; `ERR_BAD_ARGUMENT` if one of the two is no function
   */
  attachTable(listener: TableListener): AttachedTable {
    const read = checkOptions('attachTable', listener, TABLE_EVENTS)
    for (const name of TABLE_EVENTS) checkFunction(name, read[name])
    this.living()
    const { router, tables } = this.kernel
    return tables.attach(listener, (pid) => (router.isHere(checkPid(pid)) ? router.processOf(pid) : undefined))
  }

  /** A text for logs and observation; no address. */
  get label(): string | undefined {
    return this.process.label
  }

  set label(label: string | undefined) {
    this.living().label = checkLabel(label)
  }

  /** Whether exit signals become `EXIT` messages, as `process_flag(trap_exit, …)`. */
  get trapExit(): boolean {
    return this.process.trapExit
  }

  set trapExit(on: boolean) {
    this.living().trapExit = checkFlag('trapExit', on)
  }

  /**
   * Sends a message; never blocks. A message to a dead process is dropped silently. Between two processes messages and signals arrive in the
   * order in which they were sent. On the same node the message is passed as it is, not copied: treat what you sent as no longer yours.
   * @returns whether it is on its way, on its way over a congested connection, or dropped because there is no connection.
   * @throws PidmeshError `ERR_NOT_REGISTERED` for a local name that nobody has, `ERR_BAD_ARGUMENT` for what is no destination;
   * for another node `ERR_NOT_SENDABLE` or `ERR_MESSAGE_TOO_LARGE`.
   */
  send(to: Destination, message: unknown): SendStatus {
    return this.kernel.router.send(this.living(), to, message)
  }

  /**
   * As `send`, but waits while the connection is congested: for those who have a lot to send. Resolves with `ok` when the connection has room again, at once
   * if it has, or with `noconnection`. Messages keep their order whoever waits.
   * @throws what `send` throws; ProcessExited by rejection.
   */
  sendOk(to: Destination, message: unknown): Promise<SentStatus> {
    if (!this.process.isAlive) return this.tooLate()
    return this.kernel.router.sendOk(this.process, to, message)
  }

  /**
   * Sends one message to many processes, wherever they are: it is encoded once, and goes once to each node. As if it were sent to one after the other, but that those
   * of one node are given the same object: none of them may change it.
   * @returns `ok`; `busy` if a connection that it goes over is; `noconnection` if it can't reach one of them for want of a connection
   * @throws what `send` throws; PidmeshError `ERR_BAD_ARGUMENT` for what is no list of pids. Then nothing has been sent.
   */
  sendAll(to: readonly Pid[], message: unknown): SendStatus {
    return this.kernel.router.sendAll(this.living(), to, message)
  }

  /**
   * Takes the oldest message that matches, waiting for it if need be; the others stay, in their order. One `receive` at a time; for plain processes only.
   * @example const down = await self.receive('DOWN')
   * @example const answer = await self.receive('answer', { timeoutMs: 1_000 })   // undefined after a second
   * @example const number = await self.receive({ match: (message) => typeof message === 'number' })
   * @throws ProcessExited by rejection, if the process ends first; what a `match` that throws has thrown, likewise.
   * @throws PidmeshError `ERR_BAD_ARGUMENT`, `ERR_BAD_OPTION`
   */
  receive<T extends keyof SystemMessages>(
    type: T,
    options?: ReceiveTimeout & { readonly timeoutMs?: undefined },
  ): Promise<SystemMessages[T]>
  receive<T extends keyof SystemMessages>(type: T, options: ReceiveTimeout): Promise<SystemMessages[T] | undefined>
  receive<T = unknown>(type: string, options?: ReceiveTimeout & { readonly timeoutMs?: undefined }): Promise<NoInfer<T>>
  receive<T = unknown>(type: string, options: ReceiveTimeout): Promise<NoInfer<T> | undefined>
  receive<T = unknown>(options?: ReceiveOptions<T> & { readonly timeoutMs?: undefined }): Promise<NoInfer<T>>
  receive<T = unknown>(options: ReceiveOptions<T>): Promise<NoInfer<T> | undefined>
  receive(selector?: string | ReceiveOptions<unknown>, more?: ReceiveTimeout): Promise<unknown> {
    const wanted = checkReceive(selector, more)
    if (!this.process.isAlive) return this.tooLate()
    const { process } = this
    if (process.isMain)
      throw new PidmeshError('ERR_BAD_ARGUMENT', 'code outside of processes has no mailbox: spawn a process to receive')
    if (process.takesHandler) {
      throw new PidmeshError(
        'ERR_BAD_ARGUMENT',
        'a handler process gets its messages through its handler and cannot receive',
      )
    }
    if (process.receiver !== undefined) {
      throw new PidmeshError('ERR_BAD_ARGUMENT', 'the process is already waiting in a receive')
    }
    return receive(process, wanted, this.kernel)
  }

  /**
   * For plain processes: runs a function in the context that came with the message which `receive` has given last, or in none if it had none. (JavaScript lets a
   * function that awaits go on in its own context; a handler process handles each message in the context that came with it.) In a handler process, and on a
   * node without `propagation`, it just calls the function.
   * @example
   *   const order = await self.receive('order')
   *   await self.inMessageContext(() => cook(order))
   */
  inMessageContext<T>(run: () => T): T {
    const { mailbox, takesHandler } = this.living()
    checkFunction('what is to run in a context', run)
    const { propagator } = this.kernel
    return propagator === undefined || takesHandler ? run() : propagator.run(mailbox?.received, run)
  }

  /**
   * The context that is active now, to run something in it later: what a process has put off, for example. `undefined` on a node without `propagation`, where
   * there is none.
   */
  keepContext(): KeptContext | undefined {
    this.living()
    return this.kernel.propagator?.keep()
  }

  /** Ends this process with a reason: throws what ends it when it leaves the process's code. */
  exit(reason: ExitReason): never
  /** Sends an exit signal: see docs/semantics.md for what each reason does to whom. */
  exit(pid: Pid, reason: ExitReason): void
  exit(pidOrReason: Pid | ExitReason, ...others: readonly (ExitReason | undefined)[]): void {
    const process = this.living()
    if (others.length > 0) {
      this.kernel.router.exit(process, checkPid(pidOrReason as Pid), checkReason(others[0]))
      return
    }
    if (isA(pidOrReason, Pid))
      throw new PidmeshError('ERR_BAD_ARGUMENT', `${pidOrReason} is not an exit reason, and there is none for it`)
    throw new ExitError(checkReason(pidOrReason), 'ERR_EXIT', `exit: ${formatReason(pidOrReason)}`, false)
  }

  /** Links this process and another. A dead one gives `noproc` as an exit signal, an unreachable one `noconnection`. */
  link(pid: Pid): void {
    checkPid(pid)
    if (this.living().traces !== undefined) this.kernel.tracing.tell(this.process, { type: 'link', to: pid })
    // Once more: who was told may have killed it.
    this.kernel.router.link(this.living(), pid)
  }

  /** After it has returned no exit signal of that link arrives. */
  unlink(pid: Pid): void {
    checkPid(pid)
    if (this.living().traces !== undefined) this.kernel.tracing.tell(this.process, { type: 'unlink', to: pid })
    this.kernel.router.unlink(this.living(), pid)
  }

  /**
   * Watches a process, or whoever has a name now: one `DOWN` with this reference when it ends or can't be reached. To monitor
   * oneself does nothing: the reference is neither a monitor nor an alias.
   * @throws PidmeshError `ERR_BAD_ARGUMENT`, `ERR_BAD_OPTION`
   */
  monitor(object: Pid | NameOnNode | string, options: MonitorOptions = {}): Ref {
    const process = this.living()
    const { alias } = checkOptions('monitor', options, ['alias'])
    if (!ALIAS_MODES.has(alias)) throw new PidmeshError('ERR_BAD_OPTION', `monitor has no alias option ${shown(alias)}`)
    checkAddressee(object)
    const ref = this.kernel.nextRef()
    // As on BEAM: neither a monitor nor an alias.
    if (this.kernel.router.isSelf(process, object)) return ref
    if (alias !== undefined) {
      // The end of the monitor closes the alias too.
      const end = (): unknown => this.kernel.monitors.demonitor(process, ref.id)
      this.openAlias(process, ref, alias === 'reply_demonitor' ? end : undefined)
    }
    const closesAlias = alias !== undefined && alias !== 'explicit_unalias'
    this.kernel.router.monitor(process, object, { ref, closesAlias })
    return ref
  }

  /**
   * Ends a monitor: no `DOWN` of it is delivered after this has returned. With `info` it says whether the monitor was still there: `false` if its `DOWN` has
   * been delivered (and, with `flush`, removed), or it never was. As `erlang:demonitor/2`.
   * @throws PidmeshError `ERR_BAD_ARGUMENT`, `ERR_BAD_OPTION`
   */
  demonitor(ref: Ref, options: DemonitorOptions = {}): boolean {
    const process = this.living()
    checkRef(ref)
    const read = checkOptions('demonitor', options, ['flush', 'info'])
    const [flush, info] = [checkFlagOption('flush', read.flush), checkFlagOption('info', read.info)]
    const found = this.isOurs(ref) && this.kernel.monitors.demonitor(process, ref.id)
    if (!found && flush) flushDown(process, ref)
    return found || !info
  }

  /**
   * Opens an alias: a reference to which others can send messages to this process, until `unalias`, and as long as the process lives. What is sent to it
   * afterwards is dropped.
   */
  alias(options: AliasOptions = {}): Ref {
    const process = this.living()
    const { reply } = checkOptions('alias', options, ['reply'])
    const isOnce = checkFlagOption('reply', reply)
    const ref = this.kernel.nextRef()
    this.openAlias(process, ref, isOnce ? () => this.kernel.aliases.removeOwn(process, ref.id) : undefined)
    return ref
  }

  /**
   * Waits until the connection to a node is not, or no longer, `busy`: for a library that has more to send than a connection takes at once.
   * @returns `noconnection` if there is none, or it is lost
   * @throws ProcessExited by rejection, if this process ends first; PidmeshError `ERR_BAD_ARGUMENT`
   */
  drained(node: NodeName): Promise<SentStatus> {
    checkNodeName(node)
    return this.process.isAlive ? this.kernel.router.drained(this.process, node) : this.tooLate()
  }

  /** A reference that nobody else has: `erlang:make_ref/0`. */
  makeRef(): Ref {
    this.living()
    return this.kernel.nextRef()
  }

  /**
   * For libraries that must know which node a message has come from, whatever it says itself: `tag` is called with each message to this process's pid or name from
   * another node, and with the node that is authenticated at the other end of the connection, and what it returns is put into the mailbox. Messages to aliases
   * aren't tagged. It must not throw. A later call takes the place of an earlier one.
   * @throws PidmeshError `ERR_BAD_ARGUMENT`
   */
  tagRemote(tag: (message: unknown, origin: NodeIdentity) => unknown): void {
    checkFunction('tag', tag)
    this.living().remoteTag = tag
  }

  /** Closes an alias of this process, a monitor's too (the monitor stays). Says whether it was open. */
  unalias(ref: Ref): boolean {
    return this.isOurs(ref) && this.kernel.aliases.removeOwn(this.living(), ref.id)
  }

  /**
   * Starts a process. Its code runs in a later turn, never within this call.
   * @throws PidmeshError `ERR_NAME_TAKEN`, `ERR_BAD_ARGUMENT`, `ERR_BAD_OPTION`, `ERR_NODE_STOPPED`
   */
  spawn(body: ProcessBody, options?: SpawnOptions): Pid {
    return this.kernel.spawn(body, options, this.living()).pid
  }

  /** As `spawn` and `link` in one step. */
  spawnLink(body: ProcessBody, options?: SpawnOptions): Pid {
    const process = this.living()
    const { pid } = this.kernel.spawn(body, options, process, (child) => this.kernel.links.linkLocal(process, child))
    if (process.traces !== undefined) this.kernel.tracing.tell(process, { type: 'link', to: pid })
    return pid
  }

  /** As `spawn` and `monitor` in one step. */
  spawnMonitor(body: ProcessBody, options?: SpawnOptions): { readonly pid: Pid; readonly ref: Ref } {
    const process = this.living()
    const ref = this.kernel.nextRef()
    const child = this.kernel.spawn(body, options, process, (made) =>
      this.kernel.router.monitor(process, made.pid, { ref }),
    )
    return { pid: child.pid, ref }
  }

  /**
   * Registers a process of this node under a name, by default this one.
   * @throws PidmeshError `ERR_NAME_TAKEN`, `ERR_BAD_ARGUMENT`
   */
  register(name: string, pid: Pid = this.pid): void {
    this.living()
    const { router, names, tracing } = this.kernel
    const target = checkPid(pid) && router.isHere(pid) ? router.processOf(pid) : undefined
    if (target === undefined) throw new PidmeshError('ERR_BAD_ARGUMENT', `${pid} is not a living process of this node`)
    names.register(name, target)
    if (target.traces !== undefined) tracing.tell(target, { type: 'register', name })
  }

  /** @throws PidmeshError `ERR_NOT_REGISTERED` */
  unregister(name: string): void {
    this.living()
    const { names, tracing } = this.kernel
    const target = names.whereis(checkNameText(name))
    names.unregister(name)
    if (target?.traces !== undefined) tracing.tell(target, { type: 'unregister', name })
  }

  whereis(name: string): Pid | undefined {
    return this.kernel.names.whereis(checkNameText(name))?.pid
  }

  /** The names of processes of this node, sorted. */
  registered(): string[] {
    return this.kernel.names.registered()
  }

  /** The living processes of this node. */
  processes(): Pid[] {
    return this.kernel.pids()
  }

  /**
   * Whether a process of this node is alive.
   * @throws PidmeshError `ERR_BAD_ARGUMENT` for a process of another node: only that node knows.
   */
  isProcessAlive(pid: Pid): boolean {
    return this.kernel.router.processHere(checkPid(pid)) !== undefined
  }

  /**
   * What can be seen of a process of this node; `undefined` if it has ended.
   * @throws PidmeshError `ERR_BAD_ARGUMENT` for a process of another node, `ERR_BAD_OPTION`
   */
  processInfo(pid: Pid, options?: ProcessInfoOptions): ProcessInfo | undefined {
    return this.kernel.processInfo(checkPid(pid), options)
  }

  /** Milliseconds, never going back, from an arbitrary start: to measure durations with. As `erlang:monotonic_time/1`. */
  monotonicMs(): number {
    return this.kernel.clock.monotonicMs()
  }

  /** Sends `message` after `delayMs`. If `to` is a pid the timer dies with it. */
  sendAfter(delayMs: number, to: Pid | string, message: unknown): Ref {
    return this.startTimerOf(delayMs, to, () => message)
  }

  /** As `sendAfter`, but what arrives is `{ type: 'timeout', ref, message }`. */
  startTimer(delayMs: number, to: Pid | string, message: unknown): Ref {
    return this.startTimerOf(delayMs, to, (ref): TimeoutMessage => ({ type: 'timeout', ref, message }))
  }

  /** After it has returned the timer's message does not arrive. Milliseconds that were left, or `undefined` if it has fired. */
  cancelTimer(ref: Ref): number | undefined {
    this.living()
    return this.isOurs(ref) ? this.kernel.processTimers.cancel(ref.id) : undefined
  }

  /** Milliseconds left, or `undefined` if it has fired or been cancelled. */
  readTimer(ref: Ref): number | undefined {
    return this.isOurs(ref) ? this.kernel.processTimers.read(ref.id) : undefined
  }

  /**
   * Subscribes to `nodeup` and `nodedown` of all nodes of a type, or ends that. A later call takes the place of an earlier one.
   * @throws PidmeshError `ERR_BAD_ARGUMENT`, `ERR_BAD_OPTION`
   */
  monitorNodes(on: boolean, options: MonitorNodesOptions = {}): void {
    const process = this.living()
    const { nodeType } = checkOptions('monitorNodes', options, ['nodeType'])
    const wanted = checkNodeTypeOption(nodeType)
    this.kernel.nodeMonitors.monitorNodes(process, checkFlag('on', on) ? wanted : 'none')
  }

  /** One `nodedown` when the connection to `node` ends, at once if there is none and none can be made. Each call counts. */
  monitorNode(node: NodeName, on: boolean): void {
    const process = this.living()
    checkFlag('on', on)
    checkNodeName(node)
    if (on && !this.kernel.router.canReach(node)) {
      const down: NodeDownMessage = { type: 'nodedown', node, nodeType: 'visible', reason: 'disconnect' }
      this.kernel.scheduler.deliver(process, down, true)
      return
    }
    this.kernel.nodeMonitors.monitorNode(process, node, on)
  }

  /**
   * Sends a request that bears an alias for the reply, and waits for the reply, the target's end or the timeout, whichever is first: what
   * `call` is built on. A later reply is dropped.
   * @throws ProcessExited by rejection, if this process ends first.
   */
  request(
    target: Pid | NameOnNode | string,
    build: (replyTo: Ref) => unknown,
    timeoutMs: number,
  ): Promise<RequestOutcome> {
    return this.requestAs(target, build, timeoutMs, asItIs)
  }

  /**
   * As `request`, of a library that makes something of the outcome, without a promise more: `read` is called at once when it is there, in the turn of whoever
   * answers or ends. What it throws rejects; a `Failure`, where there is no reply, does so with a stack that leads to who waits.
   * @throws ProcessExited by rejection, if this process ends first.
   */
  requestAs<T>(
    target: Pid | NameOnNode | string,
    build: (replyTo: Ref) => unknown,
    timeoutMs: number,
    read: ReadOutcome<T>,
  ): Promise<T> {
    checkDuration('timeoutMs', timeoutMs)
    checkFunction('build', build)
    checkFunction('read', read)
    checkAddressee(target)
    if (!this.process.isAlive) return this.tooLate()
    return new PendingRequest(this.kernel, this.process, read).start({ target, build, tell: undefined }, timeoutMs)
  }

  /**
   * Tells one who waits for an answer to his request that none will come: it ends as if the one who was asked had ended with the reason. For an answer that can't be
   * sent. On the node that was asked only: from another nothing is told, and the request ends with its timeout.
   * @throws PidmeshError `ERR_BAD_ARGUMENT`
   */
  refuse(replyTo: Ref, reason: ExitReason): void {
    this.kernel.router.refuse(this.living(), checkRef(replyTo), checkReason(reason))
  }

  /**
   * Waits for the end of a process, or of whoever has a name now, without a `DOWN` in the mailbox: for those who end others and wait for it.
   * @param timeoutMs milliseconds, or `Infinity`
   * @returns its exit reason (`noproc` if it has ended before, `noconnection` if it can't be reached), or `undefined` if it hasn't ended in time
   * @throws ProcessExited by rejection, if this process ends first; PidmeshError `ERR_BAD_ARGUMENT`
   */
  awaitDown(object: Pid | NameOnNode | string, timeoutMs: number): Promise<ExitReason | undefined> {
    checkDuration('timeoutMs', timeoutMs)
    checkAddressee(object)
    if (!this.process.isAlive) return this.tooLate()
    const read: ReadOutcome<ExitReason | undefined> = (outcome) => {
      if (outcome.type !== 'down') return undefined
      // Of a process of this node a reason may be anything: a promise around it has its rejection heeded.
      return typeof outcome.reason === 'string' ? outcome.reason : Promise.resolve(outcome.reason)
    }
    const asked = { target: object, build: undefined, tell: undefined }
    return new PendingRequest(this.kernel, this.process, read).start(asked, timeoutMs)
  }

  /**
   * Sends a request as `request` does, to be waited for when it suits: what `sendRequest` is built on.
   * @throws PidmeshError `ERR_BAD_ARGUMENT`, `ERR_PROCESS_EXITED`. What can't be sent is told where it is waited for.
   */
  openRequest(target: Pid | NameOnNode | string, build: (replyTo: Ref) => unknown): OpenRequest {
    checkFunction('build', build)
    checkAddressee(target)
    return new OpenRequest(this.kernel, this.living(), { target, build })
  }

  /**
   * Waits until one of these requests of this process is over: that one, or `undefined` if none is in time.
   * @param timeoutMs milliseconds, or `Infinity`; 0 looks only
   * @throws ProcessExited by rejection, if this process ends first; what kept the request from being sent, likewise
   */
  awaitAny(requests: readonly OpenRequest[], timeoutMs: number): Promise<OpenRequest | undefined> {
    checkDuration('timeoutMs', timeoutMs)
    const open = checkOpenRequests(requests)
    if (!this.process.isAlive) return this.tooLate()
    const over = awaitAny(this.kernel, this.process, open, timeoutMs)
    over.catch(() => undefined)
    return over
  }

  /**
   * Waits for a promise of code outside of processes, for `timeoutMs` at most: one that never settles holds nobody up. What it settles with later is dropped.
   * @param timeoutMs milliseconds, or `Infinity`
   * @throws what the promise rejects with, by rejection; ProcessExited likewise, if this process ends first; PidmeshError `ERR_BAD_ARGUMENT`
   */
  within<T>(promise: Promise<T>, timeoutMs: number): Promise<Within<T>> {
    checkDuration('timeoutMs', timeoutMs)
    if (!isA(promise, Promise)) throw new PidmeshError('ERR_BAD_ARGUMENT', `not a promise: ${shown(promise)}`)
    return this.process.isAlive ? within(this.kernel.timers, this.process, promise, timeoutMs) : this.tooLate()
  }

  /**
   * As `requestAs`, but sends nothing: whoever is to answer learns the alias by `tell`, which is called at once. For a library that has just spawned the target.
   * @throws ProcessExited by rejection, if this process ends first; PidmeshError `ERR_BAD_ARGUMENT`
   */
  awaitAnswer<T>(target: Pid, tell: (replyTo: Ref) => void, timeoutMs: number, read: ReadOutcome<T>): Promise<T> {
    checkDuration('timeoutMs', timeoutMs)
    checkFunction('tell', tell)
    checkFunction('read', read)
    checkPid(target)
    if (!this.process.isAlive) return this.tooLate()
    return new PendingRequest(this.kernel, this.process, read).start({ target, build: undefined, tell }, timeoutMs)
  }

  /**
   * Ends this process now, with a crash report unless the reason is a quiet one, and returns: for a library whose handler has nothing more to do. It costs no
   * error and no throw, as `exit(reason)` does; what follows is done by a process that has exited.
   * @param details what the crash report says besides
   * @throws PidmeshError `ERR_BAD_ARGUMENT`
   */
  finish(reason: ExitReason, details: LogFields = {}): void {
    const process = this.living()
    const data = checkReason(reason)
    if (process.isMain) throw new PidmeshError('ERR_BAD_ARGUMENT', 'code outside of processes has none to end')
    this.kernel.endReported(process, data, isQuietReason(data) ? undefined : details)
  }

  /** A reference of another node, or of an earlier life of this one, may have the number of one of ours. */
  private isOurs(ref: Ref): boolean {
    return sameIdentity(checkRef(ref).origin, this.kernel.identity)
  }

  private living(): Process {
    if (this.process.isAlive) return this.process
    throw exitedError(this.process)
  }

  /**
   * What a method that waits gives in a process that has exited: a rejection. But a loop that catches it and goes on would take the whole OS process for
   * itself: after so many rejections the code of the dead is let wait for ever, and nobody holds it any more.
   */
  private tooLate(): Promise<never> {
    if (this.process.isMain || ++this.lateCalls < MAX_LATE_CALLS) {
      const late = Promise.reject<never>(exitedError(this.process))
      late.catch(() => undefined)
      return late
    }
    if (this.lateCalls === MAX_LATE_CALLS) {
      this.log.warn(
        {},
        'the process has exited, but its code catches the error that says so and goes on: it is stopped here',
      )
    }
    return new Promise(() => undefined)
  }

  /** `close` is for an alias that takes one message only. */
  private openAlias(process: Process, ref: Ref, close: (() => unknown) | undefined): void {
    const { aliases, scheduler } = this.kernel
    aliases.addOwn(process, ref.id, (message, _sentFrom, carrier) => {
      close?.()
      scheduler.deliver(process, message, false, carrier)
    })
  }

  private startTimerOf(delayMs: number, to: Pid | string, message: (ref: Ref) => unknown): Ref {
    const { router, processTimers, names, scheduler } = this.kernel
    this.living()
    checkDelay('delayMs', delayMs)
    const ref = this.kernel.nextRef()
    if (typeof to === 'string' && to !== '') {
      processTimers.start(ref.id, delayMs, undefined, () => {
        const process = names.whereis(to)
        if (process !== undefined) scheduler.deliver(process, message(ref), true)
      })
      return ref
    }
    if (typeof to === 'string' || !router.isHere(checkPid(to)))
      throw new PidmeshError('ERR_BAD_ARGUMENT', `a timer sends to a process of its own node, not to ${shown(to)}`)
    const process = router.processOf(to)
    if (process !== undefined)
      processTimers.start(ref.id, delayMs, process, () => scheduler.deliver(process, message(ref), true))
    return ref
  }
}
