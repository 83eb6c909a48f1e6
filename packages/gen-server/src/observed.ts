/**
 * Where calls, servers and supervisors tell what they do, if somebody listens: see telemetry.ts for what.
 *
 *   call ──────────────┐
 *   ServerLoop.handle ─┼─ self.telemetry ─ undefined: as if this file weren't there
 *   starts, ends ──────┤                └─▶ begin(operation) ─▶ run ─▶ end(event)
 *   supervisors ───────┘                └─▶ tell(event)
 *
 * Invariants: without a listener on the node no event is made, and no clock is read; an operation that was begun ends with one event, unless its process is ended
 * while a callback waits for a promise that never settles.
 */
import {
  isQuietReason,
  reasonOfThrown,
  type Context,
  type ExitReason,
  type Observation,
  type RequestOutcome,
  type Telemetry,
} from '@pidmesh/runtime'
import type { Behaviour, Handled } from './behaviour/behaviour.ts'
import { tagOf } from './behaviour/shown-value.ts'
import { CallError, type CallErrorCode } from './errors.ts'
import { isCallMessage, isCastMessage } from './protocol.ts'
import type { SupervisionReport } from './supervisor/effects.ts'
import type {
  CallOperation,
  CallOutcome,
  HandleOperation,
  HandleOutcome,
  ServerInfo,
  TelemetryEvent,
} from './telemetry.ts'

/** Has a server handle a message, and tells of it. Gives, and throws, what the behaviour does. */
export function handleObserved(
  telemetry: Telemetry,
  self: Context,
  behaviour: Behaviour,
  message: unknown,
): Handled | Promise<Handled> {
  const operation = operationOf(self, behaviour, message)
  const observation = telemetry.begin(operation)
  const end = (outcome: HandleOutcome, reason: ExitReason | undefined): void =>
    tellEnd(observation, handledEvent(operation, observation.durationMs, outcome, reason))
  const handled = (outcome: Handled): void => {
    if (!self.isAlive) end('exited', undefined)
    else if (outcome !== undefined) end(isQuietReason(outcome.reason) ? 'stop' : 'crash', outcome.reason)
    else end(behaviour.hasReplied === true && operation.type === 'handle_call' ? 'reply' : 'noreply', undefined)
  }
  const failed = (thrown: unknown): void => {
    const reason = reasonOfThrown(thrown)
    if (!self.isAlive) end('exited', undefined)
    else end(isQuietReason(reason) ? 'stop' : 'crash', reason)
  }
  if (behaviour.hasReplied !== undefined) behaviour.hasReplied = false
  let outcome: Handled | Promise<Handled>
  try {
    outcome = observation.run(() => behaviour.handle(message))
  } catch (thrown) {
    failed(thrown)
    throw thrown
  }
  if (!(outcome instanceof Promise)) {
    handled(outcome)
    return outcome
  }
  return outcome.then(
    (value) => {
      handled(value)
      return value
    },
    (thrown: unknown) => {
      failed(thrown)
      throw thrown
    },
  )
}

/** A call that is told of. */
export class ObservedCall {
  private readonly operation: CallOperation
  private readonly observation: Observation

  constructor(telemetry: Telemetry, self: Context, server: string, request: unknown) {
    this.operation = { type: 'call', node: self.node, pid: self.pid, server, request: tagOf(request) }
    this.observation = telemetry.begin(this.operation)
  }

  /** Looks for the server, if it must, and asks it. Gives, and throws, what `work` does. */
  run(work: () => Promise<RequestOutcome>): Promise<RequestOutcome> {
    try {
      return this.observation.run(work)
    } catch (thrown) {
      this.reject(thrown)
      throw thrown
    }
  }

  reply(): void {
    this.end('reply', undefined)
  }

  /** There was no reply. */
  fail(code: CallErrorCode, reason: ExitReason): void {
    const outcome = CALL_OUTCOMES[code]
    this.end(outcome, outcome === 'exit' || outcome === 'failed' ? reason : undefined)
  }

