/**
 * What a session's process is asked and told.
 *
 * Events of its own sockets are instances of classes: nobody else can make them, and they can't come from another node. Calls may come from any node of the cluster.
 */
import type { Call } from '@pidmesh/gen-server'
import type { NameMeta, Pid } from '@pidmesh/runtime'
import type { Connection } from './connection.ts'
import type { SessionMark } from './presence.ts'
import type { Identity } from './principal.ts'
import type { SessionName } from './session-names.ts'
import type { ResumeFailure } from './session-state.ts'

/** The client has sent messages. */
export class SocketMessages {
  readonly connection: Connection
  readonly messages: readonly unknown[]

  constructor(connection: Connection, messages: readonly unknown[]) {
    this.connection = connection
    this.messages = messages
  }
}

export class SocketClosed {
  readonly connection: Connection
  readonly code: number
  readonly reason: string

  constructor(connection: Connection, code: number, reason: string) {
    this.connection = connection
    this.code = code
    this.reason = reason
  }
}

/** The client has shown a fresh token. */
export class SocketRefreshed {
  readonly connection: Connection
  readonly identity: Identity<unknown>

  constructor(connection: Connection, identity: Identity<unknown>) {
    this.connection = connection
    this.identity = identity
  }
}

/** To itself: the time is over in which something should have happened. */
export class Deadline {
  readonly of: 'grace' | 'move' | 'forward'
  readonly number: number

  constructor(of: 'grace' | 'move' | 'forward', number: number) {
    this.of = of
    this.number = number
  }
}

/** A client goes on with the session, over a socket of the same node. */
export interface AttachRequest {
  readonly type: 'attach'
  readonly connection: Connection
  readonly identity: Identity<unknown>
  readonly nonce: Uint8Array
  readonly seq: number
}

/** A client goes on with the session, over a socket of another node. */
export interface ClaimRequest {
  readonly type: 'claim'
  readonly nonce: Uint8Array
  readonly seq: number
  /** The subprotocol: what the session keeps are frames of one. */
  readonly codec: string
}

export interface CommitRequest {
  readonly type: 'commit'
  readonly claim: number
  /** Where the session is from now on. */
  readonly to: Pid
  /** The names are to be given back: they can't be taken over. */
  readonly release: boolean
}

export interface YieldRequest {
  readonly type: 'yield'
}

export type ClaimFailure =
  | { readonly type: 'failed'; readonly why: ResumeFailure; readonly seq: number }
  | { readonly type: 'busy' }
  /** The session has moved on. */
  | { readonly type: 'moved'; readonly to: Pid }

/** It has been claimed, and waits for the commit. */
export interface Claimed {
  readonly type: 'claimed'
  readonly claim: number
  readonly snapshot: SessionSnapshot
}

/** It has moved. */
export interface Committed {
  readonly type: 'committed'
  /** Frames of what was pushed after the claim, and of what waits for the client with its key. */
  readonly late: readonly Uint8Array[]
}

/** From where the session is now to where it was: it has left a room, and wants nothing more of it forwarded. */
export interface LeftCast {
  readonly type: 'left'
  readonly room: string
}

export type AttachCall = Call<AttachRequest, { readonly type: 'attached' } | ClaimFailure>
export type ClaimCall = Call<ClaimRequest, Claimed | ClaimFailure>
export type CommitCall = Call<CommitRequest, Committed | { readonly type: 'fenced' }>
export type YieldCall = Call<YieldRequest, 'yielded' | 'attached'>
export type SessionCall = AttachCall | ClaimCall | CommitCall | YieldCall
export type SessionCast = LeftCast

/** A session on its way to another node. All of it can be sent. */
export interface SessionSnapshot {
  readonly missed: readonly Uint8Array[]
  readonly received: number
  /** The client has acknowledged something: it knows that it has this session. */
  readonly isConfirmed: boolean
  /** Of the tokens that the client may have. */
  readonly nonces: readonly Uint8Array[]
  readonly names: readonly SessionName[]
  readonly rooms: readonly { readonly room: string; readonly meta: NameMeta }[]
  readonly watched: readonly string[]
  /** `undefined`: it has had nothing to do with rooms. */
  readonly mark: SessionMark | undefined
  /** Broadcasts that it has had since it moved before, a moment ago. */
  readonly seen: readonly string[]
  /** What the session's `handOver` has given. */
  readonly state: unknown
}
