/**
 * What is broadcast to a room, or to all sessions of a name, on its way between gateways: plain data, so that it can go to other nodes.
 */
import { hasType, Pid } from '@pidmesh/runtime'

const TYPE = '$pidmesh_room_message'

export interface RoomMessage {
  readonly type: typeof TYPE
  /** One for each broadcast of a gateway: a session that moves may get one twice, and takes it once. */
  readonly id: number
  /** The gateway that has sent it. */
  readonly from: Pid
  /** Whose members get it: of what others forward a session takes nothing that is of a room which it has left. */
  readonly group: string
  readonly message: unknown
  /** The session that doesn't get it. */
  readonly except: Pid | undefined
}

export function roomMessage(
  message: unknown,
  { id, from, group, except }: Omit<RoomMessage, 'type' | 'message'>,
): RoomMessage {
  return { type: TYPE, id, from, group, message, except }
}

/** Anybody can send what looks like one: it is no more than a message that it could send without. */
export function isRoomMessage(message: unknown): message is RoomMessage {
  return hasType(message, TYPE) && 'message' in message && 'from' in message && message.from instanceof Pid
}

/** Which group the sessions of a room are in. */
export function groupOfRoom(room: string): string {
  return `room:${room}`
}

/** Which group the sessions are in that have a name together (`multi`). */
export function groupOfName(name: string): string {
  return `name:${name}`
}
