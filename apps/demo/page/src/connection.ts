// Which node the page is connected to, and what it does when that node is lost: `step(state, event) → { state, effects }`.
//
//   out ──enter──▶ connecting ──opened──▶ joining ──welcome──▶ online
//    ▲                 │  ▲                  │                    │
//    │                 │  └──── retryDue ────┼── waiting ◀────────┤   closed, or a ping without an answer
//    └── leave, name taken ──────────────────┘      ▲─────────────┘   (the first try after a good connection is at once)
//
// Owns: the session's user and room, the list of nodes, the place in it, and all the counting.
// Invariants:
// - Time is counted in ticks that ran. A tab in the background gets few ticks, so it judges late and never too early.
// - A socket's number tells which attempt it belongs to; an event of an abandoned socket changes nothing.
// - Every failure moves to the next node of the list, round robin; `name taken` does not, since it comes from a node that works.
// - `attempts` falls to zero only after a connection was good for STABLE_TICKS: a node that welcomes and closes is not hammered.
// Not here: WebSocket, timers and chance (connection-shell.ts), what was said (chat-log.ts).

import type { ChatNode, ClientMessage, ServerMessage } from '../../src/messages.ts'
import { assertNever } from './assert-never.ts'
import { CLOSE } from './close-codes.ts'

export const TICK_MS = 250

const PING_EVERY_TICKS = 4
const PING_LOST_TICKS = 10
const CONNECT_TICKS = 10
const JOIN_TICKS = 20
const STABLE_TICKS = 8
/** A stopped node's names are gone after 4.5 s; a name that is still taken after this belongs to somebody. */
const NAME_TAKEN_TICKS = 60

const RETRY_FIRST_MS = 200
const RETRY_MAX_MS = 2000
const RETRY_NAME_TAKEN_MAX_MS = 1000

export type Phase =
  | { is: 'out' }
  | { is: 'connecting'; socket: number; ticks: number }
  | { is: 'joining'; socket: number; ticks: number }
  | {
      is: 'online'
      socket: number
      node: string
      ticks: number
      sincePingTicks: number
      /** How long a ping has had no frame after it; undefined when none is awaited. */
      unansweredTicks: number | undefined
    }
  | { is: 'waiting'; retry: number }

/** Why somebody who wanted in is out. */
export type Notice = { code: 'name-taken' | 'name-lost' | 'refused'; detail: string }

/** A node whose name is not known yet is the one that served the page. */
export type KnownNode = { name: string | undefined; url: string }

export type ConnectionState = {
  phase: Phase
  user: string
  room: string
  /** The name was ours before, so `name taken` may only mean that the old session is not forgotten yet. */
  held: boolean
  /** A node has welcomed us since the last `enter`. */
  entered: boolean
  nodes: readonly KnownNode[]
  /** Place in `nodes` of the node that is in use, or tried next. */
  cursor: number
  /** Connections begun since the last good one. */
  attempts: number
  /** Since a held name was first refused; undefined when it was not. */
  nameTakenTicks: number | undefined
  /** Number of the last socket, or the last retry: one sequence for both. */
  lastId: number
  notice: Notice | undefined
}

export type ConnectionEvent =
  | { type: 'enter'; user: string; room: string; held: boolean }
  | { type: 'leave' }
  | { type: 'room'; room: string }
  | { type: 'opened'; socket: number }
  | { type: 'frame'; socket: number; message: ServerMessage }
  | { type: 'closed'; socket: number; code: number; reason: string }
  | { type: 'tick' }
  /** The tab is seen again, or the network is back. */
  | { type: 'woke' }
  | { type: 'retryDue'; retry: number }

export type ConnectionEffect =
  | { type: 'open'; socket: number; url: string; user: string; room: string }
  | { type: 'send'; socket: number; message: ClientMessage }
  | { type: 'close'; socket: number }
  /** Wait for a random time between the two, then say `retryDue`. */
  | { type: 'retryAfter'; retry: number; minMs: number; maxMs: number }

export type Step = { state: ConnectionState; effects: readonly ConnectionEffect[] }

/** @param url where the page came from: the one node that it knows at first */
export function initialConnection(url: string): ConnectionState {
  return {
    phase: { is: 'out' },
    user: '',
    room: '',
    held: false,
    entered: false,
    nodes: [{ name: undefined, url }],
    cursor: 0,
    attempts: 0,
    nameTakenTicks: undefined,
    lastId: 0,
    notice: undefined,
  }
}

