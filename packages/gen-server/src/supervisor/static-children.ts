/**
 * The children of a supervisor with the strategy `one_for_one`, `one_for_all` or `rest_for_one`, and what is to be done when one of them ends: a
 * pure core.
 *
 *   EXIT ─▶ onExit ──┬─ not restarted ─▶ []                                        (or `end`: automatic shutdown)
 *                    ├─ too many ──────▶ [report, end]
 *                    └─ restarted ─────▶ [report, stop … (in reverse), start … (in order)]
 *                                                                        └─ fails ─▶ [report, retry] ── a message to itself ─▶ onRetry: counts, and begins again
 *
 * State: the children by their ids, in the order in which they are started, and by their pids; the times of the restarts.
 *
 * Invariants: an id is there once, a pid of one child only. A temporary child that has ended, or was stopped, is forgotten. A restart with
 * `one_for_all` or `rest_for_one` also starts those children among the affected that were not running, as in OTP.
 *
 * Not here: processes, time, messages.
 */
import { assertNever, isQuietReason, type ExitReason, type Pid } from '@pidmesh/runtime'
import type { CheckedChildSpec } from './child-spec.ts'
import { endsWith, isRestarted, newChild, report, stopReport, type Child, type Core, type Effect } from './effects.ts'
import type { CheckedFlags } from './flags.ts'
import { RestartWindow } from './restart-window.ts'

export class StaticChildren implements Core {
  private readonly flags: CheckedFlags
  private readonly window: RestartWindow
  private readonly byId = new Map<string, Child>()
  private readonly byPid = new Map<string, Child>()
  private isStarting = true

  constructor(flags: CheckedFlags, specs: readonly CheckedChildSpec[]) {
    this.flags = flags
    this.window = new RestartWindow(flags)
    for (const spec of specs) this.byId.set(spec.id, newChild(spec))
  }

  /** In the order of their start. */
  get children(): readonly Child[] {
    return [...this.byId.values()]
  }

  find(id: string): Child | undefined {
    return this.byId.get(id)
  }

  childOf(pid: Pid): Child | undefined {
    return this.byPid.get(pid.toString())
  }

  /** The supervisor starts. `onInitDone` is to be called when this has been carried out. */
  onInit(): readonly Effect[] {
    return this.children.map((child) => ({ type: 'start', child }))
  }

  onInitDone(): void {
    this.isStarting = false
  }

  /** A child has been started that is to be there from now on. */
  add(child: Child, pid: Pid | undefined): readonly Effect[] {
    this.byId.set(child.spec.id, child)
    return this.onStarted(child, pid)
  }

  /** A child that doesn't run is forgotten. */
  remove(child: Child): void {
    this.byId.delete(child.spec.id)
  }

  onExit(pid: Pid, reason: ExitReason, nowMs: number): readonly Effect[] {
    const child = this.childOf(pid)
    // One that has been stopped, or whose start has failed, or anyone: no child's end.
    if (child === undefined) return []
    const { spec } = child
    const told =
      spec.restart === 'permanent' || !isQuietReason(reason) ? [report('child_terminated', child, reason)] : []
    this.clear(child)
    if (isRestarted(spec.restart, reason)) return [...told, ...this.restart(child, nowMs)]
    this.forgetTemporary(child)
    const others = (): boolean =>
      this.children.some(
        (other) => other.spec.significant && (other.pid !== undefined || other.status === 'restarting'),
      )
    return endsWith(spec, this.flags.autoShutdown, others) ? [...told, { type: 'end', reason: 'shutdown' }] : told
  }

  /** A child could not be restarted, and is tried again: unless something else has become of it meanwhile. */
  onRetry(child: Child, nowMs: number): readonly Effect[] {
    return child.status === 'restarting' ? this.restart(child, nowMs) : []
  }

  /** One child is to be stopped, and stay so. */
  onTerminate(child: Child): readonly Effect[] {
    if (child.pid !== undefined) return [{ type: 'stop', child }]
    child.status = 'stopped'
    this.forgetTemporary(child)
    return []
  }

  /** The supervisor ends. */
  onTerminateAll(): readonly Effect[] {
    return stopsOf(this.children)
  }

  onStarted(child: Child, pid: Pid | undefined): readonly Effect[] {
    child.starts++
    child.pid = pid
    child.status = pid === undefined ? 'stopped' : 'running'
    if (pid !== undefined) this.byPid.set(pid.toString(), child)
    else this.forgetTemporary(child)
    return pid === undefined ? [] : [report('progress', child)]
  }

  onStartFailed(child: Child, reason: ExitReason): readonly Effect[] {
    child.starts++
    const told = report('start_error', child, reason)
    if (this.isStarting) {
      const end = { shutdown: { failed_to_start_child: child.spec.id, reason } }
      return [told, ...stopsOf(this.children), { type: 'end', reason: end }]
    }
    child.status = 'restarting'
    return [told, { type: 'retry', child }]
  }

  onStopped(child: Child, reason: ExitReason): readonly Effect[] {
    const told = stopReport(child, reason)
    this.clear(child)
    this.forgetTemporary(child)
    return told
  }

  private restart(child: Child, nowMs: number): readonly Effect[] {
    child.status = 'stopped'
    if (!this.window.add(nowMs)) {
      return [report('shutdown', child, 'reached_max_restart_intensity'), { type: 'end', reason: 'shutdown' }]
    }
    const affected = this.affectedBy(child)
    const stops = stopsOf(affected)
    // Temporary ones are stopped only. A retry that one of the others waited for is over: this is it.
    const starts = affected.filter(({ spec }) => spec.restart !== 'temporary')
    for (const other of starts) if (other.pid === undefined) other.status = 'stopped'
    return [...stops, ...starts.map((other): Effect => ({ type: 'start', child: other }))]
  }

  private affectedBy(child: Child): readonly Child[] {
    const { children } = this
    switch (this.flags.strategy) {
      case 'one_for_one':
        return [child]
      case 'one_for_all':
        return children
      case 'rest_for_one':
        return children.slice(children.indexOf(child))
      default:
        return assertNever(this.flags.strategy)
    }
  }

  private clear(child: Child): void {
    if (child.pid !== undefined) this.byPid.delete(child.pid.toString())
    child.pid = undefined
    child.status = 'stopped'
  }

  private forgetTemporary(child: Child): void {
    if (child.spec.restart === 'temporary' && this.byId.get(child.spec.id) === child) this.remove(child)
  }
}

/** The last that was started is the first that is stopped. */
function stopsOf(children: readonly Child[]): readonly Effect[] {
  return children
    .filter(({ pid }) => pid !== undefined)
    .toReversed()
    .map((child) => ({ type: 'stop', child }))
}
