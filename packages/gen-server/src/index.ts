export { GenServer } from './gen-server.ts'
export { start, startLink, type ServerClass, type StartOptions } from './start.ts'
export { call, cast, DEFAULT_CALL_TIMEOUT_MS, reply } from './call.ts'
export type { Caller } from '@pidmesh/runtime'
export { CallError, StartError, type CallErrorCode, type StartErrorCode } from './errors.ts'
export type { Call, From, ReplyFor, ReplyOf, ServerAddress, ServerPid, ServerRef } from './protocol.ts'
export type {
  CallResult,
  CastResult,
  InfoResult,
  InitResult,
  NoReplyResult,
  ReplyResult,
  StopResult,
} from './results.ts'
export * from './supervisor/index.ts'
export {
  DEFAULT_TASK_TIMEOUT_MS,
  Task,
  TaskError,
  type TaskErrorCode,
  type TaskFunction,
  type TaskOutcome,
} from './task.ts'