export function step(state: ConnectionState, event: ConnectionEvent): Step {
  switch (event.type) {
    case 'enter':
      return state.phase.is === 'out' ? onEnter(state, event) : same(state)
    case 'leave':
      return onLeave(state)
    case 'room':
      return onRoom(state, event.room)
    case 'opened':
      return onOpened(state, event.socket)
    case 'frame':
      return onFrame(state, event.socket, event.message)
    case 'closed':
      return onClosed(state, event)
    case 'tick':
      return onTick(state)
    case 'woke':
      return onWoke(state)
    case 'retryDue':
      return state.phase.is === 'waiting' && state.phase.retry === event.retry ? open(state) : same(state)
    default:
      return assertNever(event)
  }
}

/** The number of the socket in use, if any. */
export function socketOf(phase: Phase): number | undefined {
  return phase.is === 'out' || phase.is === 'waiting' ? undefined : phase.socket
}

/** The node in use or tried next. */
export function nodeAt(state: ConnectionState): KnownNode {
  const node = state.nodes[state.cursor]
  if (node === undefined) throw new Error(`no node at ${state.cursor}`)
  return node
}

function onEnter(state: ConnectionState, { user, room, held }: { user: string; room: string; held: boolean }): Step {
  return open({ ...state, user, room, held, entered: false, attempts: 0, nameTakenTicks: undefined, notice: undefined })
}

function onLeave(state: ConnectionState): Step {
  return abandon(state, { ...state, phase: { is: 'out' }, entered: false, held: false, notice: undefined })
}

function onRoom(state: ConnectionState, room: string): Step {
  if (state.phase.is === 'out' || state.room === room) return same(state)
  const next = { ...state, room }
  // A socket that is being opened carries the old room in its address; `welcome` puts that right.
  if (state.phase.is !== 'online') return same(next)
  return { state: next, effects: [{ type: 'send', socket: state.phase.socket, message: { type: 'join', room } }] }
}

function onOpened(state: ConnectionState, socket: number): Step {
  if (state.phase.is !== 'connecting' || state.phase.socket !== socket) return same(state)
  return same({ ...state, phase: { is: 'joining', socket, ticks: 0 } })
}

function onFrame(state: ConnectionState, socket: number, message: ServerMessage): Step {
  if (socketOf(state.phase) !== socket) return same(state)
  if (message.type === 'welcome') return onWelcome(state, socket, message)
  if (state.phase.is !== 'online' || state.phase.unansweredTicks === undefined) return same(state)
  return same({ ...state, phase: { ...state.phase, unansweredTicks: undefined } })
}

function onWelcome(
  state: ConnectionState,
  socket: number,
  welcome: { node: string; user: string; room: string; nodes: readonly ChatNode[] },
): Step {
  const nodes = mergeNodes(state, welcome.node, welcome.nodes)
  const next: ConnectionState = {
    ...state,
    phase: { is: 'online', socket, node: welcome.node, ticks: 0, sincePingTicks: 0, unansweredTicks: undefined },
    user: welcome.user,
    held: true,
    entered: true,
    nodes,
    cursor: nodes.findIndex((node) => node.name === welcome.node),
    nameTakenTicks: undefined,
    notice: undefined,
  }
  if (welcome.room === state.room) return same(next)
  return { state: next, effects: [{ type: 'send', socket, message: { type: 'join', room: state.room } }] }
}

/**
 * The welcoming node's list, then what else was known. The address of the welcoming node itself stays the one that worked:
 * the page may have come from `localhost`, or through a tunnel.
 */
function mergeNodes(state: ConnectionState, here: string, told: readonly ChatNode[]): readonly KnownNode[] {
  const inUse: KnownNode = { name: here, url: nodeAt(state).url }
  const listed = told.map((node) => (node.name === here ? inUse : node))
  if (!listed.includes(inUse)) listed.unshift(inUse)
  const names = new Set(listed.map((node) => node.name))
  return [...listed, ...state.nodes.filter((node) => node.name !== undefined && !names.has(node.name))]
}

function onClosed(
  state: ConnectionState,
  { socket, code, reason }: { socket: number; code: number; reason: string },
): Step {
  if (socketOf(state.phase) !== socket) return same(state)
  if (code === CLOSE.nameTaken) return onNameTaken(state)
  if (code === CLOSE.badMessage && state.phase.is !== 'online') return out(state, { code: 'refused', detail: reason })
  return retryElsewhere(state)
}

