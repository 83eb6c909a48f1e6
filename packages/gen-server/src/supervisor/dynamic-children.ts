/**
 * Children that come and go, each on its own: those of a `DynamicSupervisor`, and of a supervisor with the strategy `simple_one_for_one`.
 * A pure core.
 *
 *   EXIT ─▶ onExit ─▶ [] | [report, start] | [report, end]         start fails ─▶ [report, retry]
 *
 * State: the children that run, by their pids; those that wait for another try; the times of the restarts.
 *
 * Invariants: nothing here goes through all children, but the lists that are asked for, and the end. A child that isn't restarted is forgotten.
 *
 * Not here: processes, time, messages.
 */
import { isQuietReason, type ExitReason, type Pid } from '@pidmesh/runtime'
import type { CheckedChildSpec } from './child-spec.ts'
import { endsWith, isRestarted, newChild, report, stopReport, type Child, type Core, type Effect } from './effects.ts'
import type { CheckedDynamicFlags } from './flags.ts'
import { RestartWindow } from './restart-window.ts'

export class DynamicChildren implements Core {
  private readonly flags: CheckedDynamicFlags
  private readonly window: RestartWindow
  private readonly byPid = new Map<string, Child>()
  private readonly restarting = new Set<Child>()
  private supervisors = 0
  private significant = 0

  constructor(flags: CheckedDynamicFlags) {
    this.flags = flags
    this.window = new RestartWindow(flags)
  }

  /** All, those that wait for another try last. */
  get children(): readonly Child[] {
    return [...this.byPid.values(), ...this.restarting]
  }

  get size(): number {
    return this.byPid.size + this.restarting.size
  }

  /** How many there are of each type; `active`: how many run. */
  get counts(): { readonly active: number; readonly supervisors: number; readonly workers: number } {
    return { active: this.byPid.size, supervisors: this.supervisors, workers: this.size - this.supervisors }
  }

  get isFull(): boolean {
    return this.size >= this.flags.maxChildren
  }

  childOf(pid: Pid): Child | undefined {
    return this.byPid.get(pid.toString())
  }

  /** A child has been started. */
  add(spec: CheckedChildSpec, pid: Pid): readonly Effect[] {
    const child = newChild(spec)
    this.count(child, 1)
    return this.onStarted(child, pid)
  }

  onExit(pid: Pid, reason: ExitReason, nowMs: number): readonly Effect[] {
    const child = this.childOf(pid)
    if (child === undefined) return []
    const { spec } = child
    const told =
      spec.restart === 'permanent' || !isQuietReason(reason) ? [report('child_terminated', child, reason)] : []
    this.clear(child)
    if (isRestarted(spec.restart, reason)) return [...told, ...this.restart(child, nowMs)]
    this.count(child, -1)
    const isEnd = endsWith(spec, this.flags.autoShutdown, () => this.significant > 0)
    return isEnd ? [...told, { type: 'end', reason: 'shutdown' }] : told
  }

  onRetry(child: Child, nowMs: number): readonly Effect[] {
    return this.restarting.delete(child) ? this.restart(child, nowMs) : []
  }

  onTerminateAll(): readonly Effect[] {
    return [{ type: 'stop_all', children: [...this.byPid.values()] }]
  }

  onStarted(child: Child, pid: Pid | undefined): readonly Effect[] {
    child.starts++
    if (pid === undefined) {
      this.count(child, -1)
      return []
    }
    child.pid = pid
    child.status = 'running'
    this.byPid.set(pid.toString(), child)
    return [report('progress', child)]
  }

  onStartFailed(child: Child, reason: ExitReason): readonly Effect[] {
    child.starts++
    child.status = 'restarting'
    this.restarting.add(child)
    return [report('start_error', child, reason), { type: 'retry', child }]
  }

  onStopped(child: Child, reason: ExitReason): readonly Effect[] {
    const told = stopReport(child, reason)
    this.clear(child)
    this.count(child, -1)
    return told
  }

  private restart(child: Child, nowMs: number): readonly Effect[] {
    child.status = 'stopped'
    if (!this.window.add(nowMs)) {
      this.count(child, -1)
      return [report('shutdown', child, 'reached_max_restart_intensity'), { type: 'end', reason: 'shutdown' }]
    }
    return [{ type: 'start', child }]
  }

  private clear(child: Child): void {
    if (child.pid !== undefined) this.byPid.delete(child.pid.toString())
    child.pid = undefined
    child.status = 'stopped'
  }

  private count({ spec }: Child, by: 1 | -1): void {
    if (spec.type === 'supervisor') this.supervisors += by
    if (spec.significant) this.significant += by
  }
}
