/**
 * Histories as data: what processes do, one command after the other.
 *
 * Everything has a symbol that is given by the history and not by who plays it: processes `p0`…, references `r0`…, names `n0`…, messages `m0`….
 * A command's text is what failures print and what BEAM reads: `p1 monitor p2 r5 reply_demonitor`.
 */
import { assertNever } from '@pidmesh/runtime'

export type ProcessSymbol = `p${number}`
export type RefSymbol = `r${number}`
export type NameSymbol = `n${number}`
export type MessageSymbol = `m${number}`

/** A name on this node, as `{ name, node }`. */
export type NameHere = `${NameSymbol}@here`
/** Whom something goes to, or what is monitored. */
export type Address = ProcessSymbol | NameSymbol | NameHere

export const NAMES: readonly NameSymbol[] = ['n0', 'n1', 'n2', 'n3']

export const REASONS = ['normal', 'kill', 'killed', 'boom', 'shutdown', 'shutdown:tired', 'noproc'] as const
export type Reason = (typeof REASONS)[number]

/** How a process ends itself: its function returns, throws, or calls `exit(reason)`. */
export type Leave = 'return' | 'throw' | Reason

export const ALIAS_MODES = ['none', 'explicit_unalias', 'demonitor', 'reply_demonitor'] as const
export type AliasMode = (typeof ALIAS_MODES)[number]

/** What it runs here; to the model and to BEAM they are the same. Only a function can leave messages in its mailbox. */
export type Body = 'handler' | 'function'

export interface Child {
  readonly process: ProcessSymbol
  readonly traps: boolean
  readonly body: Body
}

/** By a process, as itself. */
export type Act =
  | { readonly type: 'spawn' | 'spawn_link'; readonly child: Child }
  | { readonly type: 'spawn_monitor'; readonly child: Child; readonly ref: RefSymbol }
  | { readonly type: 'send'; readonly to: Address | RefSymbol; readonly message: MessageSymbol }
  | { readonly type: 'exit'; readonly to: ProcessSymbol; readonly reason: Reason }
  | { readonly type: 'leave'; readonly how: Leave }
  /** Sends one message to each of the addresses, then ends, all at once. */
  | {
      readonly type: 'farewell'
      readonly to: readonly (Address | RefSymbol)[]
      readonly message: MessageSymbol
      readonly how: Leave
    }
  | { readonly type: 'link' | 'unlink'; readonly to: ProcessSymbol }
  | { readonly type: 'monitor'; readonly object: Address; readonly ref: RefSymbol; readonly alias: AliasMode }
  | { readonly type: 'demonitor'; readonly ref: RefSymbol; readonly flush: boolean; readonly info: boolean }
  | { readonly type: 'alias'; readonly ref: RefSymbol; readonly once: boolean }
  | { readonly type: 'unalias'; readonly ref: RefSymbol }
  | { readonly type: 'register'; readonly name: NameSymbol | 'undefined'; readonly process: ProcessSymbol }
  | { readonly type: 'unregister' | 'whereis'; readonly name: NameSymbol }
  | { readonly type: 'trap_exit'; readonly on: boolean }
  | { readonly type: 'is_alive' | 'info'; readonly process: ProcessSymbol }
  /** Far timers never fire within a history; of a near one the step waits for the end. */
  | {
      readonly type: 'start_timer' | 'send_after'
      readonly to: ProcessSymbol | NameSymbol
      readonly ref: RefSymbol
      readonly message: MessageSymbol
      readonly near: boolean
    }
  | { readonly type: 'cancel_timer' | 'read_timer'; readonly ref: RefSymbol }
  /** From `deaf` to `listen` messages stay in the mailbox; `take_down` receives one `DOWN` out of it. */
  | { readonly type: 'deaf' | 'listen' }
  | { readonly type: 'take_down'; readonly ref: RefSymbol }

export type Command =
  | { readonly type: 'start'; readonly child: Child }
  /** All that can be seen of all. */
  | { readonly type: 'look' }
  | { readonly type: 'act'; readonly by: ProcessSymbol; readonly act: Act }

export type History = readonly Command[]

export function text(command: Command): string {
  switch (command.type) {
    case 'start':
      return `outside start ${childText(command.child)}`
    case 'look':
      return 'outside look'
    case 'act':
      return `${command.by} ${actText(command.act)}`
    default:
      return assertNever(command)
  }
}

function childText({ process, traps, body }: Child): string {
  return `${process} ${traps ? 'traps' : 'plain'} ${body}`
}

function actText(act: Act): string {
  switch (act.type) {
    case 'spawn':
    case 'spawn_link':
      return `${act.type} ${childText(act.child)}`
    case 'spawn_monitor':
      return `spawn_monitor ${childText(act.child)} ${act.ref}`
    case 'send':
      return `send ${act.to} ${act.message}`
    case 'exit':
      return `exit ${act.to} ${act.reason}`
    case 'leave':
      return `leave ${act.how}`
    case 'farewell':
      return `farewell ${act.message} ${act.how} ${act.to.join(' ')}`
    case 'link':
    case 'unlink':
      return `${act.type} ${act.to}`
    case 'monitor':
      return `monitor ${act.object} ${act.ref} ${act.alias}`
    case 'demonitor':
      return `demonitor ${act.ref} ${act.flush ? 'flush' : 'keep'} ${act.info ? 'info' : 'silent'}`
    case 'alias':
      return `alias ${act.ref} ${act.once ? 'once' : 'open'}`
    case 'register':
      return `register ${act.name} ${act.process}`
    case 'unregister':
    case 'whereis':
      return `${act.type} ${act.name}`
    case 'trap_exit':
      return `trap_exit ${act.on}`
    case 'is_alive':
    case 'info':
      return `${act.type} ${act.process}`
    case 'start_timer':
    case 'send_after':
      return `${act.type} ${act.near ? 'near' : 'far'} ${act.to} ${act.ref} ${act.message}`
    case 'unalias':
    case 'cancel_timer':
    case 'read_timer':
    case 'take_down':
      return `${act.type} ${act.ref}`
    case 'deaf':
    case 'listen':
      return act.type
    default:
      return assertNever(act)
  }
}

export function isProcess(address: string): address is ProcessSymbol {
  return address.startsWith('p')
}

export function isRef(address: string): address is RefSymbol {
  return address.startsWith('r')
}

export function isNameHere(address: string): address is NameHere {
  return address.endsWith('@here')
}

/** Whether time must pass in this step. */
export function isNear(command: Command): boolean {
  return command.type === 'act' && 'near' in command.act && command.act.near
}
