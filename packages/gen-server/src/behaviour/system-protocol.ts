/**
 * The messages by which `sys` and `stop` speak to any server: OTP's `{system, From, Request}`.
 *
 *   sys.… ──{ type: '$system', replyTo, request }──▶ server ──▶ SystemAnswer
 *   stop ───{ …, request: terminate } ─────────────▶ server ──▶ (its end is the answer)
 */
import { hasType, Ref, type ExitReason } from '@pidmesh/runtime'
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

type Fields = { readonly [field: string]: unknown }

/** Whether a message is one of `sys`, with all that its request needs. It may have come from anybody. */
export function isSystemMessage(message: unknown): message is SystemMessage {
  if (!hasType(message, SYSTEM)) return false
  const { replyTo, request } = message as { readonly replyTo?: unknown; readonly request?: unknown }
  return replyTo instanceof Ref && typeof request === 'object' && request !== null && isRequest(request as Fields)
}

function isRequest(request: Fields): boolean {
  switch (request['type']) {
    case 'get_state':
    case 'get_status':
    case 'suspend':
    case 'resume':
      return true
    case 'replace_state':
      return typeof request['change'] === 'function'
    case 'install':
    case 'remove':
      return typeof request['listener'] === 'function'
    case 'trace':
      return typeof request['on'] === 'boolean'
    case 'statistics':
      return request['flag'] === 'on' || request['flag'] === 'off' || request['flag'] === 'get'
    case 'terminate':
      return (
        typeof request['reason'] === 'string' || (typeof request['reason'] === 'object' && request['reason'] !== null)
      )
    default:
      return false
  }
}
