/**
 * The loop that every behaviour plugs into: OTP's `gen_server:loop`, `sys` and `proc_lib`, for whatever kind of server.
 *
 *   a message ─┬ of sys ────────────────▶ answered here (while suspended, too); `terminate` ends the server
 *              ├ the parent's EXIT ─────▶ the server ends with its reason
 *              └ any other ─┬ suspended ▶ kept, in order, until `resume`
 *                           └───────────▶ behaviour.handle ─▶ goes on, or its end
 *
 *   the end ──▶ behaviour.terminate(reason), once ──▶ crash report, unless the reason is a quiet one ──▶ the process exits with the reason
 *
 * State: whether it is suspended, and what is kept. Invariants: messages are handled in the order in which they came; one at a time; a synchronous
 * behaviour is never behind a promise; a process that has ended under its callback has nothing more to end.
 *
 * Not here: how a server starts (start.ts), what its messages mean (the behaviours), what an operator calls (../sys.ts).
 */
import {
  assertNever,
  hasType,
  isExitReason,
  isQuietReason,
  reasonOfThrown,
  type Context,
  type ExitMessage,
  type ExitReason,
  type MessageHandler,
  type Pid,
  type Ref,
} from '@pidmesh/runtime'
import { handleObserved, tellEnded } from '../observed.ts'
import type { Behaviour, Handled } from './behaviour.ts'
import { Debug } from './debug.ts'
import { HeldMessages } from './held-messages.ts'
import { endDetails } from './end-details.ts'
import { isInstance } from '../is-instance.ts'
import { atOnce } from './at-once.ts'
import { QUANTUM } from './turn.ts'
import {
  readSystemMessage,
  SYSTEM,
  type ServerStatus,
  type SystemAnswer,
  type SystemMessage,
  type SystemRequest,
} from './system-protocol.ts'

/** A message that doesn't wait for `resume`. */
type Urgent =
  | { readonly type: 'system'; readonly message: SystemMessage }
  | { readonly type: 'exit'; readonly message: ExitMessage }

/** To itself: there are messages left that were kept. */
class HeldNote {
  readonly type: string = NOTE
}

const NOTE = '$note'

export interface LoopOptions {
  readonly self: Context
  readonly behaviour: Behaviour
  /** Whose exit ends the server. `undefined`: nobody's. */
  readonly parent: Pid | undefined
}

export class ServerLoop {
  private readonly self: Context
  private readonly behaviour: Behaviour
  private readonly parent: Pid | undefined
  /** What it was sent while it was suspended, as long as there is any of it. */
  private held: HeldMessages | undefined = undefined
  private suspended = false
  /** Neither suspended, nor with messages kept, nor watched: there is nothing to look after. */
  private isPlain = true

  constructor({ self, behaviour, parent }: LoopOptions) {
    this.self = self
    this.behaviour = behaviour
    this.parent = parent
  }

  /** Lets the behaviour begin, and gives the handler of the process. */
  start(): MessageHandler | Promise<MessageHandler> {
    const begun = this.behaviour.begin === undefined ? undefined : this.run(BEGIN)
    const receive: MessageHandler = (message) => (this.isPlain ? this.take(message) : this.look(message))
    return begun instanceof Promise ? begun.then(() => receive) : receive
  }

  /** As `take`, when there is something to look after. */
  private look(message: unknown): void | Promise<void> {
    if (isInstance(message, HeldNote)) {
      const outcome = this.handleHeld(QUANTUM)
      return outcome instanceof Promise ? outcome.then(() => this.remind()) : this.remind()
    }
    if (this.suspended) return this.takeSuspended(message)
    if (this.held === undefined) return this.take(message)
    // What was kept came before it.
    this.hold(message)
    return this.handleHeld(1)
  }

  private takeSuspended(message: unknown): void | Promise<void> {
    const urgent = this.readUrgent(message)
    if (urgent !== undefined) return this.takeUrgent(urgent)
    this.hold(message)
    return undefined
  }

