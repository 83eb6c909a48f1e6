/**
 * Starts GenServers and state machines. How any server starts stands in behaviour/start.ts; here is what is typed by the class.
 */
import {
  contextOf,
  isPid,
  type Awaitable,
  type Caller,
  type Context,
  type MessageHandler,
  type Pid,
  type Ref,
} from '@pidmesh/runtime'
import type { Init } from './behaviour/behaviour.ts'
import { badArgument, badOption, checkOptions } from './arguments.ts'
import { ServerLoop } from './behaviour/loop.ts'
import { shownValue } from './behaviour/shown-value.ts'
import { launchAs, type Bond, type Launched, type StartOptions } from './behaviour/start.ts'
import { Callbacks, initialise, type AnyServer } from './callbacks.ts'
import { initialiseStatem } from './gen-statem/callbacks.ts'
import { GenStatem } from './gen-statem/gen-statem.ts'
import type { StatemInitResult } from './gen-statem/results.ts'
import type { ServerPid, Taken } from './protocol.ts'
import type { IgnoreResult, InitResult } from './results.ts'
import { tellStarted } from './observed.ts'
import { refused } from './unawaited.ts'
import type { Server } from './server.ts'

/** A class of servers whose `init` takes `Args` and returns `Result`, and whose `getState` gives a `State`. */
export type ServerClass<
  Calls extends object,
  Casts,
  Args extends readonly unknown[],
  Result extends InitResult | StatemInitResult = InitResult,
  State = unknown,
> = new () => Server<NoInfer<Calls>, NoInfer<Casts>> & {
  readonly $takes?: Taken<Calls, Casts>
  getState(): State
  // Not as methods, of which TypeScript takes any parameter that has something in common: it must take all that it is given, and all that the class says it takes.
  readonly init: (...args: Args) => Awaitable<Result>
  readonly handleCall?: (request: NoInfer<Calls>, from: never, ...own: OfItsOwn<Calls, 'handleCall'>) => unknown
  readonly handleCast?: (request: NoInfer<Casts>, ...own: OfItsOwn<Casts, 'handleCast'>) => unknown
}

/** What the callbacks of GenServer itself don't take, and those of a class do, which have no such parameter: who takes requests has a callback for them. */
type OfItsOwn<Requests, Callback extends string> = [Requests] extends [never]
  ? []
  : [missing: `the class has no ${Callback} of its own`]

/** What a start of a class resolves with whose `init` may `ignore()`; not a text, which would be a name. */
export type Ignored<Args, Result> = IgnoreResult extends Result
  ? IsDefaultInit<Args> extends true
    ? never
    : undefined
  : never

/** The `init` of GenServer itself, which ignores nothing. */
type IsDefaultInit<Args> = Args extends readonly never[] ? (number extends Args['length'] ? true : false) : false

/** What a start resolves with. */
export type Started<Server, Args, Result> = Server | Ignored<Args, Result>

/** A server, and the reference of the monitor that `startMonitor` has made. */
export interface Monitored<Server> {
  readonly pid: Server
  readonly ref: Ref
}

/**
 * Starts a server that nobody is linked to. Resolves when its `init` is done: with its pid, or with `undefined` if it has returned `ignore()`.
 * @throws StartError by rejection: `ERR_ALREADY_STARTED` (with the pid that has the name), `ERR_START_FAILED` (with the reason), `ERR_START_TIMEOUT`
 * @throws PidmeshError by rejection: `ERR_BAD_OPTION`, `ERR_BAD_ARGUMENT`
 */
export function start<
  Calls extends object,
  Casts,
  Args extends readonly unknown[],
  Result extends InitResult | StatemInitResult,
  State,
>(
  caller: Caller,
  server: ServerClass<Calls, Casts, Args, Result, State>,
  args: Readonly<NoInfer<Args>>,
  options: StartOptions = {},
): Promise<Started<ServerPid<Calls, Casts, State>, Args, Result>> {
  return startAs('none', caller, { server, args }, options)
}

/**
 * Starts a server that is linked to the calling process, its parent: when the parent exits so does the server, after `terminate` if it traps exits.
 * @throws StartError — see `start`. As with every link the caller also gets the exit signal of a server that fails to start, unless it took too long, or
 * its name was taken.
 */
