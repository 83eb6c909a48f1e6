/**
 * The functions that other nodes may run here, by name, and the process that runs them: registered as `$remote` once there is one.
 *
 *   caller ─ { $spawn, name, args } ─▶ $remote ─ makes the process, which does not run yet ─▶ { spawned, pid, held }
 *   caller ─ link, monitor ─▶ the process        signals of one process to one node keep their order:
 *   caller ─ { $go, held } ───────────▶ $remote ─ lets it run                       so none of its end is missed
 *
 *   caller ─ { $apply, name, args } ─▶ $remote ─ spawns a process that runs the function ─▶ { value } | { exception } | { exit }
 *
 * Invariants: what was not exported is not run; a process that waits for its `$go` ends if its caller does.
 */
import { ExitError, PidmeshError, shown } from '../errors.ts'
import { withItem } from '../few.ts'
import { Pid, Ref } from '../ids.ts'
import { hasType, type DownMessage } from '../messages.ts'
import { isRegisteredName } from '../names.ts'
import { handler, type ProcessBody, type SpawnOptions } from '../process/body.ts'
import { checkFunction, isA } from '../process/checks.ts'
import type { Context } from '../process/context.ts'
import type { ExitHook, Process } from '../process/process.ts'
import { isExitReason, reasonOfThrown, type ExitReason } from '../reasons.ts'
import type { Kernel } from './kernel.ts'

/** Runs in a process of its own, with the arguments that the caller has sent. Nothing checks them. */
export type ExportedFunction = (self: Context, ...args: never[]) => unknown

/** The name of the process that runs exported functions. */
export const REMOTE_SERVER = '$remote'

export interface SpawnRequest {
  readonly type: '$spawn'
  readonly replyTo: Ref
  readonly caller: Pid
  readonly name: string
  readonly args: readonly unknown[]
  readonly options: SpawnOptions
}

export interface GoMessage {
  readonly type: '$go'
  /** From the reply to the request. */
  readonly held: Ref
}

export interface ApplyRequest {
  readonly type: '$apply'
  /** `undefined`: nobody wants to know. */
  readonly replyTo: Ref | undefined
  readonly name: string
  readonly args: readonly unknown[]
}

const REFUSED_CODES = ['ERR_NAME_TAKEN', 'ERR_BAD_ARGUMENT', 'ERR_BAD_OPTION', 'ERR_BUSY'] as const

/** Why a node that has the function doesn't spawn it. */
export type RefusedCode = (typeof REFUSED_CODES)[number]

export type SpawnReply =
  | { readonly type: 'spawned'; readonly pid: Pid; readonly held: Ref }
  | { readonly type: 'not_exported' }
  | { readonly type: 'refused'; readonly code: RefusedCode; readonly message: string }

export type ApplyReply =
  | { readonly type: 'value'; readonly value: unknown }
  | { readonly type: 'not_exported' }
  /** Too much is under way for other nodes. */
  | { readonly type: 'busy' }
  /** The function has thrown. */
  | { readonly type: 'exception'; readonly reason: ExitReason }
  /** The process that ran it has ended before it returned, by its own `exit` or by another's. */
  | { readonly type: 'exit'; readonly reason: ExitReason }

export class Exports implements ExitHook {
  private readonly kernel: Kernel
  private readonly functions = new Map<string, ExportedFunction>()
  private readonly watched: Watched = new Map()
  private server: Process | undefined = undefined

  constructor(kernel: Kernel) {
    this.kernel = kernel
  }

  /** @throws PidmeshError `ERR_BAD_ARGUMENT`, `ERR_NAME_TAKEN` if one of the names is exported already: then none of them is. */
  add(functions: Readonly<Record<string, ExportedFunction>>): void {
    if (typeof functions !== 'object' || functions === null)
      throw new PidmeshError(
        'ERR_BAD_ARGUMENT',
        `functions are exported by name, in an object, not ${shown(functions)}`,
      )
    const entries = Object.entries(functions)
    for (const [name, run] of entries) {
      checkFunction(`the function ${shown(name)}`, run)
      if (!isRegisteredName(name))
        throw new PidmeshError('ERR_BAD_ARGUMENT', `not a name of a function: ${shown(name)}`)
      if (this.functions.has(name))
        throw new PidmeshError('ERR_NAME_TAKEN', `a function ${shown(name)} is exported already`)
    }
    if (this.server?.isAlive !== true) this.startServer()
    for (const [name, run] of entries) this.functions.set(name, run)
  }

