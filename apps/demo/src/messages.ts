// The chat's messages, over the gateway's protocol: what `@pidmesh/client` sends and hears; or bare, one JSON object per text frame, on `/ws?user=<name>&room=<room>`.
//
//   page ── ClientMessage ──▶ node     checked by `clientMessage`, since it comes from outside
//   page ◀── ServerMessage ── node     plain types: the page trusts the node that served it
//
// A session begins with `welcome`, then `online`, and so does each time that its page comes back to it; a message that breaks its schema closes the socket (4400).
// The page imports types only: a value imported from here would bring zod into its bundle. Limits are in limits.ts.

import { z } from 'zod'

import { NAME, TEXT_MAX_LENGTH } from './limits.ts'

export type ClientMessage =
  | { type: 'join'; room: string }
  /** To everyone in the current room, the sender included. */
  | { type: 'say'; text: string }
  /** To one user, in whatever room and on whatever node. */
  | { type: 'tell'; to: string; text: string }
  /** For clients of the bare protocol: that of the page pings by itself. */
  | { type: 'ping' }

export type ChatNode = {
  name: string
  /** Where the node serves the page: `http://127.0.0.1:8081`. Its socket is at `/ws` of the same address. */
  url: string
}

/** What a node writes into its page. */
export type KnownNodes = {
  /** Its own name. */
  here: string
  /** Every node of which the page's address is known, this one included. */
  nodes: readonly ChatNode[]
  /** How names are kept, for people. */
  names: string
}

export type OnlineUser = { user: string; node: string; room: string }

export type ServerMessage =
  | { type: 'welcome'; node: string; user: string; room: string }
  /** Every session, sorted by user (who may have several where a name may have many), and the names of the nodes that this node sees, itself included, sorted; sent whenever one changes. */
  | { type: 'online'; users: readonly OnlineUser[]; nodes: readonly string[] }
  | { type: 'said'; room: string; from: string; node: string; text: string }
  /** `node` is the sender's. The sender gets a copy of what was passed on, and so knows that its node has heard it. */
  | { type: 'told'; from: string; to: string; node: string; text: string }
  /** Nobody has the name that a `tell` was for, or it can't be reached. */
  | { type: 'undeliverable'; to: string }
  | { type: 'pong' }
  /** A message was understood and not obeyed; the connection stays. */
  | { type: 'refused'; code: string; message: string }

/** A user's or a room's name. */
export const name: z.ZodType<string> = z.string().regex(NAME)

const text = z.string().min(1).max(TEXT_MAX_LENGTH)

export const clientMessage: z.ZodType<ClientMessage> = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('join'), room: name }),
  z.strictObject({ type: z.literal('say'), text }),
  z.strictObject({ type: z.literal('tell'), to: name, text }),
  z.strictObject({ type: z.literal('ping') }),
])
