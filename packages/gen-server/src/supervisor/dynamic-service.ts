/**
 * What a `DynamicSupervisor`, or a supervisor with the strategy `simple_one_for_one`, does when it is asked. Decisions about ends and restarts:
 * dynamic-children.ts.
 */
import { isPid, reasonOfThrown, type Context, type ExitReason, type Pid } from '@pidmesh/runtime'
import { atOnce } from '../behaviour/at-once.ts'
import { checkChildSpec, specProblem, type CheckedChildSpec, type ChildSpec } from './child-spec.ts'
import { DynamicChildren } from './dynamic-children.ts'
import type { Child } from './effects.ts'
import type { CheckedDynamicFlags } from './flags.ts'
import type {
  BadChildSpec,
  ChildCounts,
  ChildInfo,
  DeleteChildResult,
  GetChildSpecResult,
  RestartChildResult,
  StartDynamicChildResult,
  TerminateChildResult,
} from './protocol.ts'
import { resultOf, Shell } from './shell.ts'
import { infoOf } from './static-service.ts'
import type { StartedService, SupervisorService } from './supervisor-server.ts'

/** Makes the specification of a child of the arguments that it is to be started with. */
export type Template<Args extends readonly unknown[], Started extends Pid | undefined = Pid | undefined> = (
  ...args: Args
) => ChildSpec<Started>

export interface DynamicInit {
  readonly type: 'dynamic'
  readonly flags: CheckedDynamicFlags
  /** With `simple_one_for_one`. What its arguments are was checked where they were given; from another node they are what that says. */
  readonly template: Template<never> | undefined
  /** For reports. */
  readonly name: string | undefined
}

export function startDynamicService(self: Context, init: DynamicInit): StartedService {
  return { type: 'ok', service: new DynamicService(self, init) }
}

class DynamicService implements SupervisorService {
  readonly flags: CheckedDynamicFlags
  private readonly self: Context
  private readonly template: DynamicInit['template']
  private readonly core: DynamicChildren
  private readonly shell: Shell

  constructor(self: Context, { flags, template, name }: DynamicInit) {
    this.self = self
    this.flags = flags
    this.template = template
    this.core = new DynamicChildren(flags)
    this.shell = new Shell(self, this.core, name)
  }

  async startChild(spec: ChildSpec): Promise<StartDynamicChildResult | BadChildSpec> {
    if (this.template === undefined) return this.startFrom(() => spec)
    return {
      type: 'bad_child_spec',
      problem: 'with the strategy simple_one_for_one children are started with arguments',
    }
  }

  async startChildWith(args: readonly unknown[]): Promise<StartDynamicChildResult | BadChildSpec> {
    const { template } = this
    if (template !== undefined && Array.isArray(args)) return this.startFrom(() => template(...(args as never)))
    return { type: 'bad_child_spec', problem: 'children are started with specifications here, not with arguments' }
  }

  async terminateChild(pid: string | Pid): Promise<TerminateChildResult> {
    if (!isPid(pid)) return 'simple_one_for_one'
    const child = this.core.childOf(pid)
    if (child === undefined) return 'not_found'
    await this.shell.execute([{ type: 'stop', child }])
    return 'ok'
  }

  async restartChild(): Promise<RestartChildResult> {
    return { type: 'simple_one_for_one' }
  }

  deleteChild(): DeleteChildResult {
    return 'simple_one_for_one'
  }

  getChildSpec(pid: string | Pid): GetChildSpecResult {
    return (isPid(pid) ? this.core.childOf(pid)?.spec : undefined) ?? 'not_found'
  }

  whichChildren(): readonly ChildInfo[] {
    return this.core.children.map(infoOf)
  }

  countChildren(): ChildCounts {
    return { specs: this.template === undefined ? this.core.size : 1, ...this.core.counts }
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

  private async startFrom(give: () => ChildSpec): Promise<StartDynamicChildResult | BadChildSpec> {
    let given: ChildSpec
    try {
      given = atOnce(give(), 'a template gives a specification')
    } catch (thrown) {
      return { type: 'start_failed', reason: reasonOfThrown(thrown) }
    }
    let spec: CheckedChildSpec
    try {
      spec = checkChildSpec(given, this.flags.autoShutdown)
    } catch (error) {
      return { type: 'bad_child_spec', problem: specProblem(error) }
    }
    if (this.core.isFull) return { type: 'max_children' }
    const outcome = await this.shell.start(spec)
    if (outcome.type === 'started' && outcome.pid !== undefined)
      await this.shell.execute(this.core.add(spec, outcome.pid))
    return resultOf(outcome)
  }
}