  /** Nobody was found to ask, it could not be sent, or the caller has ended. */
  reject(thrown: unknown): void {
    if (thrown instanceof CallError) this.fail(thrown.code, thrown.serverReason)
    else this.end('failed', reasonOfThrown(thrown))
  }

  private end(outcome: CallOutcome, reason: ExitReason | undefined): void {
    const { node, pid, server, request } = this.operation
    const { durationMs } = this.observation
    tellEnd(this.observation, { type: 'call_made', node, pid, server, request, durationMs, outcome, reason })
  }
}

const CALL_OUTCOMES: Record<CallErrorCode, CallOutcome> = {
  ERR_CALL_TIMEOUT: 'timeout',
  ERR_CALL_NOPROC: 'noproc',
  ERR_CALL_NODEDOWN: 'nodedown',
  ERR_CALL_SELF: 'failed',
  ERR_CALL_EXIT: 'exit',
}

/** @param durationMs that its `init` took, if that is known */
export function tellStarted(self: Context, behaviour: Behaviour, durationMs?: number): void {
  const { telemetry } = self
  if (telemetry !== undefined)
    tell(telemetry, { type: 'server_started', node: self.node, server: infoOf(self, behaviour.name), durationMs })
}

export function tellStartFailed(self: Context, reason: ExitReason): void {
  const { telemetry } = self
  if (telemetry !== undefined)
    tell(telemetry, { type: 'server_start_failed', node: self.node, server: infoOf(self, undefined), reason })
}

export function tellEnded(self: Context, behaviour: Behaviour, reason: ExitReason): void {
  const { telemetry } = self
  if (telemetry === undefined) return
  const type = isQuietReason(reason) ? 'server_stopped' : 'server_crashed'
  tell(telemetry, { type, node: self.node, server: infoOf(self, behaviour.name), reason })
}

export function tellSupervision(self: Context, supervisor: string, report: SupervisionReport): void {
  const { telemetry } = self
  if (telemetry === undefined) return
  const { event, child, pid: childPid, reason, restarts } = report
  const type = event === 'progress' && restarts > 0 ? 'child_restarted' : SUPERVISION_TYPES[event]
  tell(telemetry, { type, node: self.node, pid: self.pid, supervisor, child, childPid, reason, restarts })
}

const SUPERVISION_TYPES = {
  progress: 'child_started',
  child_terminated: 'child_ended',
  start_error: 'child_start_failed',
  shutdown_error: 'child_stop_failed',
  shutdown: 'supervisor_gave_up',
} as const satisfies Record<SupervisionReport['event'], TelemetryEvent['type']>

// What the runtime passes on is of any type: here it is said which.

function tell(telemetry: Telemetry, event: TelemetryEvent): void {
  telemetry.tell(event)
}

function tellEnd(observation: Observation, event: TelemetryEvent): void {
  observation.end(event)
}

function operationOf(self: Context, { name }: Behaviour, message: unknown): HandleOperation {
  const server = infoOf(self, name)
  const { node } = self
  if (isCallMessage(message)) return { type: 'handle_call', node, server, request: tagOf(message.request) }
  if (isCastMessage(message)) return { type: 'handle_cast', node, server, request: tagOf(message.request) }
  return { type: 'handle_info', node, server, request: tagOf(message) }
}

const HANDLED = {
  handle_call: 'call_handled',
  handle_cast: 'cast_handled',
  handle_info: 'info_handled',
} as const satisfies Record<HandleOperation['type'], TelemetryEvent['type']>

function handledEvent(
  { type, node, server, request }: HandleOperation,
  durationMs: number,
  outcome: HandleOutcome,
  reason: ExitReason | undefined,
): TelemetryEvent {
  return { type: HANDLED[type], node, server, request, durationMs, outcome, reason }
}

function infoOf({ pid, label }: Context, module: string | undefined): ServerInfo {
  return { pid, module, label }
}
