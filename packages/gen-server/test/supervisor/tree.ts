/**
 * What the tests of supervisors share: a node on a virtual clock, and children that do as they are told and note what they do.
 */
import { child, GenServer, processChild, type ChildOptions, type ChildSpec } from '@pidmesh/gen-server'
import { hasType, type Context, type ExitReason, type Node, type Pid } from '@pidmesh/runtime'
import { TestCluster, type LogLine } from '@pidmesh/runtime/testing'
import { afterEach, beforeEach } from 'vitest'

export class Tree {
  /** `start a`, `stop a shutdown`, in the order in which it came. */
  readonly notes: string[] = []
  /** The ids of children whose next starts fail. */
  readonly failing: Set<string> = new Set()
  /** Those whose start says that they aren't wanted. */
  readonly unwanted: Set<string> = new Set()
  private started: { readonly cluster: TestCluster; readonly node: Node } | undefined = undefined

  async start(): Promise<void> {
    const cluster = new TestCluster()
    this.started = { cluster, node: await cluster.start('a') }
    this.notes.length = 0
    this.failing.clear()
    this.unwanted.clear()
  }

  get cluster(): TestCluster {
    if (this.started === undefined) throw new Error('the cluster has not been started')
    return this.started.cluster
  }

  get node(): Node {
    if (this.started === undefined) throw new Error('the node has not been started')
    return this.started.node
  }

  run<T>(promise: Promise<T>): Promise<T> {
    return this.cluster.run(promise)
  }

  settle(): Promise<void> {
    return this.cluster.settle()
  }

  /** What has been noted since the last time. */
  taken(): string {
    return this.notes.splice(0).join(', ')
  }

  /** A child that traps exits, and notes its starts and ends. */
  worker(id: string, options: ChildOptions & { readonly stopMs?: number } = {}): ChildSpec {
    const { stopMs = 0, ...spec } = options
    const inner = child(Worker, [{ id, stopMs, tree: this }], { id, trapExit: true, ...spec })
    return {
      ...inner,
      start: async (self) => {
        if (this.unwanted.has(id)) return undefined
        if (this.failing.has(id)) {
          this.notes.push(`fail ${id}`)
          return inner.start(self)
        }
        return inner.start(self)
      },
    }
  }

  reports(event?: string): LogLine[] {
    return this.cluster.log.lines.filter(
      ({ fields }) => fields['report'] === 'supervisor' && (event === undefined || fields['event'] === event),
    )
  }

  /** How a process ends, when it has. */
  async endOf(pid: Pid): Promise<ExitReason | undefined> {
    let reason: ExitReason | undefined
    this.node.spawn(async (self) => {
      reason = await self.awaitDown(pid, Infinity)
    })
    await this.settle()
    return reason
  }

  /** The context of a process that traps exits, and ends when it is told to, by an exit signal. */
  async parent(): Promise<Context> {
    let context: Context | undefined
    this.node.spawn(
      async (self) => {
        context = self
        const exit = await self.receive('EXIT')
        self.exit(exit.reason)
      },
      { trapExit: true },
    )
    await this.settle()
    if (context === undefined) throw new Error('it has not started')
    return context
  }
}

/** A new node for each test of the file. */
export function useTree(): Tree {
  const tree = new Tree()
  beforeEach(() => tree.start())
  afterEach(() => tree.cluster.stop())
  return tree
}

/** A process that waits for ever. */
export function idle(id: string, options: Parameters<typeof processChild>[2] = {}): ChildSpec {
  return processChild(id, (self) => self.receive(), options)
}

interface WorkerInit {
  readonly id: string
  readonly stopMs: number
  readonly tree: Tree
}

class Worker extends GenServer {
  private own: WorkerInit | undefined

  override init(own: WorkerInit) {
    this.own = own
    if (own.tree.failing.has(own.id)) return this.stop('boom')
    own.tree.notes.push(`start ${own.id}`)
    return undefined
  }

  override handleInfo(message: unknown) {
    if (hasType(message, 'unlink')) this.self.unlink((message as unknown as { from: Pid }).from)
    return hasType(message, 'end') ? this.stop((message as unknown as { reason: ExitReason }).reason) : undefined
  }

  override async terminate(reason: ExitReason): Promise<void> {
    const { id, stopMs, tree } = this.own ?? {}
    if (stopMs !== undefined && stopMs > 0 && tree !== undefined) await this.self.awaitDown(tree.node.self.pid, stopMs)
    tree?.notes.push(`stop ${id} ${typeof reason === 'string' ? reason : JSON.stringify(reason)}`)
  }
}
