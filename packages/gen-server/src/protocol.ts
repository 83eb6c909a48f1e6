/**
 * The types by which a call knows its reply, and the messages that carry calls and casts.
 *
 *   type CounterCall = Call<{ type: 'get' }, number> | Call<{ type: 'add'; by: number }, number>
 *
 * The reply's type rides on the request's type only; at run time a request is the plain object that was sent.
 */
import { hasType, isPid, isRef, type NameOnNode, type Pid, type Ref, type ViaName } from '@pidmesh/runtime'

declare const replyType: unique symbol
declare const takesReply: unique symbol
declare const callType: unique symbol
declare const castType: unique symbol
declare const stateType: unique symbol

/** A request of type `Request` that is answered with a `Reply`. */
export type Call<Request extends object, Reply> = Request & { readonly [replyType]?: { readonly reply: Reply } }

/** The reply of a request that is a `Call`. */
export type ReplyOf<Request> = Request extends { readonly [replyType]?: { readonly reply: infer Reply } }
  ? Reply
  : never

/** What may be replied to a request of which it isn't known which of several it is: what each of them is answered with. Of one request, its reply. */
export type ReplyTo<Request> = (Request extends unknown ? (reply: ReplyOf<Request>) => void : never) extends (
  reply: infer Reply,
) => void
  ? Reply
  : never

/**
 * What is given for a `T`: a literal, whose arrays are read only where it is written. Of what types could tell apart that is the same.
 * Without it the type of `{ items: ['a'] }` would be none of those that have `items: string[]`, and the reply would not follow from the request.
 */
export type Given<T> = T extends (...args: never) => unknown
  ? T
  : T extends object
    ? { readonly [Key in keyof T]: Given<T[Key]> }
    : T

/** The reply that a server of `Calls` gives to `Request`; `unknown` if it isn't known what the server takes. */
export type ReplyFor<Calls, Request> = unknown extends Calls
  ? unknown
  : Calls extends unknown
    ? Request extends Given<Calls>
      ? ReplyOf<Calls>
      : never
    : never

/** How a server is addressed: its pid, its name on this node, on another node, or in a `Via`. */
export type ServerAddress = Pid | string | NameOnNode | ViaName

/** An address of a server that takes `Calls` and `Casts`, and shows a `State`. */
export type ServerRef<Calls, Casts, State = unknown> = ServerAddress & Takes<Calls, Casts, State>

/** The pid of a server that takes `Calls` and `Casts`, and shows a `State`. */
export type ServerPid<Calls, Casts, State = unknown> = Pid & Takes<Calls, Casts, State>

/** The name of servers that take `Calls` and `Casts`, and show a `State`: one a node. */
export type ServerName<Calls, Casts, State = unknown> = string & Takes<Calls, Casts, State>

/** As parameters: who takes more may stand where who takes less is wanted, and not the other way round. */
interface Takes<Calls, Casts, State> {
  readonly [callType]?: (calls: Calls) => void
  readonly [castType]?: (casts: Casts) => void
  readonly [stateType]?: { readonly state: State }
}

/** What servers of a class take. */
export interface Taken<Calls, Casts> {
  readonly calls: Calls
  readonly casts: Casts
}

/**
 * Whom a reply goes to. Plain data: it may be kept, and sent to other processes and nodes that reply in the server's place. What comes with a request takes any reply, and may stand where one that takes a
 * `Reply` is wanted; that one can't stand where more may be replied.
 */
export interface From<in Reply = unknown> {
  readonly pid: Pid
  readonly tag: Ref
  readonly [takesReply]?: (reply: Reply) => void
}

export interface CallMessage {
  readonly type: '$gen_call'
  readonly from: From
  readonly request: unknown
}

export interface CastMessage {
  readonly type: '$gen_cast'
  readonly request: unknown
}

/** Whether a message is a call, with all that it needs. It may have come from anybody. */
export function isCallMessage(message: unknown): message is CallMessage {
  if (!hasType(message, '$gen_call')) return false
  try {
    return isFrom((message as { from?: unknown }).from) && isReadable(message)
  } catch {
    return false
  }
}

export function isFrom(value: unknown): value is From {
  if (typeof value !== 'object' || value === null) return false
  try {
    const { pid, tag } = value as { pid?: unknown; tag?: unknown }
    return isPid(pid) && isRef(tag)
  } catch {
    return false
  }
}

export function isCastMessage(message: unknown): message is CastMessage {
  try {
    return hasType(message, '$gen_cast') && isReadable(message)
  } catch {
    return false
  }
}

/** Says so, or throws what the request's getter does: nobody could be given the request. */
function isReadable(message: { readonly type: string; readonly request?: unknown }): boolean {
  void message.request
  return true
}