function onNameTaken(state: ConnectionState): Step {
  if (!state.held) return out(state, { code: 'name-taken', detail: state.user })
  const nameTakenTicks = state.nameTakenTicks ?? 0
  if (nameTakenTicks >= NAME_TAKEN_TICKS) return out(state, { code: 'name-lost', detail: state.user })
  return retry({ ...state, nameTakenTicks }, RETRY_NAME_TAKEN_MAX_MS)
}

function onTick(before: ConnectionState): Step {
  const state = before.nameTakenTicks === undefined ? before : { ...before, nameTakenTicks: before.nameTakenTicks + 1 }
  const { phase } = state
  switch (phase.is) {
    case 'out':
    case 'waiting':
      return same(state)
    case 'connecting':
    case 'joining': {
      const ticks = phase.ticks + 1
      if (ticks >= (phase.is === 'connecting' ? CONNECT_TICKS : JOIN_TICKS)) return giveUpSocket(state)
      return same({ ...state, phase: { ...phase, ticks } })
    }
    case 'online':
      return onTickOnline(state, phase)
    default:
      return assertNever(phase)
  }
}

function onTickOnline(state: ConnectionState, phase: Phase & { is: 'online' }): Step {
  const ticks = phase.ticks + 1
  const sincePingTicks = phase.sincePingTicks + 1
  const attempts = ticks >= STABLE_TICKS ? 0 : state.attempts
  if (phase.unansweredTicks !== undefined) {
    const unansweredTicks = phase.unansweredTicks + 1
    if (unansweredTicks >= PING_LOST_TICKS) return giveUpSocket({ ...state, attempts })
    return same({ ...state, attempts, phase: { ...phase, ticks, sincePingTicks, unansweredTicks } })
  }
  if (sincePingTicks < PING_EVERY_TICKS) return same({ ...state, attempts, phase: { ...phase, ticks, sincePingTicks } })
  return {
    state: { ...state, attempts, phase: { ...phase, ticks, sincePingTicks: 0, unansweredTicks: 0 } },
    effects: [{ type: 'send', socket: phase.socket, message: { type: 'ping' } }],
  }
}

function onWoke(state: ConnectionState): Step {
  if (state.phase.is === 'waiting') return open(state)
  if (state.phase.is !== 'online' || state.phase.unansweredTicks !== undefined) return same(state)
  return same({ ...state, phase: { ...state.phase, sincePingTicks: PING_EVERY_TICKS } })
}

function giveUpSocket(state: ConnectionState): Step {
  const next = retryElsewhere(state)
  const closing = abandon(state, next.state)
  return { state: closing.state, effects: [...closing.effects, ...next.effects] }
}

/** `next`, and whatever socket `state` has is closed. */
function abandon(state: ConnectionState, next: ConnectionState): Step {
  const socket = socketOf(state.phase)
  return { state: next, effects: socket === undefined ? [] : [{ type: 'close', socket }] }
}

function out(state: ConnectionState, notice: Notice): Step {
  return same({ ...state, phase: { is: 'out' }, entered: false, held: false, notice })
}

function retryElsewhere(state: ConnectionState): Step {
  const next = { ...state, cursor: (state.cursor + 1) % state.nodes.length }
  return state.attempts === 0 ? open(next) : retry(next, RETRY_MAX_MS)
}

function retry(state: ConnectionState, maxMs: number): Step {
  const id = state.lastId + 1
  const delayMs = Math.min(maxMs, RETRY_FIRST_MS * 2 ** Math.min(Math.max(state.attempts - 1, 0), 10))
  return {
    state: { ...state, lastId: id, phase: { is: 'waiting', retry: id } },
    effects: [{ type: 'retryAfter', retry: id, minMs: delayMs * 0.75, maxMs: Math.min(maxMs, delayMs * 1.25) }],
  }
}

function open(state: ConnectionState): Step {
  const socket = state.lastId + 1
  const { user, room } = state
  return {
    state: {
      ...state,
      lastId: socket,
      attempts: state.attempts + 1,
      phase: { is: 'connecting', socket, ticks: 0 },
    },
    effects: [{ type: 'open', socket, url: nodeAt(state).url, user, room }],
  }
}

function same(state: ConnectionState): Step {
  return { state, effects: [] }
}
