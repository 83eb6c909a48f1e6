/**
 * What a supervisor with the strategy `one_for_one`, `one_for_all` or `rest_for_one` does when it is asked. Decisions about ends and restarts:
 * static-children.ts.
 */
import type { Awaitable, Context, ExitReason, Pid } from '@pidmesh/runtime'
import { checkChildSpec, checkChildSpecs, specProblem, type CheckedChildSpec, type ChildSpec } from './child-spec.ts'
import { newChild, type Child } from './effects.ts'
import type { CheckedFlags } from './flags.ts'
import type {
  BadChildSpec,
  ChildCounts,
  ChildInfo,
  DeleteChildResult,
  GetChildSpecResult,
  RestartChildResult,
  StartChildResult,
  TerminateChildResult,
} from './protocol.ts'
import { resultOf, Shell } from './shell.ts'
import { StaticChildren } from './static-children.ts'
import type { StartedService, SupervisorService } from './supervisor-server.ts'

/** The children, or what gives them: run in the supervisor's process, at each of its starts. */
export type Children = readonly ChildSpec[] | ((self: Context) => Awaitable<readonly ChildSpec[]>)

export interface StaticInit {
  readonly type: 'static'
  readonly flags: CheckedFlags
  readonly children: Children
  /** For reports. */
  readonly name: string | undefined
}

/** Starts the children. When it resolves they run; or the first that could not be started has taken all others with it. */
export async function startStaticService(
  self: Context,
  { flags, children, name }: StaticInit,
): Promise<StartedService> {
  const given = typeof children === 'function' ? await children(self) : children
  let specs: readonly CheckedChildSpec[]
  try {
    specs = checkChildSpecs(given, flags.autoShutdown)
  } catch (error) {
    return { type: 'failed', reason: { start_spec: specProblem(error) } }
  }
  const core = new StaticChildren(flags, specs)
  const shell = new Shell(self, core, name)
  const end = await shell.execute(core.onInit())
  if (end !== undefined) return { type: 'failed', reason: end }
  core.onInitDone()
  return { type: 'ok', service: new StaticService(self, { flags, core, shell }) }
}

interface Parts {
  readonly flags: CheckedFlags
  readonly core: StaticChildren
  readonly shell: Shell
}

class StaticService implements SupervisorService {
  readonly flags: CheckedFlags
  private readonly self: Context
  private readonly core: StaticChildren
  private readonly shell: Shell

  constructor(self: Context, { flags, core, shell }: Parts) {
    this.self = self
    this.flags = flags
    this.core = core
    this.shell = shell
  }

  async startChild(given: ChildSpec): Promise<StartChildResult | BadChildSpec> {
    let spec: CheckedChildSpec
    try {
      spec = checkChildSpec(given, this.flags.autoShutdown)
    } catch (error) {
      return { type: 'bad_child_spec', problem: specProblem(error) }
    }
    const known = this.core.find(spec.id)
    if (known !== undefined)
      return known.pid === undefined ? { type: 'already_present' } : { type: 'already_started', pid: known.pid }
    const outcome = await this.shell.start(spec)
    if (outcome.type === 'started') await this.shell.execute(this.core.add(newChild(spec), outcome.pid))
    return resultOf(outcome)
  }

  async startChildWith(): Promise<BadChildSpec> {
    const problem = 'only with the strategy simple_one_for_one are children started with arguments'
    return { type: 'bad_child_spec', problem }
  }

  async terminateChild(id: string | Pid): Promise<TerminateChildResult> {
    const child = typeof id === 'string' ? this.core.find(id) : undefined
    if (child === undefined) return 'not_found'
    await this.shell.execute(this.core.onTerminate(child))
    return 'ok'
  }

  async restartChild(id: string): Promise<RestartChildResult> {
    const child = this.core.find(id)
    if (child === undefined) return { type: 'not_found' }
    if (child.status !== 'stopped') return { type: child.status }
    const outcome = await this.shell.start(child.spec)
    if (outcome.type === 'started') await this.shell.execute(this.core.onStarted(child, outcome.pid))
    return resultOf(outcome)
  }

  deleteChild(id: string): DeleteChildResult {
    const child = this.core.find(id)
    if (child === undefined) return 'not_found'
    if (child.status !== 'stopped') return child.status
    this.core.remove(child)
    return 'ok'
  }

  getChildSpec(id: string | Pid): GetChildSpecResult {
    return (typeof id === 'string' ? this.core.find(id)?.spec : undefined) ?? 'not_found'
  }

  whichChildren(): readonly ChildInfo[] {
    return this.core.children.map(infoOf).toReversed()
  }

  countChildren(): ChildCounts {
    const { children } = this.core
    const supervisors = children.filter(({ spec }) => spec.type === 'supervisor').length
    return {
      specs: children.length,
      active: children.filter(({ pid }) => pid !== undefined).length,
      supervisors,
      workers: children.length - supervisors,
    }
  }

  onExit(pid: Pid, reason: ExitReason): Promise<ExitReason | undefined> | undefined {
    const effects = this.core.onExit(pid, reason, this.self.monotonicMs())
    return effects.length === 0 ? undefined : this.shell.execute(effects)
  }

  onRetry(child: Child): Promise<ExitReason | undefined> {
    return this.shell.execute(this.core.onRetry(child, this.self.monotonicMs()))
  }

  terminate(): Promise<unknown> {
    return this.shell.execute(this.core.onTerminateAll())
  }
}

export function infoOf({ spec: { id, type }, pid, status }: Child): ChildInfo {
  return { id, pid: status === 'restarting' ? status : pid, type }
}
