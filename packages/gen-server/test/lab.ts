/**
 * What the tests of servers share: two nodes on a virtual clock, what goes wrong as a value, and a server whose callbacks return what a test says.
 *
 * `OTP:` in a comment: what OTP 25 does.
 */
import {
  GenServer,
  type Call,
  type CallResult,
  type CastResult,
  type From,
  type InitResult,
  type Next,
  type ServerPid,
} from '@pidmesh/gen-server'
import { handler, type Context, type ExitReason, type Node, type Pid } from '@pidmesh/runtime'
import { TestCluster, type LogLine } from '@pidmesh/runtime/testing'
import { afterEach, beforeEach } from 'vitest'

/** What a failed call, start or request has told. */
export interface Failure {
  readonly code: string
  readonly message: string
  readonly serverReason?: unknown
  readonly reason?: unknown
  readonly pid?: Pid
}

export class Lab {
  cluster: TestCluster = new TestCluster()
  private nodes: { readonly a: Node; readonly b: Node } | undefined = undefined

  async start(): Promise<void> {
    this.cluster = new TestCluster()
    this.nodes = { a: await this.cluster.start('a'), b: await this.cluster.start('b') }
  }

  get a(): Node {
    return this.both().a
  }

  get b(): Node {
    return this.both().b
  }

  /** Lets time pass until the promise has settled. */
  run<T>(promise: Promise<T>): Promise<T> {
    return this.cluster.run(promise)
  }

  settle(): Promise<void> {
    return this.cluster.settle()
  }

  advance(ms: number): Promise<void> {
    return this.cluster.advance(ms)
  }

  async failure(promise: Promise<unknown>): Promise<Failure> {
    return this.cluster.run(
      promise.then(
        () => Promise.reject(new Error('it did not fail')),
        (error: unknown) => error as Failure,
      ),
    )
  }

  /** A process that does nothing by itself, and keeps what it gets. */
  async process(options: { readonly on?: Node; readonly trapExit?: boolean; readonly name?: string } = {}): Promise<{
    readonly self: Context
    readonly messages: unknown[]
  }> {
    const { on = this.a, trapExit = true, name } = options
    const messages: unknown[] = []
    let self: Context | undefined
    const body = handler((context) => {
      self = context
      return (message) => void messages.push(message)
    })
    on.spawn(body, { trapExit, ...(name === undefined ? {} : { name }) })
    await this.settle()
    if (self === undefined) throw new Error('the process has not started')
    return { self, messages }
  }

  /** The reasons of the ends of a process that is watched from now on. */
  async endsOf(pid: Pid): Promise<ExitReason[]> {
    const ends: ExitReason[] = []
    const { self } = await this.process()
    self.awaitDown(pid, Infinity).then(
      (reason) => reason !== undefined && ends.push(reason),
      () => undefined,
    )
    return ends
  }

  crashReports(): LogLine[] {
    return this.cluster.log.lines.filter((line) => line.fields['report'] === 'crash')
  }

  private both(): { readonly a: Node; readonly b: Node } {
    if (this.nodes === undefined) throw new Error('the nodes have not been started')
    return this.nodes
  }
}

/** Two new nodes for each test of the file. */
export function useLab(): Lab {
  const lab = new Lab()
  beforeEach(() => lab.start())
  afterEach(() => lab.cluster.stop())
  return lab
}

/** What a caller without types, or with wrong ones, passes. */
export const untyped = (value: unknown): never => value as never

/** Its pid. */
export type PuppetPid = ServerPid<PuppetCall, { readonly type: 'go' }>

type PuppetCall = Call<{ type: 'go' }, string> | Call<{ type: 'ping' }, 'pong'>

/** What each callback returns, or throws. */
export interface Script {
  readonly init?: (puppet: Puppet) => unknown
  readonly handleCall?: (puppet: Puppet) => unknown
  readonly handleCast?: (puppet: Puppet) => unknown
  readonly handleInfo?: (puppet: Puppet, message: unknown) => unknown
  readonly handleContinue?: (puppet: Puppet) => unknown
  readonly terminate?: (puppet: Puppet) => unknown
}

/** A server that does what a script says, and writes down what happens to it. */
export class Puppet extends GenServer<PuppetCall, { readonly type: 'go' }, string> {
  #script: Script = {}
  #events: string[] = []
  from: From<string> | undefined = undefined

  override init(script: Script, events: string[]): never {
    this.#script = script
    this.#events = events
    return this.#play('init', script.init)
  }

  override handleCall(request: PuppetCall, from: From): CallResult | Promise<CallResult> {
    if (request.type === 'ping') return this.reply(request, 'pong')
    this.from = this.defer(request, from)
    return this.#play('call', this.#script.handleCall)
  }

  override handleCast(): never {
    return this.#play('cast', this.#script.handleCast)
  }

  override handleInfo(message: { readonly type: string }): never {
    return this.#play(`info ${message.type}`, (puppet) => this.#script.handleInfo?.(puppet, message))
  }

  override handleContinue(continuation: string): never {
    return this.#play(`continue ${continuation}`, this.#script.handleContinue)
  }

  override terminate(reason: ExitReason): never {
    return this.#play(
      `terminate ${typeof reason === 'string' ? reason : Object.keys(reason).join()}`,
      this.#script.terminate,
    )
  }

  /** The ways to make a result, for scripts. */
  get make(): {
    ok(next?: Next<string>): InitResult
    ignore(): InitResult
    reply(next?: Next<string>): CallResult
    noreply(next?: Next<string>): CallResult & CastResult
    stop(reason: ExitReason): CallResult & CastResult & InitResult
    stopAfterReply(reason: ExitReason): CallResult
  } {
    const go: Call<{ type: 'go' }, string> = { type: 'go' }
    return {
      ok: (next) => this.ok(next),
      ignore: () => this.ignore(),
      reply: (next) => this.reply(go, 'the reply', next),
      noreply: (next) => this.noreply(next),
      stop: (reason) => this.stop(reason),
      stopAfterReply: (reason) => this.stopAfterReply(go, 'the reply', reason),
    }
  }

  get context(): Context {
    return this.self
  }

  replyLater(value: string): void {
    if (this.from !== undefined) this.replyTo(this.from, value)
  }

  #play(event: string, act: ((puppet: Puppet) => unknown) | undefined): never {
    this.#events.push(event)
    return act?.(this) as never
  }
}
