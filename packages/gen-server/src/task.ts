/**
 * Task: a process that computes one value, for whoever waits for it. As Elixir's.
 *
 *   owner ── spawnLink, ask ─▶ task: runs fn ── value ─▶ owner, by an alias
 *                                    fails ──▶ the owner gets its exit signal (linked), and is told the reason
 *
 *   const answer = Task.async(self, (task) => fetchAnswer({ signal: task.signal }))
 *   const other = await doSomethingElse()
 *   const value = await Task.await(answer)
 *
 * A task is its owner's: who waits for it waits as the process that made it. Nothing of it comes into the owner's mailbox, but for the `EXIT` of a
 * linked one, if the owner traps exits. Functions don't travel: a task, and the supervisor that it runs under, is on the node of who starts it.
 *
 * Invariants: a task that nobody waits for ends all the same. That it has failed, or its owner was killed, is never an unhandled rejection.
 */
import {
  contextOf,
  ExitError,
  formatReason,
  hasType,
  isRef,
  type Ref,
  type Awaitable,
  type Caller,
  type Context,
  type ExitReason,
  type Pid,
  type RequestOutcome,
} from '@pidmesh/runtime'
import { badArgument, checkOptions } from './arguments.ts'
import { shownValue } from './behaviour/shown-value.ts'
import { promised } from './unawaited.ts'
import { processChild, split, type ChildOptions } from './supervisor/child.ts'
import type { ChildSpec, Shutdown } from './supervisor/child-spec.ts'
import { startChild as startDynamicChild } from './supervisor/dynamic-supervisor.ts'
import type { DynamicSupervisorRef, StartDynamicChildResult } from './supervisor/protocol.ts'
import { stopProcess } from './supervisor/shell.ts'

export const DEFAULT_TASK_TIMEOUT_MS = 5_000
const DEFAULT_SHUTDOWN_MS = 5_000
const ASK = '$task_ask'
const NO_OPTIONS: ReadonlySet<string> = new Set()

/** What a task runs; `task` is the context of its process. */
export type TaskFunction<Result> = (task: Context) => Awaitable<Result>

/** How a task has come out. */
export type TaskOutcome<Result> =
  | { readonly type: 'ok'; readonly value: Result }
  | { readonly type: 'exit'; readonly reason: ExitReason }

export type TaskErrorCode = 'ERR_TASK_TIMEOUT' | 'ERR_TASK_EXIT' | 'ERR_TASK_NOT_STARTED'

/**
 * A task has no value. In a process that lets it escape it is the exit reason `{ task_failed: … }`.
 *
 * - `ERR_TASK_TIMEOUT`: it has not ended in time; it goes on
 * - `ERR_TASK_EXIT`: it has ended without a value; `taskReason` says why
 * - `ERR_TASK_NOT_STARTED`: the supervisor has not started it; `taskReason` says why: `max_children`, for example
 */
export class TaskError extends ExitError<TaskErrorCode> {
  /** `timeout`, or the exit reason of the task. */
  readonly taskReason: ExitReason

  constructor(code: TaskErrorCode, taskReason: ExitReason) {
    super({ task_failed: taskReason }, code, `the task has no value: ${formatReason(taskReason)}`)
    this.name = 'TaskError'
    this.taskReason = taskReason
  }
}

/** Asks a task for its value: comes before it begins. */
interface AskMessage {
  readonly type: typeof ASK
  readonly replyTo: Ref
}

function isAsk(message: unknown): message is AskMessage {
  return hasType(message, ASK) && isRef((message as { replyTo?: unknown }).replyTo)
}

export class Task<Result> {
  readonly pid: Pid
  readonly #owner: Context
  readonly #outcome: Promise<RequestOutcome>

  /** Use `Task.async` or `Task.asyncNolink`. */
  private constructor(owner: Context, pid: Pid) {
    this.pid = pid
    this.#owner = owner
    this.#outcome = owner.request(pid, (replyTo): AskMessage => ({ type: ASK, replyTo }), Infinity)
    // Whoever waits for it is told.
    this.#outcome.catch(() => undefined)
  }

  /** Starts a task that is linked to its owner, the calling process: if one of them fails, so does the other, unless it traps exits. */
  static async<Result>(self: Context, run: TaskFunction<Result>): Task<Result> {
    return new Task<Result>(self, contextOf(self).spawnLink(answering(run), { label: 'task' }))
  }

  /**
   * Starts a task under a dynamic supervisor, without a link to its owner: its failure is told by `Task.yield` and `Task.await`, and harms nobody.
   * If its owner ends before it, it goes on.
   * @throws TaskError by rejection: `ERR_TASK_NOT_STARTED`; what `DynamicSupervisor.startChild` throws
   */
  static asyncNolink<Result>(
    self: Context,
    supervisor: DynamicSupervisorRef,
    run: TaskFunction<Result>,
  ): Promise<Task<Result>> {
    const owner = contextOf(self).pid
    const body = async (task: Context): Promise<void> => {
      // The owner may have been killed before it came to ask.
      const watch = task.monitor(owner)
      const ask = await task.receive({ match: (message) => isAsk(message) || isDownOf(message, watch) })
      task.demonitor(watch, { flush: true })
      if (isAsk(ask)) task.send(ask.replyTo, await run(task))
    }
    return promised(async () => {
      checkRun(run)
      const started = await startDynamicChild(self, supervisor, specOf(body))
      if (started.type === 'ok') return new Task<Result>(self, started.pid)
      const reason = started.type === 'start_failed' ? started.reason : started.type
      throw new TaskError('ERR_TASK_NOT_STARTED', reason)
    })
  }

