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

const ROOM = 'room:'

/** Which group the sessions of a room are in. */
export function groupOfRoom(room: string): string {
  return `${ROOM}${room}`
}

/** What has been broadcast to a room, as a process gets it that is in the room's group and is no session. */
export interface RoomBroadcast {
  readonly room: string
  readonly message: unknown
  /** Whom the sender has left out: a session leaves itself out, another process has to look. */
  readonly except: Pid | undefined
}

/**
 * For a process of yours in the group of a room, `room:…`: what a message has brought that comes from `broadcast` of a session's `rooms` or of the gateway. `undefined`: it is another message, that of
 * `groups.broadcast`, say, which comes as it is. Anybody who may send to the process can make what looks like one.
 */
export function messageOfRoom(message: unknown): RoomBroadcast | undefined {
  if (!isRoomMessage(message)) return undefined
  const { group, except, message: brought } = message as Record<keyof RoomMessage, unknown>
  if (typeof group !== 'string' || !group.startsWith(ROOM)) return undefined
  return { room: group.slice(ROOM.length), message: brought, except: except instanceof Pid ? except : undefined }
}

/** Which group the sessions are in that have a name together (`multi`). */
export function groupOfName(name: string): string {
  return `name:${name}`
}
