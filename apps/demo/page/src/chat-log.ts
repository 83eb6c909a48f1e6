// What the page shows as messages: a bounded list, oldest first, as a value. Nothing of it survives a reload.

import type { ServerMessage } from '../../src/messages.ts'

export const LOG_MAX_ENTRIES = 500

export type Entry = { id: number; atMs: number } & EntryBody

export type EntryBody =
  | { kind: 'room'; room: string; from: string; node: string; text: string }
  | { kind: 'direct'; from: string; to: string; node: string; text: string; isDoubtful?: boolean }
  /** One's own, to a room, that the node never confirmed. */
  | { kind: 'undelivered'; room: string; from: string; node: string; text: string }
  /** Said by the page itself. */
  | { kind: 'notice'; text: string; tone: 'calm' | 'warning' }

export type ChatLog = { entries: readonly Entry[]; lastId: number }

export const EMPTY_LOG: ChatLog = { entries: [], lastId: 0 }

export function append(log: ChatLog, atMs: number, body: EntryBody): ChatLog {
  const id = log.lastId + 1
  return { entries: [...log.entries, { ...body, id, atMs }].slice(-LOG_MAX_ENTRIES), lastId: id }
}

/** The direct messages with these ids are maybe not delivered. */
export function markDoubtful(log: ChatLog, ids: readonly number[]): ChatLog {
  if (ids.length === 0) return log
  const mark = (entry: Entry): Entry =>
    entry.kind === 'direct' && ids.includes(entry.id) ? { ...entry, isDoubtful: true } : entry
  return { ...log, entries: log.entries.map(mark) }
}

/** What of a node's message belongs into the log of `self`, if anything does. */
export function entryOf(message: ServerMessage, self: string): EntryBody | undefined {
  switch (message.type) {
    case 'said':
      return { kind: 'room', room: message.room, from: message.from, node: message.node, text: message.text }
    case 'told':
      // What one told another was shown when it was sent.
      if (message.from === self && message.to !== self) return undefined
      return { kind: 'direct', from: message.from, to: message.to, node: message.node, text: message.text }
    case 'undeliverable':
      return { kind: 'notice', text: `${message.to} can't be reached; the message was not delivered.`, tone: 'warning' }
    case 'refused':
      return { kind: 'notice', text: message.message, tone: 'warning' }
    case 'welcome':
    case 'online':
    case 'pong':
      return undefined
  }
}

/** Direct messages, notices, and what was not delivered are seen from every room. */
export function visibleIn(log: ChatLog, room: string): readonly Entry[] {
  return log.entries.filter((entry) => entry.kind !== 'room' || entry.room === room)
}
