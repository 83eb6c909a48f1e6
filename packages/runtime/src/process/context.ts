/**
 * What user code holds of its own process: `self`. Everything that a process can do, and the only way to do it as that process. What libraries have beside: library-context.ts.
 *
 * Once the process has exited every method that does something throws `ProcessExited`, so that a continuation that resumes too late can do nothing as a process
 * that is no more.
 */
import { ExitError, PidmeshError, shown } from '../errors.ts'
import { Pid, sameIdentity, type NameOnNode, type NodeName, type Ref } from '../ids.ts'
import type { NodeDownMessage, NodeType, SystemMessages, TimeoutMessage } from '../messages.ts'
import type { Destination } from '../node/router.ts'
import type { ProcessInfo, ProcessInfoOptions } from '../observe/process-info.ts'
import { formatReason, reasonOfThrown, type ExitReason } from '../reasons.ts'
import type { SendStatus, SentStatus } from '../signals/signal.ts'
import { checkDelay } from '../timers.ts'
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
  checkNodeType,
  checkNodeTypeOption,
  checkOptions,
  checkPid,
  checkReason,
  checkRef,
  isA,
} from './checks.ts'
import { LibraryContext } from './library-context.ts'
import type { Process } from './process.ts'
import { checkReceive, flushDown, receive, type ReceiveOptions, type ReceiveTimeout } from './receive.ts'
import { asItIs, type RequestOutcome } from './requests.ts'

export interface MonitorOptions {
  /**
   * Makes the reference an alias too, to which messages to this process can be sent (`alias` of `erlang:monitor/3`), until
   * - `explicit_unalias`: `unalias`;
   * - `demonitor`: `unalias`, `demonitor`, or the `DOWN`;
   * - `reply_demonitor`: the same, or the first message to it, which ends the monitor too.
   * @default no alias
   */
  readonly alias?: 'explicit_unalias' | 'demonitor' | 'reply_demonitor' | undefined
}

export interface MonitorNodesOptions {
  /** @default 'visible' */
  readonly nodeType?: NodeType | 'all' | undefined
}

export interface DemonitorOptions {
  /** Also removes the monitor's `DOWN` from the mailbox if it is there already. @default false */
  readonly flush?: boolean | undefined
  /** Makes `demonitor` say whether the monitor was still there; without it the answer is always `true`. @default false */
  readonly info?: boolean | undefined
}

export interface AliasOptions {
  /** Closes the alias with the first message to it. @default false */
  readonly reply?: boolean | undefined
}

const ALIAS_MODES: ReadonlySet<unknown> = new Set<MonitorOptions['alias']>([
  undefined,
  'explicit_unalias',
  'demonitor',
  'reply_demonitor',
])

export class Context extends LibraryContext {
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

  /** A reference that nobody else has: `erlang:make_ref/0`. */
  makeRef(): Ref {
    this.living()
    return this.kernel.nextRef()
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

  /**
   * The other nodes that are connected now, in the order of their names: by default those that are not hidden. As `nodes/0`.
   * @throws PidmeshError `ERR_BAD_ARGUMENT`
   */
  nodes(type: NodeType | 'all' = 'visible'): NodeName[] {
    return this.kernel.router.connected(checkNodeType(type))
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

  /**
   * One `nodedown` when the connection to `node` ends; at once, with the reason `disconnect`, if there is none and none can be made. Each call counts, and `monitorNodes`
   * counts apart: who has both gets two messages that are alike. Of one's own node nothing is told, as in Erlang.
   */
  monitorNode(node: NodeName, on: boolean): void {
    const process = this.living()
    checkFlag('on', on)
    checkNodeName(node)
    if (node === this.node) return
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

  /** A reference of another node, or of an earlier life of this one, may have the number of one of ours. */
  private isOurs(ref: Ref): boolean {
    return sameIdentity(checkRef(ref).origin, this.kernel.identity)
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
