export { GenServer } from './gen-server.ts'
export { GenStatem, type StatemState, type StatemStatus } from './gen-statem/gen-statem.ts'
export type {
  CallEvent,
  CastEvent,
  EventTimeoutEvent,
  InfoEvent,
  InternalEvent,
  StateOf,
  StateTimeoutEvent,
  StatemEvent,
  StatemTypes,
  TimeoutEvent,
  TimeoutKey,
} from './gen-statem/events.ts'
export type {
  Action,
  CancelTimeoutAction,
  EnterAction,
  EnterResult,
  EventResult,
  HibernateAction,
  InitAction,
  KeepStateResult,
  NextEventAction,
  NextStateResult,
  PostponeAction,
  RepeatStateResult,
  ReplyAction,
  StartTimeoutAction,
  StatemInitResult,
  StatemOkResult,
  StopAndReplyResult,
  TimeoutAction,
  UpdateTimeoutAction,
} from './gen-statem/results.ts'
export type { Server } from './server.ts'
export {
  enterLoop,
  start,
  startLink,
  startMonitor,
  type Ignored,
  type Monitored,
  type ServerClass,
  type Started,
} from './start.ts'
export { call, cast, DEFAULT_CALL_TIMEOUT_MS, reply } from './call.ts'
export type { Caller } from '@pidmesh/runtime'
export { CallError, StartError, SysError, type CallErrorCode, type StartErrorCode } from './errors.ts'
export type {
  Call,
  From,
  Given,
  ReplyFor,
  ReplyOf,
  ReplyTo,
  ServerAddress,
  ServerName,
  ServerPid,
  ServerRef,
} from './protocol.ts'
export type {
  CallResult,
  CastResult,
  ContinueResult,
  IdleTimeoutMessage,
  IgnoreResult,
  InfoResult,
  InitResult,
  Next,
  NoReplyResult,
  OkResult,
  ReplyResult,
  StopReplyResult,
  StopResult,
} from './results.ts'
export type { Behaviour, Handled, Init, Initialised, Status, Stop } from './behaviour/behaviour.ts'
export type { Debug, Statistics, SystemEvent, SystemListener } from './behaviour/debug.ts'
export { launch, type Bond, type Launched, type StartOptions } from './behaviour/start.ts'
export { abcast, multiCall, type MultiCallResult, type NameOnNodes } from './many.ts'
export {
  checkResponse,
  receiveResponse,
  RequestIds,
  sendRequest,
  waitResponse,
  type LabelledResponse,
  type RequestId,
  type Response,
  type ResponseTimeout,
  type SendRequestOptions,
} from './send-request.ts'
export { stop } from './stop.ts'
export * as sys from './sys.ts'
export * as telemetry from './telemetry.ts'
export type {
  CallOperation,
  CallOutcome,
  HandleOperation,
  HandleOutcome,
  Operation,
  ServerInfo,
  TelemetryEvent,
} from './telemetry.ts'
export type { ServerStatus } from './behaviour/system-protocol.ts'
export * from './supervisor/index.ts'
export {
  DEFAULT_TASK_TIMEOUT_MS,
  Task,
  TaskError,
  type TaskErrorCode,
  type TaskFunction,
  type TaskOutcome,
} from './task.ts'