  /** `$remote` has ended, by whatever hand: what it held ends too, and another takes its place. */
  onExit(): void {
    const entries = [...this.watched.values()]
    this.watched.clear()
    for (const entry of entries) if (entry.type === 'held') this.kernel.exits.end(entry.child, 'noproc')
    if (!this.kernel.isStopped) this.startServer()
  }

  private startServer(): void {
    const body = handler((self) => (message) => this.serve(self, message))
    const server = this.kernel.spawn(body, {
      name: REMOTE_SERVER,
      label: 'runs exported functions',
      trapExit: true,
      // What waits for it is bounded by those who ask, and by their connections; a request that is dropped would never be answered.
      mailbox: { limit: Infinity, policy: 'log' },
    })
    server.exitHooks = withItem<ExitHook>(server.exitHooks, this)
    this.server = server
  }

  private serve(self: Context, message: unknown): void {
    if (isSpawnRequest(message)) this.spawn(self, message)
    else if (isApplyRequest(message)) this.apply(self, message)
    else if (isGoMessage(message)) this.letGo(self, message.held)
    else if (hasType(message, 'DOWN') && message.ref instanceof Ref) this.onDown(self, message)
  }

  private spawn(self: Context, request: SpawnRequest): void {
    const { replyTo, caller, name, args, options } = request
    const run = this.functions.get(name)
    if (run === undefined) {
      self.send(replyTo, { type: 'not_exported' } satisfies SpawnReply)
      return
    }
    let child: Process
    try {
      if (caller.equals(self.pid)) throw new PidmeshError('ERR_BAD_ARGUMENT', `${caller} can't ask itself`)
      if (this.watched.size >= MAX_WATCHED)
        throw new PidmeshError('ERR_BUSY', `${MAX_WATCHED} requests of other nodes are under way`)
      child = this.kernel.make(bodyOf(run, args), options)
    } catch (error) {
      self.send(replyTo, refusalOf(error))
      return
    }
    const ref = self.monitor(caller)
    this.watched.set(ref.id, { type: 'held', child, ref })
    self.send(replyTo, { type: 'spawned', pid: child.pid, held: ref } satisfies SpawnReply)
  }

  private letGo(self: Context, held: Ref): void {
    const entry = this.watched.get(held.id)
    if (entry?.type !== 'held' || !entry.ref.equals(held)) return
    this.watched.delete(held.id)
    self.demonitor(entry.ref)
    if (entry.child.isAlive) this.kernel.scheduler.enqueue(entry.child)
  }

  private onDown(self: Context, { ref, reason }: DownMessage): void {
    const entry = this.watched.get(ref.id)
    // Anyone can send what looks like a DOWN: the reference is known to this process only.
    if (entry === undefined || !entry.ref.equals(ref)) return
    this.watched.delete(ref.id)
    // Its caller has ended, and can't let it go any more.
    if (entry.type === 'held') this.kernel.exits.end(entry.child, 'noproc')
    // If it has replied, this comes too late, and is dropped.
    else if (entry.replyTo !== undefined) answer(self, entry.replyTo, { type: 'exit', reason })
  }

  private apply(self: Context, { replyTo, name, args }: ApplyRequest): void {
    const run = this.functions.get(name)
    const refusal: ApplyReply | undefined =
      run === undefined ? { type: 'not_exported' } : this.watched.size >= MAX_WATCHED ? { type: 'busy' } : undefined
    if (run === undefined || refusal !== undefined) {
      if (replyTo !== undefined && refusal !== undefined) answer(self, replyTo, refusal)
      return
    }
    const body = async (child: Context): Promise<void> => {
      if (replyTo !== undefined) answer(child, replyTo, await replyOf(run, child, args))
      else await Reflect.apply(run, undefined, [child, ...args])
    }
    const { ref } = self.spawnMonitor(body, { label: `exported function ${name}` })
    this.watched.set(ref.id, { type: 'running', ref, replyTo })
  }
}

