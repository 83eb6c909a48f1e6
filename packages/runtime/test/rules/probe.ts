/**
 * What the tests of the rules share: a node on a virtual clock, and processes that keep what they get and do as they are told.
 *
 * The rules are those of SEMANTICS ("Processes and exit", "Links", "Monitors", "Names on one node", "Timers") and, where that is silent, of OTP's
 * documentation. `BEAM:` in a comment: what OTP 25 does, tried with `erl`.
 */
import { handler, type Context, type Node, type Pid } from '@pidmesh/runtime'
import { TestCluster, type LogLine } from '@pidmesh/runtime/testing'
import { afterEach, beforeEach } from 'vitest'

/** A process that keeps what it gets, and can be made to act. */
export interface Probe {
  readonly pid: Pid
  readonly messages: unknown[]
  readonly self: Context
}

export class Lab {
  cluster: TestCluster = new TestCluster()
  private started: Node | undefined = undefined

  async start(): Promise<void> {
    this.cluster = new TestCluster()
    this.started = await this.cluster.start('a')
  }

  async stop(): Promise<void> {
    await this.cluster.stop()
  }

  get node(): Node {
    if (this.started === undefined) throw new Error('the node has not been started')
    return this.started
  }

  settle(): Promise<void> {
    return this.cluster.settle()
  }

  advance(ms: number): Promise<void> {
    return this.cluster.advance(ms)
  }

  /** As `advance`, in one step however long it is: what the node does again and again, it does once. */
  leap(ms: number): Promise<void> {
    this.cluster.clock.passTo(this.cluster.clock.monotonicMs() + ms)
    return this.cluster.settle()
  }

  /** A handler process that traps exits, or doesn't. */
  async probe(trapExit: boolean = true): Promise<Probe> {
    const messages: unknown[] = []
    const self = await this.contextOf((started) =>
      this.node.spawn(
        handler((context) => {
          started(context)
          return (message) => void messages.push(message)
        }),
        { trapExit },
      ),
    )
    return { pid: self.pid, messages, self }
  }

  /** A plain process that waits for a promise that never settles: what is sent to it stays in its mailbox. */
  deaf(trapExit: boolean = true): Promise<Context> {
    return this.contextOf((started) =>
      this.node.spawn(
        (self) => {
          started(self)
          return new Promise<void>(() => undefined)
        },
        { trapExit },
      ),
    )
  }

  /** A process that has ended. */
  async dead(): Promise<Pid> {
    const pid = this.node.spawn(() => undefined)
    await this.settle()
    return pid
  }

  /** How a process ends, as its monitor is told; `undefined` if it doesn't. */
  async endOf(start: () => Pid): Promise<unknown> {
    const watcher = await this.probe()
    watcher.self.monitor(start())
    await this.settle()
    const down = watcher.messages[0] as { reason: unknown } | undefined
    return down?.reason
  }

  mailboxOf(pid: Pid): readonly unknown[] | undefined {
    return this.node.processInfo(pid, { messages: Infinity })?.messages
  }

  reports(kind: string): LogLine[] {
    return this.cluster.log.lines.filter((line) => line.fields['report'] === kind)
  }

  private async contextOf(spawn: (started: (self: Context) => void) => Pid): Promise<Context> {
    let context: Context | undefined
    spawn((self) => {
      context = self
    })
    await this.settle()
    if (context === undefined) throw new Error('the process has not started')
    return context
  }
}

/** A new node for each test of the file. */
export function useLab(): Lab {
  const lab = new Lab()
  beforeEach(() => lab.start())
  afterEach(() => lab.stop())
  return lab
}

/** What a caller without types, or with wrong ones, passes. */
export const untyped = (value: unknown): never => value as never

/** The code of what it throws; `'nothing thrown'` if it doesn't. */
export function codeOf(act: () => unknown): unknown {
  try {
    act()
    return 'nothing thrown'
  } catch (error) {
    return (error as { code?: unknown }).code ?? error
  }
}

/** A promise, and what resolves it. */
export function gate(): { readonly opened: Promise<void>; readonly open: () => void } {
  let open = (): void => undefined
  const opened = new Promise<void>((resolve) => {
    open = resolve
  })
  return { opened, open: () => open() }
}