  /** Starts a task that nobody waits for, and nobody is linked to. */
  static start(caller: Caller, run: TaskFunction<unknown>): Pid {
    return contextOf(caller).spawn(run, { label: 'task' })
  }

  /** As `start`, linked to the calling process. */
  static startLink(self: Context, run: TaskFunction<unknown>): Pid {
    return contextOf(self).spawnLink(run, { label: 'task' })
  }

  /**
   * Starts a task that nobody waits for under a dynamic supervisor. It isn't restarted.
   * @throws as `DynamicSupervisor.startChild`
   */
  static startChild(
    caller: Caller,
    supervisor: DynamicSupervisorRef,
    run: TaskFunction<unknown>,
  ): Promise<StartDynamicChildResult<Pid>> {
    return promised(() => startDynamicChild(caller, supervisor, specOf(run)))
  }

  /** A task as a child: `temporary` unless the options say otherwise. */
  static childSpec(run: TaskFunction<unknown>, options: ChildOptions = {}): ChildSpec<Pid> {
    const { spec, rest } = split(options)
    checkOptions('a task as a child', rest, NO_OPTIONS)
    return { ...specOf(run), ...spec }
  }

  /**
   * Waits for the value.
   * @param timeoutMs milliseconds, or `Infinity`. @default 5000
   * @throws TaskError by rejection: `ERR_TASK_TIMEOUT`, `ERR_TASK_EXIT`
   */
  static await<Result>(task: Task<Result>, timeoutMs: number = DEFAULT_TASK_TIMEOUT_MS): Promise<Result> {
    return promised(async () => {
      const outcome = await Task.#checked(task).#settled(timeoutMs)
      if (outcome === undefined) throw new TaskError('ERR_TASK_TIMEOUT', 'timeout')
      if (outcome.type === 'exit') throw new TaskError('ERR_TASK_EXIT', outcome.reason)
      return outcome.value
    })
  }

  /**
   * Waits for the outcome, and says `undefined` if there is none in time. May be called again.
   * @param timeoutMs milliseconds, or `Infinity`. @default 5000
   */
  static yield<Result>(
    task: Task<Result>,
    timeoutMs: number = DEFAULT_TASK_TIMEOUT_MS,
  ): Promise<TaskOutcome<Result> | undefined> {
    return promised(() => Task.#checked(task).#settled(timeoutMs))
  }

  /**
   * Stops a task and waits for its end: with `shutdown`, and `kill` after so many milliseconds; or with `kill` at once. Unlinks it first, so that
   * its end harms nobody.
   * @param shutdown @default 5000
   * @returns its outcome, if it had one before; otherwise the exit with which it was stopped
   * @throws PidmeshError by rejection: `ERR_BAD_ARGUMENT`
   */
  static shutdown<Result>(task: Task<Result>, shutdown: Shutdown = DEFAULT_SHUTDOWN_MS): Promise<TaskOutcome<Result>> {
    return promised(async () => {
      Task.#checked(task)
      // Before the link is cut: a task that isn't stopped stays its owner's.
      if (shutdown !== 'brutal_kill' && !(typeof shutdown === 'number' && shutdown >= 0))
        throw badArgument("a task is given milliseconds from 0 on, or 'brutal_kill'")
      task.#owner.unlink(task.pid)
      await stopProcess(task.#owner, task.pid, shutdown)
      return task.#outcomeOfEnded()
    })
  }

  /** @throws PidmeshError `ERR_BAD_ARGUMENT` */
  static #checked<Result>(task: Task<Result>): Task<Result> {
    if (typeof task === 'object' && task !== null && #owner in task) return task
    throw badArgument(`what is waited for is a task, not ${shownValue(task)}`)
  }

  async #settled(timeoutMs: number): Promise<TaskOutcome<Result> | undefined> {
    // It ends right after it has answered: its end is the sign, and no timer is left behind.
    if ((await this.#owner.awaitDown(this.pid, timeoutMs)) === undefined) return undefined
    return this.#outcomeOfEnded()
  }

  async #outcomeOfEnded(): Promise<TaskOutcome<Result>> {
    const outcome = await this.#outcome
    switch (outcome.type) {
      case 'reply':
        return { type: 'ok', value: outcome.value as Result }
      case 'down':
        return { type: 'exit', reason: outcome.reason }
      case 'timeout':
        throw new TypeError('a request without a limit of time has timed out')
    }
  }
}

/** Asked first, so that what `run` receives is its own. */
function answering(run: TaskFunction<unknown>): TaskFunction<void> {
  checkRun(run)
  return async (task) => {
    const { replyTo } = await task.receive<AskMessage>({ match: isAsk })
    task.send(replyTo, await run(task))
  }
}

function specOf(run: TaskFunction<unknown>): ChildSpec<Pid> {
  checkRun(run)
  return processChild('task', run, { restart: 'temporary', label: 'task' })
}

/** @throws PidmeshError `ERR_BAD_ARGUMENT` */
function checkRun(run: unknown): void {
  if (typeof run !== 'function') throw badArgument(`what a task runs is a function, not ${shownValue(run)}`)
}

function isDownOf(message: unknown, ref: Ref): boolean {
  return hasType(message, 'DOWN') && ref.equals(message.ref)
}
