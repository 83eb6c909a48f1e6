/**
 * Supervisors, as they are exported: `Supervisor.startLink`, `DynamicSupervisor.startChild` and so on, and the types of all.
 */
export * as DynamicSupervisor from './dynamic-supervisor.ts'
export * as Supervisor from './supervisor.ts'
export { child, processChild, type ChildOptions } from './child.ts'
export {
  checkChildSpecs,
  DEFAULT_SHUTDOWN_MS,
  type AutoShutdown,
  type CheckedChildSpec,
  type ChildSpec,
  type ChildSpecErrorCode,
  type Restart,
  type Shutdown,
} from './child-spec.ts'
export type { Template } from './dynamic-service.ts'
export type {
  DynamicSupervisorFlags,
  RestartLimits,
  SimpleSupervisorFlags,
  Strategy,
  SupervisorFlags,
} from './flags.ts'
export type { SupervisorOptions } from './options.ts'
export type {
  AnySupervisorRef,
  ChildCounts,
  ChildInfo,
  DeleteChildResult,
  DynamicSupervisorPid,
  DynamicSupervisorRef,
  GetChildSpecResult,
  RestartChildResult,
  SimpleSupervisorPid,
  SimpleSupervisorRef,
  StartChildResult,
  StartDynamicChildResult,
  StartResult,
  SupervisorCall,
  SupervisorPid,
  SupervisorRef,
  SupervisorState,
  TerminateChildResult,
} from './protocol.ts'
export type { Children } from './static-service.ts'
