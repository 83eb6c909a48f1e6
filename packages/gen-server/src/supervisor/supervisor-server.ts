/**
 * The server of every supervisor: takes messages and passes them to one of two services, whose children are given (static-service.ts) or come and go
 * (dynamic-service.ts).
 *
 *   init ──────────────▶ the service starts the children in order; one that can't be started stops the others, and the start fails
 *   EXIT of a child ───▶ service.onExit  ─▶ core decides ─▶ shell does it                                             may end the server
 *   Retry, to itself ──▶ service.onRetry ─▶ core decides ─▶ shell does it                                             may end the server
 *   calls ─────────────▶ startChild, terminateChild, restartChild, deleteChild, getChildSpec, whichChildren, countChildren
 *   EXIT of the parent ▶ terminate: stops the children (the server's loop sees to it)
 *
 * Invariants: it traps exits. It does one thing at a time, to its end: who asks it something while it restarts a child is answered after that; but
 * between two tries to restart a child that can't be, messages have their turn.
 */
import { encodedBytes, hasType, isPid, PidmeshError, type ExitReason, type Pid } from '@pidmesh/runtime'
import { GenServer } from '../gen-server.ts'
import { isInstance } from '../is-instance.ts'
import type { From } from '../protocol.ts'
import type { CallResult, InfoResult, StopResult } from '../results.ts'
import type { ChildSpec } from './child-spec.ts'
import { startDynamicService, type DynamicInit } from './dynamic-service.ts'
import type { Child } from './effects.ts'
import type {
  BadChildSpec,
  ChildCounts,
  ChildInfo,
  DeleteChildResult,
  GetChildSpecResult,
  RestartChildResult,
  AnyStartChildResult,
  SupervisorCall,
  SupervisorState,
  TerminateChildResult,
  UnsendableAnswer,
} from './protocol.ts'
import { attachAsRoot } from './root.ts'
import { Retry } from './shell.ts'
import { startStaticService, type StaticInit } from './static-service.ts'

/** What a supervisor does. What may end it resolves with the reason if it does. */
export interface SupervisorService {
  readonly flags: SupervisorState['flags']
  startChild(spec: ChildSpec): Promise<AnyStartChildResult | BadChildSpec>
  startChildWith(args: readonly unknown[]): Promise<AnyStartChildResult | BadChildSpec>
  terminateChild(child: string | Pid): Promise<TerminateChildResult>
  restartChild(id: string): Promise<RestartChildResult>
  deleteChild(id: string): DeleteChildResult
  getChildSpec(child: string | Pid): GetChildSpecResult
  whichChildren(): readonly ChildInfo[]
  countChildren(): ChildCounts
  onExit(pid: Pid, reason: ExitReason): Promise<ExitReason | undefined> | undefined
  onRetry(child: Child): Promise<ExitReason | undefined>
  terminate(): Promise<unknown>
}

/** A service whose children run; or why there is none. */
export type StartedService =
  | { readonly type: 'ok'; readonly service: SupervisorService }
  | { readonly type: 'failed'; readonly reason: ExitReason }

export type SupervisorInit = StaticInit | DynamicInit

export class SupervisorServer extends GenServer<SupervisorCall> {
  #service: SupervisorService | undefined = undefined

  /** @param place `root`: it is nobody's child, and stopped with its node */
  override async init(init: SupervisorInit, place?: 'root'): Promise<StopResult | undefined> {
    const started =
      init.type === 'static' ? await startStaticService(this.self, init) : startDynamicService(this.self, init)
    if (started.type === 'failed') return this.stop(started.reason)
    this.#service = started.service
    if (place === 'root' && this.self.isAlive) attachAsRoot(this.self)
    return undefined
  }

  override async handleCall(given: SupervisorCall, from: From): Promise<CallResult> {
    const service = this.#running
    const request = readOnce(given)
    if (request === undefined) return this.unknownCall(given)
    // What may be of any size, or hold anything, must not end the supervisor because it can't be sent.
    const told = <Answer>(answer: Answer): Answer | UnsendableAnswer =>
      from.tag.node === this.node ? answer : sendable(answer)
    switch (request.type) {
      case 'start_child':
        return this.reply(request, told(await service.startChild(request.spec)))
      case 'start_child_with':
        return this.reply(request, told(await service.startChildWith(request.args)))
      case 'terminate_child':
        return this.reply(request, await service.terminateChild(request.child))
      case 'restart_child':
        return this.reply(request, told(await service.restartChild(request.id)))
      case 'delete_child':
        return this.reply(request, service.deleteChild(request.id))
      case 'get_child_spec':
        return this.reply(request, told(service.getChildSpec(request.child)))
      case 'which_children':
        return this.reply(request, told(service.whichChildren()))
      case 'count_children':
        return this.reply(request, service.countChildren())
      default:
        return this.unknownCall(request satisfies never)
    }
  }

  override handleCast(request: never): void {
    this.log.warn({ cast: typeof request }, 'a supervisor takes no casts')
  }

  override handleInfo(message: unknown): InfoResult | Promise<InfoResult> {
    const exit = exitOf(message)
    if (exit !== undefined) return this.afterwards(this.#running.onExit(exit.from, exit.reason))
    if (isInstance(message, Retry)) return this.afterwards(this.#running.onRetry(message.child))
    return super.handleInfo(message)
  }

  override async terminate(): Promise<void> {
    await this.#service?.terminate()
  }

  override getState(): SupervisorState {
    const { flags } = this.#running
    return { flags, children: this.#running.whichChildren() }
  }

  get #running(): SupervisorService {
    if (this.#service === undefined) throw new TypeError('the supervisor has not been started')
    return this.#service
  }

  private afterwards(end: Promise<ExitReason | undefined> | undefined): InfoResult | Promise<InfoResult> {
    return end?.then((reason) => (reason === undefined ? undefined : this.stop(reason)))
  }

  /** Of somebody whom the compiler has not seen. The children must not suffer for it. */
  private unknownCall(request: unknown): CallResult {
    this.log.warn({ call: typeof request }, 'a supervisor has got a call that it does not know')
    return this.noreply()
  }
}

/** An answer as it goes to another node: a reason that can't go there is `unsendable_reason`, as that of a `DOWN` is. */
function sendable<Answer>(answer: Answer): Answer | UnsendableAnswer {
  try {
    encodedBytes(answer)
    return answer
  } catch (error: unknown) {
    if (hasType(answer, 'start_failed')) return { ...answer, reason: 'unsendable_reason' }
    const isTooLarge = error instanceof PidmeshError && error.code === 'ERR_MESSAGE_TOO_LARGE'
    const code = isTooLarge ? 'ERR_MESSAGE_TOO_LARGE' : 'ERR_NOT_SENDABLE'
    return { type: 'unsendable', code, problem: error instanceof Error ? error.message : 'a value that throws' }
  }
}

/** An exit signal that has become a message, or what looks like one: anybody can send that. */
function exitOf(message: unknown): { readonly from: Pid; readonly reason: ExitReason } | undefined {
  if (!hasType(message, 'EXIT')) return undefined
  try {
    const { from, reason } = message
    return isPid(from) ? { from, reason } : undefined
  } catch {
    return undefined
  }
}

/** Types say what it is; but a message may be anything, and what its getters do must not end the supervisor. */
function readOnce(request: unknown): SupervisorCall | undefined {
  try {
    return typeof request === 'object' && request !== null ? ({ ...request } as SupervisorCall) : undefined
  } catch {
    return undefined
  }
}
