/**
 * The messages by which `sys` and `stop` speak to any server: OTP's `{system, From, Request}`.
 *
 *   sys.… ──{ type: '$system', replyTo, request }──▶ server ──▶ SystemAnswer
 *   stop ───{ …, request: terminate } ─────────────▶ server ──▶ (its end is the answer)
 */
import { hasType, isExitReason, isRef, type ExitReason, type Ref } from '@pidmesh/runtime'
import type { Statistics, SystemListener } from './debug.ts'

export const SYSTEM = '$system'

export type SystemRequest =
  | { readonly type: 'get_state' }
  | { readonly type: 'get_status' }
  /** Its function can't be sent to another node. */
  | { readonly type: 'replace_state'; readonly change: (state: never) => unknown }
  | { readonly type: 'suspend' }
  | { readonly type: 'resume' }
  | { readonly type: 'terminate'; readonly reason: ExitReason }
  /** As `terminate`, but its end is the only answer. */
  | { readonly type: 'stop'; readonly reason: ExitReason }
  | { readonly type: 'trace'; readonly on: boolean }
  | { readonly type: 'statistics'; readonly flag: 'on' | 'off' | 'get' }
  /** Listeners can't be sent to another node. */
  | { readonly type: 'install'; readonly listener: SystemListener }
  | { readonly type: 'remove'; readonly listener: SystemListener }

export interface SystemMessage {
  readonly type: typeof SYSTEM
  readonly replyTo: Ref
  readonly request: SystemRequest
}

export type SystemAnswer =
  | { readonly type: 'ok'; readonly value: unknown }
  /** A function of the server's or of the operator's has failed, or what it gave can't be sent. Nothing was changed. */
  | { readonly type: 'failed'; readonly reason: ExitReason }

/** What `get_status` answers. */
export interface ServerStatus {
  /** The name of its class. */
  readonly module: string
  readonly status: 'running' | 'suspended'
  /** As `formatStatus` gives it. */
  readonly state: unknown
  /** `undefined` if they are off. */
  readonly statistics: Statistics | undefined
}

/** What a message of `sys` holds, if it is one, with all that its request needs. It may have come from anybody: each of its fields is read once. */
export function readSystemMessage(message: unknown): SystemMessage | undefined {
  if (!hasType(message, SYSTEM)) return undefined
  try {
    const { replyTo, request: given } = message as { readonly replyTo?: unknown; readonly request?: unknown }
    if (!isRef(replyTo) || typeof given !== 'object' || given === null) return undefined
    const request = { ...given }
    return isRequest(request) ? { type: SYSTEM, replyTo, request: request as SystemRequest } : undefined
  } catch {
    return undefined
  }
}

/** Whether all that a request needs is there. */
export function isRequest(request: object): boolean {
  const fields = request as { readonly [field: string]: unknown }
  switch (fields['type']) {
    case 'get_state':
    case 'get_status':
    case 'suspend':
    case 'resume':
      return true
    case 'replace_state':
      return typeof fields['change'] === 'function'
    case 'install':
    case 'remove':
      return typeof fields['listener'] === 'function'
    case 'trace':
      return typeof fields['on'] === 'boolean'
    case 'statistics':
      return fields['flag'] === 'on' || fields['flag'] === 'off' || fields['flag'] === 'get'
    case 'terminate':
    case 'stop':
      return isExitReason(fields['reason'])
    default:
      return false
  }
}
