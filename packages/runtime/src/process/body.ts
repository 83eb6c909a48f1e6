/**
 * What a process runs: a function, or a handler for one message after the other.
 */
import type { Context } from './context.ts'
import { checkFunction } from './checks.ts'
import type { GivenMailboxOptions, MessageHandler } from './process.ts'

/** A plain process: returns or resolves, with whatever → exit `normal` (with a function, it is warned of: see `handler`); throws or rejects → exit with the error as data. */
export type ProcessFunction = (self: Context) => unknown

/** A handler process: `init` runs in its first turn and returns what takes its messages. It lives until it exits. */
export class HandlerBody {
  readonly init: (self: Context) => MessageHandler | Promise<MessageHandler>

  /** @throws PidmeshError `ERR_BAD_ARGUMENT` */
  constructor(init: (self: Context) => MessageHandler | Promise<MessageHandler>) {
    this.init = checkFunction('what a handler process begins with', init)
  }
}

export type ProcessBody = ProcessFunction | HandlerBody

/**
 * A body for `spawn` that handles messages one at a time, each to its end: the cheapest form of a process.
 *
 * `Message` is what you say that it is sent: nothing checks it. A process that others can reach does well to take `unknown`.
 * @example node.spawn(handler((self) => (message: Order) => self.send(kitchen, message)))
 * @throws PidmeshError `ERR_BAD_ARGUMENT`
 */
export function handler<Message = unknown>(
  init: (self: Context) => ((message: Message) => unknown) | Promise<(message: Message) => unknown>,
): HandlerBody {
  return new HandlerBody(init as (self: Context) => MessageHandler | Promise<MessageHandler>)
}

export interface SpawnOptions {
  /** Registers the process under this name on its node. @throws PidmeshError `ERR_NAME_TAKEN` from `spawn`. */
  readonly name?: string | undefined
  /** A text for logs and observation; no address. */
  readonly label?: string | undefined
  /** Starts out trapping exits. @default false */
  readonly trapExit?: boolean | undefined
  /** How many messages may wait, and what happens to one more. @default the node's `mailbox` option */
  readonly mailbox?: GivenMailboxOptions | undefined
}

export const SPAWN_OPTIONS: readonly (keyof SpawnOptions)[] = ['name', 'label', 'trapExit', 'mailbox']
