// Somebody's stay in the chat, as the page shows it: `step(stay, event) → { stay, notes }`, where notes are lines for the log.
//
//   out ──enter──▶ entering ──welcomed──▶ online ──closed──▶ away ──welcomed──▶ online
//    ▲                 │                    │                 │
//    └── leave, closed for good ────────────┴─────────────────┘
//
// Who comes back to another node has moved; whether anything was lost on the way says `gap`, before the welcome. Which node is tried, and when, is the client's (`@pidmesh/client`).

import { assertNever } from './assert-never.ts'
import type { EntryBody } from './chat-log.ts'
import { closeCause, noticeOf } from './close-codes.ts'
import type { Notice } from './close-codes.ts'
import { shortName } from './presence.ts'

export type Stay = {
  is: 'out' | 'entering' | 'online' | 'away'
  user: string
  /** Where the user wants to be. */
  room: string
  /** The node in use, or the one that was; undefined before the first. */
  node: string | undefined
  notice: Notice | undefined
}

export type StayEvent =
  | { type: 'enter'; user: string; room: string }
  | { type: 'leave' }
  | { type: 'room'; room: string }
  | { type: 'welcomed'; node: string }
  /** The session was lost, and another begins. */
  | { type: 'gap' }
  /** `isFinal`: the client does not try again. */
  | { type: 'closed'; code: number; reason: string; isFinal: boolean }

export type StayStep = { stay: Stay; notes: readonly EntryBody[] }

export const GAP_NOTE: EntryBody = { kind: 'notice', text: 'Some messages may be missing.', tone: 'warning' }

/** @param user who was here before, for the form */
export function initialStay(user: string): Stay {
  return { is: 'out', user, room: '', node: undefined, notice: undefined }
}

/** In, with a connection or without. */
export function isIn({ is }: Stay): boolean {
  return is === 'online' || is === 'away'
}

export function step(stay: Stay, event: StayEvent): StayStep {
  if (event.type === 'enter') {
    const { user, room } = event
    return same(stay.is === 'out' ? { is: 'entering', user, room, node: undefined, notice: undefined } : stay)
  }
  // What a connection that was left still tells.
  if (stay.is === 'out') return same(stay)
  switch (event.type) {
    case 'leave':
      return same({ ...stay, is: 'out', notice: undefined })
    case 'room':
      return same({ ...stay, room: event.room })
    case 'welcomed':
      return { stay: { ...stay, is: 'online', node: event.node }, notes: arrival(stay, event.node) }
    case 'gap':
      return { stay, notes: [GAP_NOTE] }
    case 'closed':
      return onClosed(stay, event)
    default:
      return assertNever(event)
  }
}

function arrival({ is, node: former }: Stay, node: string): readonly EntryBody[] {
  if (is !== 'away' || former === undefined) return []
  const text =
    former === node ? `Back on ${shortName(node)}.` : `Moved from ${shortName(former)} to ${shortName(node)}.`
  return [{ kind: 'notice', text, tone: 'calm' }]
}

function onClosed(stay: Stay, event: { code: number; reason: string; isFinal: boolean }): StayStep {
  if (event.isFinal) return same({ ...stay, is: 'out', notice: noticeOf(event, stay.user, isIn(stay)) })
  // Each attempt that fails is told, too.
  if (stay.is !== 'online' || stay.node === undefined) return same(stay)
  const text = `${shortName(stay.node)} ${closeCause(event.code, event.reason)}. Looking for another node.`
  return { stay: { ...stay, is: 'away' }, notes: [{ kind: 'notice', text, tone: 'warning' }] }
}

function same(stay: Stay): StayStep {
  return { stay, notes: [] }
}
