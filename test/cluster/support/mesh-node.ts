// A node in an operating system process of its own, as a test sees it: orders, answers, and what its watcher was told, in order.
//
// Whatever a test starts here has ended when the test has, also when it failed. If the test's own process dies it ends too, since its standard input is
// a pipe; only one that is stopped at that moment has to be continued first. mesh-node.mjs is the other side.

import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

import type { NodeDownReason, NodeOptions, RequestOutcome, SendStatus } from '@pidmesh/runtime'
import { onTestFinished } from 'vitest'

import { until } from './until.ts'
import type { UntilOptions } from './until.ts'

const PROGRAM = fileURLToPath(new URL('mesh-node.mjs', import.meta.url))

export const COOKIE = 'the cookie of a test'
export const HOST = '127.0.0.1'

/** A machine that is busy with something else fails no test. */
const WITHIN_MS = 30_000
/** Less than a kernel tries to reach who isn't there. */
const END_WITHIN_MS = 10_000

export type StartArgs = {
  options: NodeOptions
  /** Whether it has a GlobalEts table. */
  names: boolean
}

export type Command =
  | { type: 'nodes' }
  /** Monitors and links processes of another node, which it spawns there. */
  | { type: 'watch'; node: string; monitors: number; links: number }
  | { type: 'call'; node: string }
  /** Calls one after the other until it is told to end. */
  | { type: 'begin_calls'; node: string }
  | { type: 'end_calls'; node: string }
  | { type: 'pour'; node: string; messageBytes: number; totalBytes: number }
  /** How many messages of others' `pour` have arrived. */
  | { type: 'poured' }
  | { type: 'register'; count: number }
  /** How many names it knows of. */
  | { type: 'names' }
  /** Blocks its event loop. */
  | { type: 'stall'; forMs: number }
  | { type: 'be_busy' }
  | { type: 'stop' }

type Answers = {
  nodes: string[]
  watch: undefined
  call: RequestOutcome
  begin_calls: undefined
  end_calls: CallFigures
  pour: PourFigures
  poured: number
  register: undefined
  names: number
  stall: undefined
  be_busy: undefined
  stop: undefined
}

export type CallFigures = { calls: number; failed: number; slowestMs: number }

export type PourFigures = {
  sentBytes: number
  /** How many bytes had been sent when it was said for the first time that the connection is busy. */
  busyFromBytes: number | undefined
  /** More than before, at most. */
  mostHeldBytes: number
  status: SendStatus
}

/** `atMs` is the machine's monotonic clock. */
export type MeshEvent =
  | { type: 'nodeup'; atMs: number; node: string }
  | { type: 'nodedown'; atMs: number; node: string; reason: NodeDownReason }
  | { type: 'DOWN' | 'EXIT'; atMs: number; node: string; reason: string }

export type Order = { id: number; command: Command }

export type Line =
  | { type: 'started'; address: string }
  | { type: 'failed'; code: string }
  | { type: 'answer'; id: number; value?: unknown; error?: string }
  | { type: 'event'; event: MeshEvent }

export type LaunchOptions = Partial<NodeOptions> & {
  names?: boolean
  /** What stands before the command, to run it elsewhere. */
  within?: readonly string[]
}

/** The same clock in all processes of the machine. */
export const nowMs = (): number => Number(process.hrtime.bigint() / 1_000n) / 1_000

export class MeshNode {
  readonly name: string
  readonly child: ChildProcess
  /** What its watcher was told, since it runs. */
  readonly events: MeshEvent[] = []
  /** Its exit code, or the signal that ended it. */
  ended: number | NodeJS.Signals | undefined = undefined
  stderr = ''
  private outcome: Exclude<Line, { type: 'answer' | 'event' }> | undefined = undefined
  private readonly answers = new Map<number, Line & { type: 'answer' }>()
  private lastId = 0

  /** Begins to start it: `started` or `failed` tells what came of it. */
  constructor(shortName: string, { names = false, within = [], ...options }: LaunchOptions = {}) {
    this.name = options.name ?? `${shortName}@${HOST}`
    const args: StartArgs = { options: { cookie: COOKIE, logLevel: 'warn', ...options, name: this.name }, names }
    const command = [process.execPath, '--expose-gc', PROGRAM, JSON.stringify(args)]
    const [program = '', ...rest] = [...within, ...command]
    this.child = spawn(program, rest, { stdio: ['pipe', 'pipe', 'pipe'] })
    this.child.stdin?.on('error', () => undefined)
    this.child.stderr?.on('data', (data: Buffer) => (this.stderr += data.toString()))
    if (this.child.stdout !== null) {
      createInterface(this.child.stdout).on('line', (line) => this.onLine(JSON.parse(line) as Line))
    }
    this.child.once('error', (error) => (this.stderr += error.message))
    this.child.once('close', (code, signal) => (this.ended = code ?? signal ?? 'SIGKILL'))
    onTestFinished(() => this.end())
  }

