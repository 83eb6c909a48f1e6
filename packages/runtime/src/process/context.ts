/**
 * What user code holds of its own process: `self`. Everything that a process can do, and the only way to do it as that process.
 *
 * Once the process has exited every method throws `ProcessExited`, so that a continuation that resumes too late can do nothing as a process
 * that is no more.
 */
import { ExitError, PidmeshError, ProcessExited } from '../errors.ts'
import { Pid, sameIdentity, type NameOnNode, type NodeName, type Ref } from '../ids.ts'
import { hasType, type NodeDownMessage, type SystemMessages, type TimeoutMessage } from '../messages.ts'
import type { Kernel } from '../node/kernel.ts'
import type { Destination } from '../node/router.ts'
import type { Logger } from '../ports.ts'
import { formatReason, reasonOfThrown, type ExitReason } from '../reasons.ts'
import type { SendStatus } from '../signals/signal.ts'
import { checkDuration } from '../timers.ts'
import type { ProcessBody, SpawnOptions } from './body.ts'
import { checkAddressee, checkPid, checkReason, checkRef } from './checks.ts'
import type { PendingReceive, Process } from './process.ts'
import { request, type RequestOutcome } from './requests.ts'
import { matchReceive } from './scheduler.ts'

/** Which messages a `receive` takes: all, those with this `type`, or those that the predicate accepts. */
export interface ReceiveOptions<T> {
  readonly match?: ((message: unknown) => message is T) | ((message: unknown) => boolean)
  /** Gives up after so many milliseconds, with `undefined`. 0 looks at the mailbox only. @default forever */
  readonly timeoutMs?: number
}

export interface DemonitorOptions {
  /** Also removes the monitor's `DOWN` from the mailbox if it is there already. @default false */
  readonly flush?: boolean
}

export class Context {
  private readonly kernel: Kernel
  private readonly process: Process
  private abort: AbortController | undefined = undefined
  private logger: Logger | undefined = undefined

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

  /** Aborted when the process exits: give it to the I/O that the process starts. */
  get signal(): AbortSignal {
    if (this.abort === undefined) {
      const abort = new AbortController()
      this.abort = abort
      if (this.process.isAlive) (this.process.exitHooks ??= new Set()).add((error) => abort.abort(error))
      else abort.abort(new ProcessExited(this.process.pid))
    }
    return this.abort.signal
  }

  /** Whether exit signals become `EXIT` messages, as `process_flag(trap_exit, …)`. */
  get trapExit(): boolean {
    return this.process.trapExit
  }

