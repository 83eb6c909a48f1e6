/**
 * The server's loop: takes a message, calls the callback that it is for, and does what the callback returned.
 *
 * A synchronous callback is handled without a promise. Whatever the server ends with goes through `finish`, which runs `terminate` once.
 */
import {
  ExitError,
  Ref,
  hasType,
  isQuietReason,
  reasonOfThrown,
  type Context,
  type ExitReason,
  type MessageHandler,
  type Pid,
} from '@pidmesh/runtime'
import { reply } from './call.ts'
import type { GenServer } from './gen-server.ts'
import { isCallMessage, isCastMessage, type From } from './protocol.ts'
import type { CallResult, CastResult } from './results.ts'

export const READY_QUESTION = '$gen_ready'

/** From `start`: answered when `init` is done. */
export interface ReadyQuestion {
  readonly type: typeof READY_QUESTION
  readonly replyTo: Ref
}

function isReadyQuestion(message: unknown): message is ReadyQuestion {
  return hasType(message, READY_QUESTION) && (message as { replyTo?: unknown }).replyTo instanceof Ref
}

/** A server of any protocol: what a message holds was checked where it was sent. */
type Server = GenServer<object, unknown>

/** The handler of a server whose `init` is done. */
export function serve(self: Context, server: Server, parent: Pid): MessageHandler {
  return (message) => {
    try {
      const outcome = dispatch(self, server, parent, message)
      if (!(outcome instanceof Promise)) return undefined
      return outcome.catch((thrown: unknown) => finishThrown(self, server, thrown))
    } catch (thrown) {
      return finishThrown(self, server, thrown)
    }
  }
}

function dispatch(self: Context, server: Server, parent: Pid, message: unknown): void | Promise<void> {
  if (isCallMessage(message)) {
    const { from } = message
    const result = server.handleCall(message.request as object, from)
    return result instanceof Promise
      ? result.then((value) => afterCall(self, server, from, value))
      : afterCall(self, server, from, result)
  }
  if (isCastMessage(message)) return settle(server, server.handleCast(message.request))
  if (isReadyQuestion(message)) {
    self.send(message.replyTo, 'ready')
    return undefined
  }
  // Its parent's exit is a server's own order to stop, and never seen by handleInfo.
  if (hasType(message, 'EXIT') && parent.equals(message.from)) {
    return finish(server, message.reason)
  }
  return settle(server, server.handleInfo(message))
}

function settle(server: Server, result: CastResult | Promise<CastResult>): void | Promise<void> {
  return result instanceof Promise ? result.then((value) => afterCast(server, value)) : afterCast(server, result)
}

function afterCall(self: Context, server: Server, from: From, result: CallResult): void | Promise<void> {
  switch (result?.type) {
    case 'reply':
      reply(self, from, result.value)
      return undefined
    case 'noreply':
      return undefined
    case 'stop':
      if (result.reply !== undefined) reply(self, from, result.reply.value)
      return finish(server, result.reason)
    default:
      return finish(server, { bad_return_value: String(result) })
  }
}

function afterCast(server: Server, result: CastResult): void | Promise<void> {
  if (result === undefined) return undefined
  switch (result?.type) {
    case 'noreply':
      return undefined
    case 'stop':
      return finish(server, result.reason)
    default:
      return finish(server, { bad_return_value: String(result) })
  }
}

/** What `end` throws: the server is finished already. */
class Finished extends ExitError {}

function finishThrown(self: Context, server: Server, thrown: unknown): void | Promise<void> {
  if (thrown instanceof Finished) throw thrown
  // The process has ended under its callback: there is nothing to finish.
  if (!self.isAlive) return undefined
  return finish(server, reasonOfThrown(thrown))
}

/** Runs `terminate`, once, and ends the process. What `terminate` throws takes the place of the reason. */
function finish(server: Server, reason: ExitReason): void | Promise<void> {
  let outcome: void | Promise<void>
  try {
    outcome = server.terminate(reason)
  } catch (thrown) {
    return end(reasonOfThrown(thrown))
  }
  if (!(outcome instanceof Promise)) return end(reason)
  return outcome.then(
    () => end(reason),
    (thrown: unknown) => end(reasonOfThrown(thrown)),
  )
}

function end(reason: ExitReason): never {
  throw new Finished(reason, 'ERR_EXIT', isQuietReason(reason) ? 'server stopped' : 'server failed')
}
