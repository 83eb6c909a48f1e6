/**
 * Starts servers. A start resolves when `init` is done, or rejects with why it isn't; then the process is gone and its name is free.
 */
import {
  contextOf,
  handler,
  PidmeshError,
  ViaName,
  type Caller,
  type Context,
  type HandlerBody,
  type Pid,
  type SpawnOptions,
} from '@pidmesh/runtime'
import { StartError } from './errors.ts'
import type { GenServer } from './gen-server.ts'
import { READY_QUESTION, serve, type ReadyQuestion } from './loop.ts'
import type { ServerPid } from './protocol.ts'
import type { InitResult } from './results.ts'

export interface StartOptions {
  /** Registers the server, on this node or in a `Via`, before `init` runs. */
  readonly name?: string | ViaName
  /** How long `init` may take before the process is killed. @default Infinity */
  readonly timeoutMs?: number
  /** A text for logs and observation. @default the class's name */
  readonly label?: string
  /** Starts out trapping exits, so that `terminate` runs when the parent exits. @default false */
  readonly trapExit?: boolean
}

/** A class of servers whose `init` takes `Args`. */
export type ServerClass<Calls extends object, Casts, Args extends readonly unknown[]> = new () => GenServer<
  Calls,
  Casts
> & {
  init(...args: Args): InitResult | Promise<InitResult>
}

/**
 * Starts a server that nobody is linked to.
 * @throws StartError by rejection: `ERR_ALREADY_STARTED` (with the pid that has the name), `ERR_START_FAILED` (with the reason), `ERR_START_TIMEOUT`
 */
export function start<Calls extends object, Casts, Args extends readonly unknown[]>(
  caller: Caller,
  server: ServerClass<Calls, Casts, Args>,
  args: Args,
  options: StartOptions = {},
): Promise<ServerPid<Calls, Casts>> {
  const self = contextOf(caller)
  return launch(
    self,
    (body, spawnOptions) => self.spawn(body, spawnOptions),
    bodyOf(self, server, args, options),
    options,
  )
}

/**
 * Starts a server that is linked to the calling process, its parent: when the parent exits so does the server, after `terminate` if it traps exits.
 * @throws StartError — see `start`. As with every link the caller also gets the exit signal of a server that fails to start.
 */
export function startLink<Calls extends object, Casts, Args extends readonly unknown[]>(
  self: Context,
  server: ServerClass<Calls, Casts, Args>,
  args: Args,
  options: StartOptions = {},
): Promise<ServerPid<Calls, Casts>> {
  return launch(
    self,
    (body, spawnOptions) => self.spawnLink(body, spawnOptions),
    bodyOf(self, server, args, options),
    options,
  )
}

function bodyOf<Calls extends object, Casts, Args extends readonly unknown[]>(
  parent: Context,
  server: ServerClass<Calls, Casts, Args>,
  args: Args,
  { name }: StartOptions,
): HandlerBody {
  return handler(async (self) => {
    if (name instanceof ViaName && (await name.via.registerName(name.name, self.pid)) !== 'yes') {
      self.exit({ already_started: await name.via.resolveName(name.name) })
    }
    const instance = new server()
    instance.enter(self)
    const outcome = await instance.init(...args)
    if (outcome !== undefined) self.exit(outcome.reason)
    return serve(self, instance, parent.pid)
  })
}

async function launch<Calls, Casts>(
  self: Context,
  spawn: (body: HandlerBody, options: SpawnOptions) => Pid,
  body: HandlerBody,
  { name, label, trapExit, timeoutMs = Infinity }: StartOptions,
): Promise<ServerPid<Calls, Casts>> {
  let pid: Pid
  try {
    pid = spawn(body, {
      ...(typeof name === 'string' ? { name } : {}),
      ...(label === undefined ? {} : { label }),
      ...(trapExit === undefined ? {} : { trapExit }),
    })
  } catch (error) {
    if (typeof name !== 'string' || !(error instanceof PidmeshError) || error.code !== 'ERR_NAME_TAKEN') throw error
    throw new StartError('ERR_ALREADY_STARTED', 'already_started', self.whereis(name))
  }
  // Messages wait until `init` is done: the answer to the first one says that it is.
  const outcome = await self.request(pid, (replyTo): ReadyQuestion => ({ type: READY_QUESTION, replyTo }), timeoutMs)
  switch (outcome.type) {
    case 'reply':
      return pid
    case 'timeout':
      self.exit(pid, 'kill')
      throw new StartError('ERR_START_TIMEOUT', 'timeout')
    case 'down': {
      const { reason } = outcome
      if (typeof reason === 'object' && 'already_started' in reason) {
        throw new StartError('ERR_ALREADY_STARTED', 'already_started', reason.already_started as Pid | undefined)
      }
      throw new StartError('ERR_START_FAILED', reason)
    }
  }
}
