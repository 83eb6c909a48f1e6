// Rooms and nodes as the table of users tells them.

import type { OnlineUser } from '../../src/messages.ts'

export type Room = { name: string; users: number }

/** Every room that somebody is in, and `current` even if the table does not know it yet; sorted by name. */
export function roomsOf(online: readonly OnlineUser[], current: string): readonly Room[] {
  const usersOf = new Map([[current, new Set<string>()]])
  for (const { room, user } of online) usersOf.set(room, (usersOf.get(room) ?? new Set()).add(user))
  return [...usersOf].map(([name, users]) => ({ name, users: users.size })).sort((a, b) => (a.name < b.name ? -1 : 1))
}

/** Whether the node in use sees this one; before it has told, any node counts as up. */
export function isUp(node: string, upNodes: readonly string[] | undefined): boolean {
  return upNodes === undefined || upNodes.includes(node)
}

/** `chat1` of `chat1@127.0.0.1`. */
export function shortName(node: string): string {
  return node.split('@', 1)[0] ?? node
}

/** One of nine colours; `chat1` to `chat9` get different ones. */
export function colourOf(node: string): number {
  const digits = /(\d+)@|(\d+)$/.exec(node)
  const number = digits === null ? node.length : Number(digits[1] ?? digits[2])
  return number % 9
}
