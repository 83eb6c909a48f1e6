/**
 * Plays histories of one supervisor on a node of ours.
 */
import { stop, Supervisor, sys, type ChildSpec, type StartError } from '@pidmesh/gen-server'
import { assertNever, hasType, type Context, type ExitReason, type Node, type Pid } from '@pidmesh/runtime'
import type { TestCluster } from '@pidmesh/runtime/testing'
import { onNewNode } from '../../beam/new-node.ts'
import { exitReasonOf, reasonText, type Reason } from '../../beam/reasons.ts'
import type { Act, Child, History, Id, Start } from './history.ts'

interface EndWith {
  readonly type: 'end_with'
  readonly reason: Reason
}

const PERIOD_MS = 1_000_000_000

class Play {
  private readonly cluster: TestCluster
  private readonly node: Node
  private readonly history: History
  private readonly isSimple: boolean
  private readonly starts: ReadonlyMap<Id, Start[]>
  /** Of each id the one that was started last. */
  private readonly pids = new Map<Id, Pid>()
  private readonly seen: string[] = []

  constructor(cluster: TestCluster, node: Node, history: History) {
    this.cluster = cluster
    this.node = node
    this.history = history
    this.isSimple = history.strategy === 'simple_one_for_one'
    this.starts = new Map(history.starts.map(({ id, starts }) => [id, [...starts]]))
  }

  async lines(): Promise<readonly string[]> {
    const { cluster, node, history } = this
    let supervisor: Pid
    try {
      supervisor = await cluster.run(this.start())
    } catch (error) {
      return [this.line('start', `failed ${failedChild(error as StartError)}`)]
    }
    let ended: ExitReason | undefined
    node.self.awaitDown(supervisor, Infinity).then(
      (reason) => (ended = reason),
      // The node stops, and it has not ended.
      () => undefined,
    )
    const lines = [this.line('started', await this.state(supervisor))]
    for (const act of history.acts) {
      const answer = `${act.type}: ${await cluster.run(this.perform(act, supervisor))}`
      await cluster.settle()
      if (ended !== undefined) return [...lines, this.lastLine(answer, ended)]
      lines.push(this.line(answer, await this.state(supervisor)))
    }
    await cluster.run(stop(node, supervisor, 'shutdown'))
    return [...lines, this.lastLine('stop', 'shutdown')]
  }

  private line(first: string, last: string): string {
    return [first, ...this.seen.splice(0), last].join('; ')
  }

  /** Those of simple_one_for_one are stopped together, in any order. */
  private lastLine(first: string, ended: ExitReason): string {
    if (this.isSimple) this.seen.sort()
    return this.line(first, `ended ${reasonText(ended)}`)
  }

  private start(): Promise<Pid> {
    const { strategy, intensity, autoShutdown, children } = this.history
    const flags = { intensity, periodMs: PERIOD_MS, autoShutdown }
    if (strategy !== 'simple_one_for_one')
      return Supervisor.start(
        this.node,
        { ...flags, strategy },
        children.map((child) => this.specOf(child)),
      )
    const template = (id: Id): ChildSpec => this.specOf({ ...firstOf(children), id })
    return Supervisor.start(this.node, { ...flags, strategy }, template)
  }

  private specOf({ id, restart, significant, shutdown }: Child): ChildSpec {
    return {
      id,
      restart,
      significant,
      shutdown: shutdown === 'infinity' ? Infinity : shutdown,
      start: (self) => this.startChild(id, self),
    }
  }

  private startChild(id: Id, supervisor: Context): Pid | undefined {
    const start = this.starts.get(id)?.shift() ?? 'obeys'
    this.seen.push(`${id} ${start}`)
    if (start === 'fails') throw new Error('nope')
    if (start === 'ignored') return undefined
    const body = (self: Context): Promise<never> => this.live(self, { id, start, supervisor: supervisor.pid })
    const pid = supervisor.spawnLink(body, { trapExit: start !== 'deaf' })
    this.pids.set(id, pid)
    return pid
  }

  private async live(
    self: Context,
    { id, start, supervisor }: { readonly id: Id; readonly start: Start; readonly supervisor: Pid },
  ): Promise<never> {
    for (;;) {
      const message = await self.receive()
      if (hasType(message, 'end_with')) self.exit(exitReasonOf((message as EndWith).reason))
      if (!hasType(message, 'EXIT') || !message.from.equals(supervisor)) continue
      this.seen.push(`${id} stops`)
      self.exit(start === 'otherwise' ? 'odd' : start === 'normally' ? 'normal' : message.reason)
    }
  }

  private async state(supervisor: Pid): Promise<string> {
    const { cluster, node } = this
    const children = await cluster.run(Supervisor.whichChildren(node, supervisor))
    const { specs, active, workers } = await cluster.run(Supervisor.countChildren(node, supervisor))
    const texts = children.map(({ id, pid }) => (pid === undefined ? `no ${id}` : id))
    return `${(this.isSimple ? texts.sort() : texts).join(', ')} (${specs} ${active} ${workers})`
  }

  private async perform(act: Act, supervisor: Pid): Promise<string> {
    const { node, isSimple } = this
    switch (act.type) {
      case 'ends':
        await sys.suspend(node, supervisor)
        for (const { id, reason } of act.ends) await this.end(id, reason)
        await sys.resume(node, supervisor)
        return 'ok'
      case 'start': {
        const { id } = act.child
        if (!isSimple) return answerText(await Supervisor.startChild(node, supervisor, this.specOf(act.child)))
        return this.running(id) === undefined
          ? answerText(await Supervisor.startChild(node, supervisor, [id]))
          : 'there'
      }
      case 'terminate': {
        const pid = this.running(act.id)
        return isSimple && pid !== undefined
          ? Supervisor.terminateChild(node, supervisor, pid)
          : Supervisor.terminateChild(node, supervisor, act.id)
      }
      case 'restart':
        return answerText(await Supervisor.restartChild(node, supervisor, act.id))
      case 'delete':
        return Supervisor.deleteChild(node, supervisor, act.id)
      default:
        return assertNever(act)
    }
  }

  private running(id: Id): Pid | undefined {
    const pid = this.pids.get(id)
    return pid !== undefined && this.node.isProcessAlive(pid) ? pid : undefined
  }

  private async end(id: Id, reason: Reason | 'kill'): Promise<void> {
    const pid = this.running(id)
    if (pid === undefined) return
    if (reason === 'kill') this.node.exit(pid, reason)
    else this.node.send(pid, { type: 'end_with', reason } satisfies EndWith)
    await this.node.self.awaitDown(pid, Infinity)
  }
}

function answerText(answer: { readonly type: string; readonly pid?: Pid | undefined }): string {
  return answer.type === 'ok' && answer.pid === undefined ? 'ignored' : answer.type
}

/** `{ shutdown: { failed_to_start_child: id, reason } }` */
function failedChild({ reason }: StartError): string {
  const { shutdown } = reason as { readonly shutdown?: { readonly failed_to_start_child?: string } }
  return String(shutdown?.failed_to_start_child)
}

function firstOf([first]: readonly Child[]): Child {
  if (first === undefined) throw new Error('a supervisor has at least one child')
  return first
}

export function playHere(history: History): Promise<readonly string[]> {
  return onNewNode((cluster, node) => new Play(cluster, node, history).lines())
}