export function startLink<
  Calls extends object,
  Casts,
  Args extends readonly unknown[],
  Result extends InitResult | StatemInitResult,
  State,
>(
  caller: Caller,
  server: ServerClass<Calls, Casts, Args, Result, State>,
  args: Readonly<NoInfer<Args>>,
  options: StartOptions = {},
): Promise<Started<ServerPid<Calls, Casts, State>, Args, Result>> {
  return startAs('link', caller, { server, args }, options)
}

/**
 * Starts a server that the calling process monitors from its first moment on.
 * @throws StartError — see `start`. Then there is no monitor, and no `DOWN`.
 */
export function startMonitor<
  Calls extends object,
  Casts,
  Args extends readonly unknown[],
  Result extends InitResult | StatemInitResult,
  State,
>(
  caller: Caller,
  server: ServerClass<Calls, Casts, Args, Result, State>,
  args: Readonly<NoInfer<Args>>,
  options: StartOptions = {},
): Promise<Started<Monitored<ServerPid<Calls, Casts, State>>, Args, Result>> {
  return launch('monitor', caller, { server, args }, options, (launched) =>
    launched.type === 'ignore' ? ignored<Args, Result>() : { pid: launched.pid, ref: launched.ref as Ref },
  )
}

/**
 * Makes a process that was spawned by other means a server: returns the handler that it is to have. `init` isn't called; what the instance needs it has.
 * @param options.parent whose exit ends the server. @default nobody's
 * @throws PidmeshError `ERR_BAD_ARGUMENT`, `ERR_BAD_OPTION`
 * @example node.spawn(handler(async (self) => enterLoop(self, new Counter(await openLog()))))
 */
export function enterLoop(
  self: Context,
  server: AnyServer,
  options: { readonly parent?: Pid | undefined } = {},
): MessageHandler | Promise<MessageHandler> {
  // A state machine has its first state of its `init`, which isn't called here.
  if (!isServer(server) || (server as unknown) instanceof GenStatem)
    throw badArgument('what takes over a process is an instance of a class of servers, and no state machine')
  checkOptions('enterLoop', options, ENTER_OPTIONS)
  const { parent } = options
  if (parent !== undefined && !isPid(parent)) throw badOption('parent must be a pid')
  server.$enter(self)
  const behaviour = new Callbacks(self, server)
  tellStarted(self, behaviour)
  return new ServerLoop({ self, behaviour, parent }).start()
}

const ENTER_OPTIONS: ReadonlySet<string> = new Set(['parent'])

/** Also of a class of another copy of this package. */
function isServer(value: unknown): boolean {
  return typeof value === 'object' && value !== null && typeof (value as { $enter?: unknown }).$enter === 'function'
}

function startAs<Server extends Pid, Args, Result>(
  bond: 'none' | 'link',
  caller: Caller,
  given: Given,
  options: StartOptions,
): Promise<Started<Server, Args, Result>> {
  return launch(bond, caller, given, options, (launched) =>
    launched.type === 'ignore' ? ignored<Args, Result>() : (launched.pid as Server),
  )
}

interface Given {
  readonly server: new () => object
  readonly args: readonly unknown[]
}

/** No async function: each start would pay for its promise. */
function launch<T>(
  bond: Bond,
  caller: Caller,
  { server, args }: Given,
  options: StartOptions,
  read: (launched: Launched) => T,
): Promise<T> {
  const self = contextOf(caller)
  let init: Init
  try {
    init = initOf(server, args)
  } catch (thrown) {
    return refused(thrown)
  }
  return launchAs({ self, bond, init, options }, read)
}

/** @throws PidmeshError `ERR_BAD_ARGUMENT` */
function initOf(server: new () => object, args: readonly unknown[]): Init {
  if (typeof server !== 'function' || !isServer(server.prototype))
    throw badArgument(`what is started is a class of servers, not ${shownValue(server)}`)
  if (!Array.isArray(args)) throw badArgument(`the arguments of init are given as a list, not ${shownValue(args)}`)
  return (self) => {
    const made = new server()
    return made instanceof GenStatem ? initialiseStatem(self, made, args) : initialise(self, made as AnyServer, args)
  }
}

/** By the type of its `init` it is known whether a server may be ignored. */
function ignored<Args, Result>(): Ignored<Args, Result> {
  return undefined as Ignored<Args, Result>
}
