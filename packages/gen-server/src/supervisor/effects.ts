/**
 * What the pure cores of supervisors decide, as data: effects, which shell.ts carries out in their order, one at a time.
 *
 *   core.onExit(pid, reason, nowMs) ─▶ [report, stop d, stop c, start b, start c, start d]
 *                                              │                    └─▶ core.onStarted(child, pid) | core.onStartFailed(child, reason) ─▶ effects in place of the rest
 *                                              └─▶ core.onStopped(child, reason)
 */
import { isQuietReason, type ExitReason, type Pid } from '@pidmesh/runtime'
import type { AutoShutdown, CheckedChildSpec, Restart } from './child-spec.ts'

/** A child as its supervisor knows it. Only cores change it. */
export interface Child {
  readonly spec: CheckedChildSpec
  pid: Pid | undefined
  /** `stopped`: it isn't to run (now); `restarting`: it could not be restarted, and is tried again. */
  status: 'running' | 'stopped' | 'restarting'
  /** How many times its start was tried. */
  starts: number
}

export type Effect =
  | { readonly type: 'start'; readonly child: Child }
  | { readonly type: 'stop'; readonly child: Child }
  /** All at the same time. */
  | { readonly type: 'stop_all'; readonly children: readonly Child[] }
  /** A message to itself, so that what others want of the supervisor has its turn before. */
  | { readonly type: 'retry'; readonly child: Child }
  | { readonly type: 'report'; readonly report: SupervisionReport }
  /** The supervisor ends. */
  | { readonly type: 'end'; readonly reason: ExitReason }

/** See docs/observation.md. */
export interface SupervisionReport {
  readonly event: 'progress' | 'child_terminated' | 'start_error' | 'shutdown_error' | 'shutdown'
  readonly child: string
  readonly pid: Pid | undefined
  /** `undefined` for `progress`. */
  readonly reason: ExitReason | undefined
  /** How many times it was started again, or that was tried. */
  readonly restarts: number
}

/** What carries out effects tells the core how they went. */
export interface Core {
  /** The child whose process that is. */
  childOf(pid: Pid): Child | undefined
  /** `undefined`: it isn't wanted now. */
  onStarted(child: Child, pid: Pid | undefined): readonly Effect[]
  /** The effects take the place of those that were to come after the start. */
  onStartFailed(child: Child, reason: ExitReason): readonly Effect[]
  onStopped(child: Child, reason: ExitReason): readonly Effect[]
}

export function newChild(spec: CheckedChildSpec): Child {
  return { spec, pid: undefined, status: 'stopped', starts: 0 }
}

export function report(event: SupervisionReport['event'], child: Child, reason?: ExitReason): Effect {
  const { spec, pid, starts } = child
  return { type: 'report', report: { event, child: spec.id, pid, reason, restarts: Math.max(0, starts - 1) } }
}

/** Whether a child that has ended so is to be restarted. */
export function isRestarted(restart: Restart, reason: ExitReason): boolean {
  return restart === 'permanent' || (restart === 'transient' && !isQuietReason(reason))
}

/** Whether a supervisor stops itself now that a child has ended that is not restarted. `others`: whether more of the significant ones run. */
export function endsWith(
  { significant }: CheckedChildSpec,
  autoShutdown: AutoShutdown,
  others: () => boolean,
): boolean {
  if (!significant || autoShutdown === 'never') return false
  return autoShutdown === 'any_significant' || !others()
}

/** What there is to say of how a child ended that was stopped: nothing, if it ended as it was told to. */
export function stopReport(child: Child, reason: ExitReason): readonly Effect[] {
  const { restart, shutdown } = child.spec
  const isExpected =
    reason === (shutdown === 'brutal_kill' ? 'killed' : 'shutdown') ||
    (restart !== 'permanent' && isQuietReason(reason))
  return isExpected ? [] : [report('shutdown_error', child, reason)]
}