  /** What a suspended server handles, too. */
  private readUrgent(message: unknown): Urgent | undefined {
    const system = readSystemMessage(message)
    if (system !== undefined) return { type: 'system', message: system }
    return this.isParentsExit(message) ? { type: 'exit', message } : undefined
  }

  private takeUrgent(urgent: Urgent): void | Promise<void> {
    return urgent.type === 'system' ? this.answer(urgent.message) : this.end(urgent.message.reason, urgent.message)
  }

  /**
   * It was suspended by a message that was kept. Those behind it are in no mailbox, and nobody would come to a `resume` among them: as in OTP, where a suspended server
   * takes what is for it from wherever in the mailbox it is.
   */
  private takeHeldUrgent(): void | Promise<void> {
    for (let from = 0; this.suspended && this.held !== undefined;) {
      const found = this.held.takeRead(from, (message) => this.readUrgent(message))
      if (found === undefined) return undefined
      if (this.held.size === 0) this.held = undefined
      const { read, context, next } = found
      const outcome = context === undefined ? this.takeUrgent(read) : context(() => this.takeUrgent(read))
      // Only its end takes time, or has begun.
      if (outcome instanceof Promise || !this.self.isAlive) return outcome
      from = next
    }
    return undefined
  }

  private take(message: unknown): void | Promise<void> {
    switch (typeOf(message)) {
      case SYSTEM: {
        const system = readSystemMessage(message)
        return system === undefined ? this.run(message) : this.answer(system)
      }
      case 'EXIT':
        return this.isParentsExit(message) ? this.end(message.reason, message) : this.run(message)
      case NOTE:
        return isInstance(message, HeldNote) ? undefined : this.run(message)
      default:
        return this.run(message)
    }
  }

  private run(message: unknown): void | Promise<void> {
    if (!this.isPlain && message !== BEGIN) this.behaviour.debug?.tell({ type: 'in', message })
    let handled: Handled | Promise<Handled>
    try {
      handled = message === BEGIN ? this.behaviour.begin?.() : this.handle(message)
    } catch (thrown) {
      return this.end(reasonOfThrown(thrown), message)
    }
    if (handled === undefined) return undefined
    if (!(handled instanceof Promise)) return this.end(handled.reason, message, handled.afterTerminate)
    return handled.then(
      (outcome) => (outcome === undefined ? undefined : this.end(outcome.reason, message, outcome.afterTerminate)),
      (thrown: unknown) => this.end(reasonOfThrown(thrown), message),
    )
  }

  private handle(message: unknown): Handled | Promise<Handled> {
    const { telemetry } = this.self
    return telemetry === undefined
      ? this.behaviour.handle(message)
      : handleObserved(telemetry, this.self, this.behaviour, message)
  }

  private hold(message: unknown): void {
    this.held ??= new HeldMessages()
    this.held.push({ message, context: this.self.keepContext() }, this.self.log)
  }

  /** Handles so many of the messages that were kept, the oldest first, or until it is suspended again. */
  private handleHeld(quantum: number): void | Promise<void> {
    for (let left = quantum; left > 0 && this.held !== undefined && this.goesOn; left--) {
      const { message, context } = this.held.shift()
      if (this.held.size === 0) this.held = undefined
      const outcome = context === undefined ? this.take(message) : context(() => this.take(message))
      if (outcome instanceof Promise) return outcome.then(() => this.handleHeld(left - 1))
    }
    const ended = this.takeHeldUrgent()
    this.judge()
    return ended
  }

  /** Are there messages left that were kept? They are for a later turn: others may want theirs. */
  private remind(): void {
    if (this.goesOn && this.held !== undefined) this.self.send(this.self.pid, new HeldNote())
  }

  /** Neither suspended nor at its end. */
  private get goesOn(): boolean {
    return !this.suspended && this.self.isAlive
  }

  private judge(): void {
    const { behaviour } = this
    if (behaviour.debug?.isOn === false) behaviour.debug = undefined
    this.isPlain = !this.suspended && this.held === undefined && behaviour.debug === undefined
  }

  /** Most servers are never watched, and have none. */
  private debug(): Debug {
    return (this.behaviour.debug ??= new Debug(this.self))
  }

