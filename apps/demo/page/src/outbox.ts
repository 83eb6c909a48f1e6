// What was sent and is not known to have reached the node, as a value. When the connection is lost, this is what the page has to own up to.
//
//   say  ─▶ kept until its echo: `said` from oneself with the same text
//   tell ─▶ has no echo; kept until the next frame, whatever it is, since a node that still talks still listens
//
// Neither is proof. A node may have passed a text on and died before the echo, or be asleep and read it later.

import type { ServerMessage } from '../../src/messages.ts'

export const OUTBOX_MAX_SAID = 20

export type UnheardText = { room: string; node: string; text: string }

export type Outbox = {
  /** Oldest first. */
  said: readonly UnheardText[]
  /** Ids of the log's entries, where a direct message is shown from the start. */
  told: readonly number[]
}

export const EMPTY_OUTBOX: Outbox = { said: [], told: [] }

export function withSaid(outbox: Outbox, sent: UnheardText): Outbox {
  return { ...outbox, said: [...outbox.said, sent].slice(-OUTBOX_MAX_SAID) }
}

export function withTold(outbox: Outbox, entryId: number): Outbox {
  return { ...outbox, told: [...outbox.told, entryId] }
}

/** What is left after a frame from the node. */
export function afterFrame(outbox: Outbox, message: ServerMessage, self: string): Outbox {
  const echoed =
    message.type === 'said' && message.from === self ? outbox.said.findIndex(({ text }) => text === message.text) : -1
  return { said: outbox.said.filter((_, place) => place !== echoed), told: [] }
}
