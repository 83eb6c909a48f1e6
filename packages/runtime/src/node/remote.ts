/**
 * Running functions on other nodes: `spawnOn`, as Erlang's `spawn/4`, and `erpc`, as its module of that name. Both run what the other node has exported by name; see
 * exports.ts for the messages.
 */
import { PidmeshError, shown } from '../errors.ts'
import type { NodeName, Pid, Ref } from '../ids.ts'
import { SPAWN_OPTIONS, type SpawnOptions } from '../process/body.ts'
import { checkNameText, checkNodeName, checkNodeNames, checkOptions } from '../process/checks.ts'
import type { Context } from '../process/context.ts'
import type { RequestOutcome } from '../process/requests.ts'
import { formatReason, type ExitReason } from '../reasons.ts'
import { checkDuration } from '../timers.ts'
import { contextOf, type Caller } from './caller.ts'
import {
  isApplyReply,
  isSpawnReply,
  REMOTE_SERVER,
  type ApplyRequest,
  type GoMessage,
  type SpawnRequest,
} from './exports.ts'

/**
 * Spawns a process on another node, or this one, that runs a function which that node has exported. Resolves with its pid; it runs from then on.
 * @throws PidmeshError by rejection: `ERR_NOT_EXPORTED`, `ERR_NODEDOWN` if the node isn't connected or the connection is lost meanwhile, `ERR_BUSY`; what
 * `spawn` there has thrown: `ERR_NAME_TAKEN`, `ERR_BAD_OPTION`; `ERR_NOT_SENDABLE` for arguments that can't be sent
 */
export function spawnOn(
  caller: Caller,
  node: NodeName,
  name: string,
  args: readonly unknown[],
  options: SpawnOptions = {},
): Promise<Pid> {
  return heeded(spawnHeld(contextOf(caller), checkSpawn({ node, name, args, options }), 'untold', (pid) => pid))
}

/**
 * As `spawnOn` and `link` in one step: none of its ends is missed. One that is spawned, and whose connection is lost before it runs, has ended with `noconnection`: the
 * exit signal says so, and there is no `ERR_NODEDOWN`.
 */
export function spawnLinkOn(
  self: Context,
  node: NodeName,
  name: string,
  args: readonly unknown[],
  options: SpawnOptions = {},
): Promise<Pid> {
  const linking = contextOf(self)
  return heeded(
    spawnHeld(linking, checkSpawn({ node, name, args, options }), 'told', (pid) => {
      linking.link(pid)
      return pid
    }),
  )
}

/** As `spawnOn` and `monitor` in one step: its `DOWN` has the reason of its end, however soon that is. As with `spawnLinkOn` this may be `noconnection`. */
export function spawnMonitorOn(
  self: Context,
  node: NodeName,
  name: string,
  args: readonly unknown[],
  options: SpawnOptions = {},
): Promise<{ readonly pid: Pid; readonly ref: Ref }> {
  const watching = contextOf(self)
  const spawn = checkSpawn({ node, name, args, options })
  return heeded(spawnHeld(watching, spawn, 'told', (pid) => ({ pid, ref: watching.monitor(pid) })))
}

interface Spawn {
  readonly node: NodeName
  readonly name: string
  readonly args: readonly unknown[]
  readonly options: SpawnOptions
}

/** One who is killed while he waits must not take the OS process with him. Whoever does wait is told all the same. */
function heeded<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => undefined)
  return promise
}

/** @throws PidmeshError `ERR_BAD_ARGUMENT`, `ERR_BAD_OPTION` */
function checkSpawn({ node, name, args, options }: Spawn): Spawn {
  checkCalled(node, name, args)
  return { node, name, args, options: checkOptions('spawn', options, SPAWN_OPTIONS) }
}

/** @throws PidmeshError `ERR_BAD_ARGUMENT` */
function checkCalled(node: NodeName, name: string, args: readonly unknown[]): void {
  checkNodeName(node)
  checkNameText(name)
  if (!Array.isArray(args)) throw new PidmeshError('ERR_BAD_ARGUMENT', `arguments are a list, not ${shown(args)}`)
}

/**
 * `relate` sets up relations while the process waits to run, and gives what the caller gets: what it sends arrives before the order to go. `told`: by these he is told of
 * its end, and needs the pid, or the reference, that he is told of.
 */
async function spawnHeld<Related>(
  self: Context,
  { node, name, args, options }: Spawn,
  ofItsEnd: 'told' | 'untold',
  relate: (pid: Pid) => Related,
): Promise<Related> {
  const server = { name: REMOTE_SERVER, node }
  const request = (replyTo: Ref): SpawnRequest => ({ type: '$spawn', replyTo, caller: self.pid, name, args, options })
  const outcome = await self.request(server, request, Infinity)
  if (outcome.type !== 'reply') throw unreachable(outcome, node, name)
  const reply = checked(outcome.value, isSpawnReply, node)
  switch (reply.type) {
    case 'spawned': {
      const related = relate(reply.pid)
      const status = self.send(server, { type: '$go', held: reply.held } satisfies GoMessage)
      if (status === 'noconnection' && ofItsEnd === 'untold')
        throw unreachable({ type: 'down', reason: 'noconnection' }, node, name)
      return related
    }
    case 'not_exported':
      throw notExported(node, name)
    case 'refused':
      throw new PidmeshError(reply.code, `${node}: ${reply.message}`)
  }
}

