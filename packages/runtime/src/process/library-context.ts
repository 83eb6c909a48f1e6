/**
 * What libraries have of a process beside what its own code has (context.ts): what gen_server, tables and tracing are built on.
 *
 * Once the process has exited every method that does something throws `ProcessExited`, as those of a context do.
 */
import { PidmeshError, shown } from '../errors.ts'
import type { NameOnNode, NodeIdentity, NodeName, Pid, Ref } from '../ids.ts'
import type { AttachedTable, TableListener } from '../node/attached-tables.ts'
import type { Kernel } from '../node/kernel.ts'
import type { EventListener, Instrument, Telemetry } from '../observe/telemetry.ts'
import type { LogFields, Logger } from '../ports.ts'
import { isQuietReason, type ExitReason } from '../reasons.ts'
import type { SentStatus } from '../signals/signal.ts'
import { checkDuration } from '../timers.ts'
import {
  checkAddressee,
  checkFunction,
  checkNodeName,
  checkOptions,
  checkPid,
  checkReason,
  checkRef,
  isA,
} from './checks.ts'
import type { Context } from './context.ts'
import { awaitAny, checkOpenRequests, OpenRequest } from './open-request.ts'
import { exitedError, type Process } from './process.ts'
import type { KeptContext } from './propagator.ts'
import { PendingRequest, type ReadOutcome } from './requests.ts'
import { within, type Within } from './within.ts'

const TABLE_EVENTS: ReadonlyArray<keyof TableListener> = ['onProcessEnd', 'onNodeDown']

/** Calls in a process that has exited which are told so, before it is let wait. */
const MAX_LATE_CALLS = 100

export abstract class LibraryContext {
  protected readonly kernel: Kernel
  protected readonly process: Process
  private logger: Logger | undefined = undefined
  private lateCalls = 0

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
   * For those that tell what they do: `undefined` if nobody listens on this node.
   * @example self.telemetry?.tell({ type: 'cache_missed', key })
   */
  get telemetry(): Telemetry | undefined {
    return this.kernel.telemetry.active
  }

  /**
   * Attaches a listener to what is told on this node. Of what types its events are their tellers say, such as `telemetry.attach` of
   * `@pidmesh/gen-server`, which is what programs use. It stays when this process ends.
   * @returns what detaches it
   * @throws PidmeshError `ERR_BAD_ARGUMENT`
   */
  attachTelemetry<Event>(listener: EventListener<Event>): () => void {
    checkFunction('a listener of telemetry', listener)
    this.living()
    return this.kernel.telemetry.attach(listener as EventListener<unknown>)
  }

  /** As `attachTelemetry`, of what runs operations. */
  instrumentTelemetry<Operation, Event>(instrument: Instrument<Operation, Event>): () => void {
    checkFunction('an instrument of telemetry', instrument)
    this.living()
    return this.kernel.telemetry.instrument(instrument as Instrument<unknown, unknown>)
  }

  /**
   * What one of them holds for this node. There is one of each class, made when it is first asked for, with the context of the node's main process.
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
    const { router, tables, scheduler, propagator } = this.kernel
    return tables.attach(
      listener,
      (pid) => (router.isHere(checkPid(pid)) ? router.processOf(pid) : undefined),
      (process, message) => scheduler.deliver(process, message, true, propagator?.capture()),
    )
  }

  /**
   * For libraries with trees of processes: `node.stop` calls this first, while all works as ever, and goes on when its promise has settled. Of several trees the one that was
   * attached last is stopped first, and the next one when it is down. It stays when this process ends.
   * @returns what takes that back
   * @throws PidmeshError `ERR_BAD_ARGUMENT`
   */
  attachRoot(stop: () => Promise<unknown>): () => void {
    checkFunction('attachRoot', stop)
    this.living()
    return this.kernel.roots.add(stop)
  }

  /**
   * The context that is active now, to run something in it later: what a process has put off, for example. `undefined` on a node without `propagation`, where
   * there is none.
   */
  keepContext(): KeptContext | undefined {
    this.living()
    return this.kernel.propagator?.keep()
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

  protected living(): Process {
    if (this.process.isAlive) return this.process
    throw exitedError(this.process)
  }

  /**
   * What a method that waits gives in a process that has exited: a rejection. But a loop that catches it and goes on would take the whole OS process for
   * itself: after so many rejections the code of the dead is let wait for ever, and nobody holds it any more.
   */
  protected tooLate(): Promise<never> {
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
}
