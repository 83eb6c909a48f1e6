/**
 * What an instance of any class of servers (GenServer, GenStatem) has: its process, requests to others, and what may be seen of it. What it is called with is
 * the subclass's.
 *
 * State: the process, and whatever fields a user's class adds. Not here: the callbacks, and what follows from their returns.
 */
import { PidmeshError, type Context, type ExitReason, type Logger, type NodeName, type Pid } from '@pidmesh/runtime'
import type { Status } from './behaviour/behaviour.ts'
import { tagOf } from './behaviour/shown-value.ts'
import { call, cast, reply } from './call.ts'
import type { From, Given, ReplyFor, ReplyTo, ServerRef, Taken } from './protocol.ts'
import { IGNORE, type IgnoreResult, type StopResult } from './results.ts'

export abstract class Server<Calls extends object = never, Casts = never> {
  // Private in the language, so that a subclass may use the word.
  #context: Context | undefined = undefined

  /** For the compiler only: what a server takes is what its class says, also if a callback looks only at a part of it. */
  declare readonly $takes?: Taken<Calls, Casts>

  /** This process. Not there before `init`. */
  protected get self(): Context {
    if (this.#context === undefined)
      throw new TypeError('a server has no process before init: do it in init, not in the constructor')
    return this.#context
  }

  protected get pid(): Pid {
    return this.self.pid
  }

  protected get node(): NodeName {
    return this.self.node
  }

  protected get log(): Logger {
    return this.self.log
  }

  /** Called by the server's process, once, before `init`. By a name that no class of yours has: a room has an `enter` of its own. */
  $enter(context: Context): void {
    this.#context = context
  }

  /**
   * What logs and `sys.getStatus` may show: override it to leave out what nobody should read. Crash reports give it the message and the reason, too. The
   * default shows the state, and of the message its `type` only.
   */
  formatStatus(status: Status): Status {
    return 'message' in status ? { ...status, message: tagOf(status.message) } : status
  }

  /** There is to be no server, and that is no failure: whoever starts it gets `undefined`. */
  protected ignore(): IgnoreResult {
    return IGNORE
  }

  /** Ends the server, after `terminate`. A caller that waits gets no reply, but the reason. */
  protected stop(reason: ExitReason): StopResult {
    return { type: 'stop', reason }
  }

  /** The `from` of a request that will be answered later, typed by the request: it takes what `reply` would. */
  protected defer<Request extends Calls>(_request: Request, from: From): From<ReplyTo<Request>> {
    return from
  }

  /** Answers, now, a call that was left waiting. */
  protected replyTo<Reply>(from: From<Reply>, value: Reply): void {
    reply(this.self, from, value)
  }

  /** See `call`. */
  protected call<C, const R extends Given<C>>(
    server: ServerRef<C, never>,
    request: R,
    timeoutMs?: number,
  ): Promise<ReplyFor<C, R>> {
    return call(this.self, server, request, timeoutMs)
  }

  /** See `cast`. */
  protected cast<K>(server: ServerRef<never, K>, request: K): void {
    cast(this.self, server, request)
  }
}

/** The instance's own fields, those that are private in TypeScript included; `#fields` can't be seen. */
export function fieldsOf(instance: object): { [field: string]: unknown } {
  return Object.fromEntries(Object.entries(instance))
}

/**
 * Assigns fields that the instance has.
 * @throws PidmeshError `ERR_BAD_ARGUMENT` for others; then nothing has changed
 */
export function assignFields(instance: object, fields: unknown): void {
  if (typeof fields !== 'object' || fields === null) throw badState('the fields of a server are an object')
  // Read before anything is changed: a getter may throw.
  const read = { ...fields }
  for (const field of Object.keys(read))
    if (!Object.hasOwn(instance, field)) throw badState(`the server has no field ${JSON.stringify(field)}`)
  Object.assign(instance, read)
}

export function badState(problem: string): PidmeshError {
  return new PidmeshError('ERR_BAD_ARGUMENT', problem)
}
