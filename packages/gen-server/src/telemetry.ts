/**
 * Telemetry of servers, for those who listen: an event per call made, message handled, start, end, and restart of a child; and, for tracing, a function around
 * each call and each callback.
 *
 * Nothing of what a request or a message holds is in an event, only its tag. Not here: where the events are told (observed.ts), and that no listener harms
 * anybody (the runtime's observe/telemetry.ts).
 */
import { contextOf, type Caller, type ExitReason, type NodeName, type Pid } from '@pidmesh/runtime'

/** A server as events name it. */
export interface ServerInfo {
  readonly pid: Pid
  /** Its class, as crash reports name it. `undefined` if its start has failed. */
  readonly module: string | undefined
  /** See `StartOptions.label`. */
  readonly label: string | undefined
}

/** A call that a client makes. */
export interface CallOperation {
  readonly type: 'call'
  readonly node: NodeName
  /** Who calls. */
  readonly pid: Pid
  /** As the caller has named it, as a text. */
  readonly server: string
  /** The `type` of the request, or what it is in JavaScript. */
  readonly request: string
}

/** A server handles a message. */
export interface HandleOperation {
  readonly type: 'handle_call' | 'handle_cast' | 'handle_info'
  readonly node: NodeName
  readonly server: ServerInfo
  /** The `type` of the request or the message, or what it is in JavaScript. */
  readonly request: string
}

export type Operation = CallOperation | HandleOperation

/** How a call has ended: its reply, or as the `ERR_CALL_…` says; `failed`: it could not be sent, who has the name could not be told, the caller has called itself, or has ended. */
export type CallOutcome = 'reply' | 'timeout' | 'noproc' | 'nodedown' | 'exit' | 'failed'

/**
 * How a server has handled a message: by a `reply` (of a call, returned by the callback), by going on without one, or by its end. `stop`: with a quiet reason;
 * `crash`: with any other; `exited`: its process was ended by another's hand while the callback waited.
 */
export type HandleOutcome = 'reply' | 'noreply' | 'stop' | 'crash' | 'exited'

/** Fields that end in `Ms` are milliseconds of the node's monotonic clock. More types may come: pass over what you don't know. */
export type TelemetryEvent =
  /** A `call` is over, at the client. To find who has a name in a `Via` is part of it. */
  | {
      readonly type: 'call_made'
      readonly node: NodeName
      readonly pid: Pid
      readonly server: string
      readonly request: string
      readonly durationMs: number
      readonly outcome: CallOutcome
      /** Of `exit`, why the server ended; of `failed`, what went wrong. */
      readonly reason: ExitReason | undefined
    }
  /** A callback is done, its promise, if any, included: a call, a cast, or any other message. Not those of `sys`. */
  | {
      readonly type: 'call_handled' | 'cast_handled' | 'info_handled'
      readonly node: NodeName
      readonly server: ServerInfo
      readonly request: string
      readonly durationMs: number
      readonly outcome: HandleOutcome
      /** Of `stop` and `crash`. */
      readonly reason: ExitReason | undefined
    }
  /** `init` is done. */
  | {
      readonly type: 'server_started'
      readonly node: NodeName
      readonly server: ServerInfo
      /** That `init` took; `undefined` of `enterLoop`, and if nobody listened when it began. */
      readonly durationMs: number | undefined
    }
  /** `init` has returned `stop`, or has thrown. */
  | {
      readonly type: 'server_start_failed'
      readonly node: NodeName
      readonly server: ServerInfo
      readonly reason: ExitReason
    }
  /** A server has ended by itself, after `terminate`: `server_crashed` if there is a crash report. One that is killed tells nothing; its supervisor does. */
  | {
      readonly type: 'server_stopped' | 'server_crashed'
      readonly node: NodeName
      readonly server: ServerInfo
      readonly reason: ExitReason
    }
  /** What a supervisor does: the same that it logs, in docs/observation.md. */
  | {
      readonly type:
        | 'child_started'
        /** Started again, or for the first time after a start that failed. */
        | 'child_restarted'
        | 'child_ended'
        | 'child_start_failed'
        | 'child_stop_failed'
        /** Too many restarts: the supervisor ends. */
        | 'supervisor_gave_up'
      readonly node: NodeName
      /** Its pid, and its name, or the pid as a text if it has none. */
      readonly pid: Pid
      readonly supervisor: string
      /** The id of the child. */
      readonly child: string
      readonly childPid: Pid | undefined
      /** `undefined` for starts. */
      readonly reason: ExitReason | undefined
      /** How many times it was started again, or that was tried. */
      readonly restarts: number
    }

/**
 * Tells `listener` what servers, calls and supervisors of this node do. It is called synchronously, in the midst of things: keep it short. What it does itself, at
 * once, is not told. One that throws stays, and is logged. Costs nothing when nobody is attached.
 * @example
 *   const detach = telemetry.attach(node, (event) => {
 *     if (event.type === 'call_handled') histogram.record(event.durationMs, { server: event.server.module, request: event.request })
 *   })
 * @returns what detaches it
 * @throws PidmeshError `ERR_BAD_ARGUMENT`
 */
export function attach(caller: Caller, listener: (event: TelemetryEvent) => void): () => void {
  return contextOf(caller).attachTelemetry(listener)
}

/**
 * Lets a function run each call and each callback of this node, for what must be *around* them, as the context of a span is. It must call `run` once, before it
 * returns; if it doesn't, the operation runs all the same. What it returns is told the event with which the operation ends. Several are nested, the first outermost.
 * @example
 *   telemetry.instrument(node, (operation, run) => {
 *     const span = tracer.startSpan(operation.request)
 *     within(span, run)
 *     return (event) => span.end()
 *   })
 * @returns what detaches it
 * @throws PidmeshError `ERR_BAD_ARGUMENT`
 */
export function instrument(
  caller: Caller,
  around: (operation: Operation, run: () => void) => ((event: TelemetryEvent) => void) | void,
): () => void {
  return contextOf(caller).instrumentTelemetry(around)
}
