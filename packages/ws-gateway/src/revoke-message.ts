/**
 * What a session is told that is to end, where it can't be found by a pid: it comes by its name.
 */
import { hasType, Pid } from '@pidmesh/runtime'
import { isCloseCause, type CloseCause } from './close-codes.ts'

const TYPE = '$pidmesh_revoke'

export interface RevokeMessage {
  readonly type: typeof TYPE
  /** The gateway that has sent it. */
  readonly from: Pid
  readonly cause: CloseCause
}

export function revokeMessage(from: Pid, { code, reason }: CloseCause): RevokeMessage {
  return { type: TYPE, from, cause: { code, reason } }
}

/** Not what a client can have made, as that has no pid in it: sessions pass on what clients say. */
export function isRevokeMessage(message: unknown): message is RevokeMessage {
  if (!hasType(message, TYPE) || !('from' in message) || !('cause' in message)) return false
  return message.from instanceof Pid && isCloseCause(message.cause)
}