export type ErpcErrorCode = 'ERR_RPC_EXCEPTION' | 'ERR_RPC_EXIT' | 'ERR_RPC_TIMEOUT'

/**
 * The function was called, and there is no result of it.
 *
 * - `ERR_RPC_EXCEPTION`: it has thrown; `reason` is the error as data. Or it has returned what can't be sent: the code within is `ERR_NOT_SENDABLE` or
 *   `ERR_MESSAGE_TOO_LARGE`
 * - `ERR_RPC_EXIT`: its process has ended; `reason` says why
 * - `ERR_RPC_TIMEOUT`: it has not returned in time; it may still run, and its result is dropped
 */
export class ErpcError extends PidmeshError<ErpcErrorCode> {
  readonly reason: ExitReason

  constructor(code: ErpcErrorCode, reason: ExitReason, called: string) {
    super(code, `${called}: ${formatReason(reason)}`)
    this.name = 'ErpcError'
    this.reason = reason
  }
}

/** What a node gave to a `multicall`. */
export type ErpcOutcome<Result> =
  | { readonly node: NodeName; readonly type: 'value'; readonly value: Result }
  | { readonly node: NodeName; readonly type: 'error'; readonly error: unknown }

const DEFAULT_TIMEOUT_MS = 5_000

/**
 * Calls a function that another node, or this one, has exported, in a process of its own there. Nothing checks that the result is of the type that you say.
 * @param timeoutMs milliseconds, or `Infinity`. @default 5000
 * @throws ErpcError by rejection; PidmeshError: `ERR_NOT_EXPORTED`, `ERR_NODEDOWN`, `ERR_BUSY`, `ERR_NOT_SENDABLE`;
 * `ERR_BAD_TERM` if what answers there is no node of ours
 */
function call<Result = unknown>(
  caller: Caller,
  node: NodeName,
  name: string,
  args: readonly unknown[],
  timeoutMs: number = DEFAULT_TIMEOUT_MS,
): Promise<NoInfer<Result>> {
  checkCalled(node, name, args)
  checkDuration('timeoutMs', timeoutMs)
  const request = (replyTo: Ref): ApplyRequest => ({ type: '$apply', replyTo, name, args })
  const outcome = contextOf(caller).request({ name: REMOTE_SERVER, node }, request, timeoutMs)
  return heeded(resultOf<Result>(outcome, node, name))
}

async function resultOf<Result>(asked: Promise<RequestOutcome>, node: NodeName, name: string): Promise<Result> {
  const outcome = await asked
  const called = `${name} on ${node}`
  if (outcome.type === 'timeout') throw new ErpcError('ERR_RPC_TIMEOUT', 'timeout', called)
  if (outcome.type !== 'reply') throw unreachable(outcome, node, name)
  const reply = checked(outcome.value, isApplyReply, node)
  switch (reply.type) {
    case 'value':
      return reply.value as Result
    case 'not_exported':
      throw notExported(node, name)
    case 'busy':
      throw new PidmeshError('ERR_BUSY', `${node} runs too much for other nodes already`)
    case 'exception':
      throw new ErpcError('ERR_RPC_EXCEPTION', reply.reason, called)
    case 'exit':
      throw new ErpcError('ERR_RPC_EXIT', reply.reason, called)
  }
}

/** Calls a function without a result. Never waits; nobody is told if it can't be called. */
function cast(caller: Caller, node: NodeName, name: string, args: readonly unknown[]): void {
  checkCalled(node, name, args)
  const message: ApplyRequest = { type: '$apply', replyTo: undefined, name, args }
  contextOf(caller).send({ name: REMOTE_SERVER, node }, message)
}

/**
 * Calls a function on several nodes at once. Resolves with an outcome for each, in their order; one that fails fails for itself.
 * @throws PidmeshError `ERR_BAD_ARGUMENT`: then it has been called on none of them
 */
function multicall<Result = unknown>(
  caller: Caller,
  nodes: readonly NodeName[],
  name: string,
  args: readonly unknown[],
  timeoutMs: number = DEFAULT_TIMEOUT_MS,
): Promise<ErpcOutcome<Result>[]> {
  return Promise.all(
    checkNodeNames(nodes).map((node) =>
      call<Result>(caller, node, name, args, timeoutMs).then(
        (value): ErpcOutcome<Result> => ({ node, type: 'value', value }),
        (error: unknown): ErpcOutcome<Result> => ({ node, type: 'error', error }),
      ),
    ),
  )
}

/** Calls of functions that other nodes have exported, as Erlang's module `erpc`. */
export const erpc: {
  readonly call: typeof call
  readonly cast: typeof cast
  readonly multicall: typeof multicall
} = { call, cast, multicall }

function checked<Reply>(value: unknown, isReply: (value: unknown) => value is Reply, node: NodeName): Reply {
  if (isReply(value)) return value
  throw new PidmeshError('ERR_BAD_TERM', `${node} has answered with something that is no reply`)
}

/** Nobody is there: the node isn't connected, or has never exported anything. */
function unreachable(outcome: RequestOutcome, node: NodeName, name: string): PidmeshError {
  return outcome.type === 'down' && outcome.reason === 'noproc'
    ? notExported(node, name)
    : new PidmeshError('ERR_NODEDOWN', `${node} is not connected, or the connection was lost`)
}

function notExported(node: NodeName, name: string): PidmeshError {
  return new PidmeshError('ERR_NOT_EXPORTED', `${node} has exported no function ${JSON.stringify(name)}`)
}
