/**
 * What a frame says, in the domain's words. wire/codec.ts translates it from and to the generated types, which never leave wire/.
 */
import type { NodeName } from '../ids.ts'
import type { Signal } from '../signals/signal.ts'

/** Bytes that a frame may have. Those of data have 64 KiB; the largest of all is that which names 1,024 peers. */
export const MAX_FRAME_BYTES: number = 1024 * 1024

export type HandshakeMessage =
  | {
      readonly type: 'hello'
      readonly version: number
      readonly node: ClaimedIdentity
      /** The oldest that the dialer speaks; `version` is the newest. */
      readonly oldestVersion: number
      readonly nonce: Uint8Array
      readonly address: string
      readonly isHidden: boolean
      /** Milliseconds between its ticks. */
      readonly tickMs: number
    }
  | {
      readonly type: 'challenge'
      /** What the two will speak. */
      readonly version: number
      readonly node: ClaimedIdentity
      readonly nonce: Uint8Array
    }
  | { readonly type: 'proof'; readonly mac: Uint8Array }
  | {
      readonly type: 'accepted'
      readonly mac: Uint8Array
      readonly address: string
      readonly isHidden: boolean
      /** Milliseconds between its ticks. */
      readonly tickMs: number
    }
  | {
      readonly type: 'refused'
      readonly code: string
      /** What the refusing side speaks, if that is the reason. */
      readonly versions: VersionRange | undefined
    }

export interface VersionRange {
  readonly oldest: number
  readonly newest: number
}

/** What a peer says it is; true once the handshake has succeeded. */
export interface ClaimedIdentity {
  readonly name: NodeName
  readonly incarnation: number
}

export interface PeerAddress {
  readonly name: NodeName
  /** `host:port` */
  readonly address: string
}

export type ControlMessage =
  | { readonly type: 'tick'; readonly heardAgeMs: number }
  | { readonly type: 'goodbye'; readonly reason: 'shutdown' | 'disconnect' }
  | { readonly type: 'peers'; readonly peers: readonly PeerAddress[] }

export type Frame =
  | { readonly type: 'handshake'; readonly message: HandshakeMessage }
  | { readonly type: 'control'; readonly message: ControlMessage }
  | { readonly type: 'data'; readonly signals: readonly Signal[] }
  /** A piece of a large signal: see distribution/outbox.ts. */
  | { readonly type: 'part'; readonly transfer: number; readonly bytes: Uint8Array; readonly last: boolean }