/** What `$remote` monitors, by the id of the monitor's reference: callers whose process is held, and processes that run a function. */
type Watched = Map<
  number,
  | { readonly type: 'held'; readonly child: Process; readonly ref: Ref }
  | { readonly type: 'running'; readonly ref: Ref; readonly replyTo: Ref | undefined }
>

/** Processes that run, or are held, for other nodes at the same time. */
const MAX_WATCHED = 100_000

async function replyOf(run: ExportedFunction, self: Context, args: readonly unknown[]): Promise<ApplyReply> {
  try {
    return { type: 'value', value: await Reflect.apply(run, undefined, [self, ...args]) }
  } catch (thrown) {
    return { type: isA(thrown, ExitError) ? 'exit' : 'exception', reason: reasonOfThrown(thrown) }
  }
}

/** Whatever can't be sent is told as what it is. */
function answer(self: Context, replyTo: Ref, reply: ApplyReply): void {
  try {
    self.send(replyTo, reply)
  } catch (thrown) {
    const type = reply.type === 'exit' ? 'exit' : 'exception'
    const reason = reasonOfThrown(reply.type === 'value' ? ofResult(thrown) : thrown)
    self.send(replyTo, { type, reason } satisfies ApplyReply)
  }
}

/** Why a result can't be sent, for a caller who would take it for something that the function has thrown. */
function ofResult(thrown: unknown): unknown {
  if (!isA(thrown, PidmeshError)) return thrown
  const { code, message } = thrown
  // Where in the reply it stands: the caller knows of its result only.
  const why = message.replace(/^message\.value\b/, 'result')
  return new PidmeshError(code, `the function has returned, but its result can't be sent: ${code}: ${why}`, {
    cause: thrown.cause,
  })
}

function bodyOf(run: ExportedFunction, args: readonly unknown[]): ProcessBody {
  return (self): unknown => Reflect.apply(run, undefined, [self, ...args])
}

function refusalOf(error: unknown): SpawnReply {
  const known = error instanceof PidmeshError ? REFUSED_CODES.find((code) => code === error.code) : undefined
  return {
    type: 'refused',
    code: known ?? 'ERR_BAD_ARGUMENT',
    message: error instanceof Error ? error.message : shown(error),
  }
}

// What comes from other nodes may be anything.

function isSpawnRequest(message: unknown): message is SpawnRequest {
  if (!hasType(message, '$spawn')) return false
  const { replyTo, caller, name, args, options } = message as Partial<SpawnRequest>
  const isWhole = replyTo instanceof Ref && caller instanceof Pid && typeof name === 'string'
  return isWhole && Array.isArray(args) && typeof options === 'object' && options !== null
}

function isApplyRequest(message: unknown): message is ApplyRequest {
  if (!hasType(message, '$apply')) return false
  const { replyTo, name, args } = message as Partial<ApplyRequest>
  return (replyTo === undefined || replyTo instanceof Ref) && typeof name === 'string' && Array.isArray(args)
}

export function isSpawnReply(value: unknown): value is SpawnReply {
  if (typeof value !== 'object' || value === null) return false
  const reply = value as { type?: unknown; pid?: unknown; held?: unknown; code?: unknown; message?: unknown }
  switch (reply.type) {
    case 'spawned':
      return reply.pid instanceof Pid && reply.held instanceof Ref
    case 'refused':
      return REFUSED_CODES.some((code) => code === reply.code) && typeof reply.message === 'string'
    default:
      return reply.type === 'not_exported'
  }
}

export function isApplyReply(value: unknown): value is ApplyReply {
  if (typeof value !== 'object' || value === null) return false
  const reply = value as { type?: unknown; reason?: unknown }
  switch (reply.type) {
    case 'exception':
    case 'exit':
      return isExitReason(reply.reason)
    default:
      return reply.type === 'value' || reply.type === 'not_exported' || reply.type === 'busy'
  }
}

function isGoMessage(message: unknown): message is GoMessage {
  return hasType(message, '$go') && (message as Partial<GoMessage>).held instanceof Ref
}