  private isParentsExit(message: unknown): message is ExitMessage {
    if (this.parent === undefined || !hasType(message, 'EXIT')) return false
    try {
      // Anybody can send something that looks like one.
      return this.parent.equals(message.from) && isExitReason(message.reason)
    } catch {
      return false
    }
  }

  private answer(message: SystemMessage): void | Promise<void> {
    const { replyTo, request } = message
    if (request.type !== 'stop') this.reply(replyTo, this.answerTo(request))
    if (request.type === 'stop' || request.type === 'terminate') return this.end(request.reason, undefined)
    this.judge()
    return undefined
  }

  private answerTo(request: SystemRequest): SystemAnswer {
    try {
      return { type: 'ok', value: this.perform(request) }
    } catch (thrown) {
      return { type: 'failed', reason: reasonOfThrown(thrown) }
    }
  }

  private perform(request: SystemRequest): unknown {
    const { behaviour } = this
    switch (request.type) {
      case 'get_state':
        return behaviour.getState()
      case 'get_status':
        return this.status()
      case 'replace_state':
        behaviour.replaceState(atOnce(request.change(behaviour.getState() as never), 'a state is replaced'))
        return behaviour.getState()
      case 'suspend':
        this.suspended = true
        return undefined
      case 'resume':
        this.suspended = false
        return this.remind()
      case 'terminate':
      case 'stop':
        return undefined
      case 'trace':
        return this.debug().trace(request.on)
      case 'install':
        return this.debug().install(request.listener)
      case 'remove':
        return behaviour.debug?.remove(request.listener)
      case 'statistics':
        return request.flag === 'get' ? behaviour.debug?.read() : this.debug().statistics(request.flag)
      default:
        return assertNever(request)
    }
  }

  private status(): ServerStatus {
    const { behaviour, suspended } = this
    const { state } = behaviour.formatStatus({ state: behaviour.getState() })
    return {
      module: behaviour.name,
      status: suspended ? 'suspended' : 'running',
      state,
      statistics: behaviour.debug?.read(),
    }
  }

  /** The answer may be more than can be sent to the node that asks. */
  private reply(replyTo: Ref, answer: SystemAnswer): void {
    try {
      this.self.send(replyTo, answer)
    } catch (thrown) {
      if (this.self.isAlive) this.self.send(replyTo, { type: 'failed', reason: reasonOfThrown(thrown) })
    }
  }

  /** Runs `terminate`, once, and ends the process. What `terminate` throws takes the place of the reason. */
  private end(reason: ExitReason, message: unknown, afterTerminate?: () => void): void | Promise<void> {
    // The process has ended under its callback: there is nothing to finish, and its code runs no more.
    if (!this.self.isAlive) return undefined
    let outcome: void | Promise<void>
    try {
      outcome = this.behaviour.terminate(reason)
    } catch (thrown) {
      return this.leave(reasonOfThrown(thrown), message, afterTerminate)
    }
    if (!(outcome instanceof Promise)) return this.leave(reason, message, afterTerminate)
    return outcome.then(
      () => this.leave(reason, message, afterTerminate),
      (thrown: unknown) => this.leave(reasonOfThrown(thrown), message, afterTerminate),
    )
  }

  private leave(reason: ExitReason, message: unknown, afterTerminate: (() => void) | undefined): void {
    const { self, behaviour } = this
    // `terminate` may have ended the process itself.
    if (!self.isAlive) return
    try {
      afterTerminate?.()
    } catch (thrown) {
      reason = reasonOfThrown(thrown)
    }
    tellEnded(self, behaviour, reason)
    self.finish(
      reason,
      isQuietReason(reason) ? undefined : endDetails(behaviour, reason, message === BEGIN ? undefined : message),
    )
  }
}

/** Stands in for the message of a server that begins. */
const BEGIN = { type: 'its start' }

/** Read once for all that the loop tells apart by it. A message whose `type` can't be read has none. */
function typeOf(message: unknown): unknown {
  if (typeof message !== 'object' || message === null) return undefined
  try {
    return (message as { readonly type?: unknown }).type
  } catch {
    return undefined
  }
}