  /** What it has said on standard error, but for how long a turn took: that is the affair of a machine that may be busy with something else. */
  get complaints(): readonly string[] {
    return this.stderr.split('\n').filter((line) => line !== '' && !line.includes('"report":"long_schedule"'))
  }

  /** Where other nodes reach it. */
  get address(): string {
    if (this.outcome?.type !== 'started') throw new Error(`${this.name} is not up`)
    return this.outcome.address
  }

  async started(): Promise<this> {
    await until(`the start of ${this.name}`, () => this.outcome ?? this.ended, { withinMs: WITHIN_MS })
    if (this.outcome?.type !== 'started')
      throw new Error(`${this.name} has not started: ${JSON.stringify(this.outcome)} ${this.stderr}`)
    return this
  }

  /** The code of the error with which it could not start. */
  async failed(): Promise<string> {
    await until(`the failure of ${this.name}`, () => this.outcome ?? this.ended, { withinMs: WITHIN_MS })
    if (this.outcome?.type !== 'failed') throw new Error(`${this.name} has not failed: ${JSON.stringify(this.outcome)}`)
    return this.outcome.code
  }

  async ask<C extends Command>(command: C): Promise<Answers[C['type']]> {
    const id = ++this.lastId
    this.child.stdin?.write(`${JSON.stringify({ id, command } satisfies Order)}\n`)
    await until(`the answer of ${this.name} to ${command.type}`, () => this.answers.has(id) || this.ended, {
      withinMs: WITHIN_MS,
    })
    const answer = this.answers.get(id)
    this.answers.delete(id)
    if (answer === undefined) throw new Error(`${this.name} has ended: ${this.ended} ${this.stderr}`)
    if (answer.error !== undefined) throw new Error(`${this.name}: ${answer.error}`)
    return answer.value as Answers[C['type']]
  }

  /** What it was told of a node. */
  eventsOf(node: MeshNode): readonly MeshEvent[] {
    return this.events.filter((event) => event.node === node.name)
  }

  /** The first `nodedown` of a node, when it is there. */
  down(node: MeshNode, options?: UntilOptions): Promise<MeshEvent & { type: 'nodedown' }> {
    return until(
      `${this.name} sees ${node.name} go`,
      () => this.eventsOf(node).find((event) => event.type === 'nodedown'),
      { withinMs: WITHIN_MS, instead: () => this.events, ...options },
    )
  }

  /** Its end by itself: the exit code. */
  async exited(): Promise<number | NodeJS.Signals> {
    await until(`the end of ${this.name}`, () => this.ended !== undefined, { withinMs: END_WITHIN_MS })
    return this.ended ?? 'SIGKILL'
  }

  kill(signal: NodeJS.Signals): void {
    this.child.kill(signal)
  }

  /** Ends it, stopped or not. */
  private async end(): Promise<void> {
    if (this.ended !== undefined) return
    this.kill('SIGKILL')
    await this.exited()
  }

  private onLine(line: Line): void {
    switch (line.type) {
      case 'started':
      case 'failed':
        this.outcome = line
        return
      case 'answer':
        this.answers.set(line.id, line)
        return
      case 'event':
        this.events.push(line.event)
    }
  }
}

/** Nodes of these names, once all are connected with all: each of the others has dialed the first. */
export async function startMesh<const Names extends readonly string[]>(
  names: Names,
  options: LaunchOptions | ((name: string, index: number) => LaunchOptions) = {},
): Promise<{ [K in keyof Names]: MeshNode }> {
  const optionsOf = typeof options === 'function' ? options : () => options
  const nodes: MeshNode[] = []
  for (const [i, name] of names.entries()) {
    const [first] = nodes
    const seeds = first === undefined ? [] : [first.address]
    nodes.push(new MeshNode(name, { seeds, ...optionsOf(name, i) }))
    if (first === undefined) await nodes[0]?.started()
  }
  await Promise.all(nodes.map((node) => node.started()))
  await connected(nodes)
  return nodes as { [K in keyof Names]: MeshNode }
}

/** All see all the others, and have said so in their `events`. */
export async function connected(nodes: readonly MeshNode[], options: UntilOptions = {}): Promise<void> {
  for (const node of nodes) {
    const others = nodes.filter((other) => other !== node).map((other) => other.name)
    await until(
      `${node.name} sees all others`,
      async () => {
        const seen = await node.ask({ type: 'nodes' })
        return others.every((other) => seen.includes(other))
      },
      { withinMs: WITHIN_MS, instead: () => node.events, ...options },
    )
    // A nodeup comes before anything of that connection.
    for (const other of others) await node.ask({ type: 'call', node: other })
  }
}