  set trapExit(on: boolean) {
    this.living().trapExit = on
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
   * Takes the oldest message that matches, waiting for it if need be. One `receive` at a time.
   * @example const down = await self.receive('DOWN')
   */
  receive<T extends keyof SystemMessages>(type: T): Promise<SystemMessages[T]>
  receive<T = unknown>(type: string): Promise<T>
  receive<T = unknown>(options?: ReceiveOptions<T> & { readonly timeoutMs?: undefined }): Promise<T>
  receive<T = unknown>(options: ReceiveOptions<T>): Promise<T | undefined>
  receive(selector: string | ReceiveOptions<unknown> = {}): Promise<unknown> {
    const process = this.living()
    const options: ReceiveOptions<unknown> =
      typeof selector === 'string' ? { match: (message) => hasType(message, selector) } : selector
    if (options.timeoutMs !== undefined) checkDuration('timeoutMs', options.timeoutMs)
    if (process.handler !== undefined) {
      throw new PidmeshError(
        'ERR_BAD_ARGUMENT',
        'a handler process gets its messages through its handler and cannot receive',
      )
    }
    if (process.receiver !== undefined) {
      throw new PidmeshError('ERR_BAD_ARGUMENT', 'the process is already waiting in a receive')
    }
    return this.awaitMessage(process, options)
  }

  /** Ends this process with a reason: throws what ends it when it leaves the process's code. */
  exit(reason: ExitReason): never
  /** Sends an exit signal: see docs/semantics.md for what each reason does to whom. */
  exit(pid: Pid, reason: ExitReason): void
  exit(pidOrReason: Pid | ExitReason, reason?: ExitReason): void {
    const process = this.living()
    if (!(pidOrReason instanceof Pid)) {
      throw new ExitError(checkReason(pidOrReason), 'ERR_EXIT', `exit: ${formatReason(pidOrReason)}`, false)
    }
    this.kernel.router.exit(process, pidOrReason, checkReason(reason))
  }

  /** Links this process and another. A dead one gives `noproc` as an exit signal, an unreachable one `noconnection`. */
  link(pid: Pid): void {
    this.kernel.router.link(this.living(), checkPid(pid))
  }

  /** After it has returned no exit signal of that link arrives. */
  unlink(pid: Pid): void {
    this.kernel.router.unlink(this.living(), checkPid(pid))
  }

  /** Watches a process, or whoever has a name now: one `DOWN` with this reference when it ends or can't be reached. */
  monitor(object: Pid | NameOnNode | string): Ref {
    const ref = this.kernel.nextRef()
    this.kernel.router.monitor(this.living(), checkAddressee(object), ref)
    return ref
  }

  /** Ends a monitor. Says whether it was still there: `false` if its `DOWN` has been delivered, or it never was. */
  demonitor(ref: Ref, options: DemonitorOptions = {}): boolean {
    const process = this.living()
    const found = this.isOurs(ref) && this.kernel.monitors.demonitor(process, ref.id)
    if (!found && options.flush === true) flushDown(process, ref)
    return found
  }

  spawn(body: ProcessBody, options?: SpawnOptions): Pid {
    this.living()
    return this.kernel.spawn(body, options).pid
  }

  /** As `spawn` and `link` in one step. */
  spawnLink(body: ProcessBody, options?: SpawnOptions): Pid {
    const process = this.living()
    return this.kernel.spawn(body, options, (child) => this.kernel.links.linkLocal(process, child)).pid
  }

  /** As `spawn` and `monitor` in one step. */
  spawnMonitor(body: ProcessBody, options?: SpawnOptions): { readonly pid: Pid; readonly ref: Ref } {
    const process = this.living()
    const ref = this.kernel.nextRef()
    const child = this.kernel.spawn(body, options, (made) => this.kernel.router.monitor(process, made.pid, ref))
    return { pid: child.pid, ref }
  }

  /**
   * Registers a process of this node under a name, by default this one.
   * @throws PidmeshError `ERR_NAME_TAKEN`, `ERR_BAD_ARGUMENT`
   */
  register(name: string, pid: Pid = this.pid): void {
    this.living()
    const { router, names } = this.kernel
    const target = checkPid(pid) && router.isHere(pid) ? router.processOf(pid) : undefined
    if (target === undefined) throw new PidmeshError('ERR_BAD_ARGUMENT', `${pid} is not a living process of this node`)
    names.register(name, target)
  }

  /** @throws PidmeshError `ERR_NOT_REGISTERED` */
  unregister(name: string): void {
    this.living()
    this.kernel.names.unregister(name)
  }

  whereis(name: string): Pid | undefined {
    return this.kernel.names.whereis(name)?.pid
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
    return this.isOurs(ref) ? this.kernel.timers.cancel(ref.id) : undefined
  }

  /** Milliseconds left, or `undefined` if it has fired or been cancelled. */
  readTimer(ref: Ref): number | undefined {
    return this.isOurs(ref) ? this.kernel.timers.read(ref.id) : undefined
  }

  /** Subscribes to `nodeup` and `nodedown` of all nodes, or ends that. */
  monitorNodes(on: boolean): void {
    this.kernel.nodeMonitors.monitorNodes(this.living(), on)
  }

  /** One `nodedown` when the connection to `node` ends, at once if there is none. Each call counts. */
  monitorNode(node: NodeName, on: boolean): void {
    const process = this.living()
    if (on && !this.kernel.router.isConnected(node)) {
      this.kernel.scheduler.deliver(process, { type: 'nodedown', node, reason: 'disconnect' } satisfies NodeDownMessage)
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
    checkDuration('timeoutMs', timeoutMs)
    return heeded(request(this.kernel, this.living(), { target: checkAddressee(target), build, timeoutMs }))
  }

  /** A reference of another node, or of an earlier life of this one, may have the number of one of ours. */
  private isOurs(ref: Ref): boolean {
    return sameIdentity(checkRef(ref).origin, this.kernel.identity)
  }

  private living(): Process {
    if (this.process.isAlive) return this.process
    if (this.process.isMain) throw new PidmeshError('ERR_NODE_STOPPED', `node ${this.node} has been stopped`)
    throw new ProcessExited(this.process.pid)
  }

  private awaitMessage(process: Process, { match, timeoutMs }: ReceiveOptions<unknown>): Promise<unknown> {
    const received = new Promise<unknown>((resolve, reject) => {
      const timerId = timeoutMs === undefined || timeoutMs === Infinity ? undefined : this.kernel.nextId()
      const receiver: PendingReceive = {
        scanned: 0,
        matches: match,
        resolve: (message) => {
          if (timerId !== undefined) this.kernel.timers.cancel(timerId)
          resolve(message)
        },
        reject,
      }
      process.receiver = receiver
      tryMatch(process, receiver)
      if (process.receiver !== receiver || timerId === undefined || timeoutMs === undefined) return
      if (timeoutMs === 0) {
        process.receiver = undefined
        resolve(undefined)
        return
      }
      this.kernel.timers.start(timerId, timeoutMs, process, () => {
        // A message that matches may be in the mailbox already, its turn not yet come: it was in time.
        tryMatch(process, receiver)
        if (process.receiver !== receiver) return
        process.receiver = undefined
        resolve(undefined)
      })
    })
    return heeded(received)
  }

  private startTimerOf(delayMs: number, to: Pid | string, message: (ref: Ref) => unknown): Ref {
    const { router, timers, names, scheduler } = this.kernel
    this.living()
    const ref = this.kernel.nextRef()
    if (typeof to === 'string') {
      timers.start(ref.id, delayMs, undefined, () => {
        const process = names.whereis(to)
        if (process !== undefined) scheduler.deliver(process, message(ref))
      })
      return ref
    }
    if (!router.isHere(checkPid(to)))
      throw new PidmeshError('ERR_BAD_ARGUMENT', `a timer sends on its own node only, not to ${to}`)
    const process = router.processOf(to)
    checkDuration('delayMs', delayMs)
    if (process !== undefined) timers.start(ref.id, delayMs, process, () => scheduler.deliver(process, message(ref)))
    return ref
  }
}

/** The predicate is the user's code, and this is not its process's turn: what it throws is the receive's outcome. */
function tryMatch(process: Process, receiver: PendingReceive): void {
  try {
    matchReceive(process)
  } catch (thrown) {
    if (process.receiver === receiver) process.receiver = undefined
    receiver.reject(thrown instanceof Error ? thrown : new Error(formatReason(reasonOfThrown(thrown))))
  }
}

/**
 * A promise that rejects when its process ends must not take the whole OS process with it because nobody waits for it any more. Whoever does wait
 * is told all the same.
 */
function heeded<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => undefined)
  return promise
}

function flushDown(process: Process, ref: Ref): void {
  const mailbox = process.mailbox
  if (mailbox === undefined) return
  for (let index = 0; index < mailbox.length; index++) {
    const message = mailbox.at(index)
    if (hasType(message, 'DOWN') && ref.equals(message.ref)) {
      mailbox.removeAt(index)
      return
    }
  }
}
