// What was sent and the node has not told back, as a value. When the session is lost, this is what the page has to own up to: the client knows how many messages those
// were at most, the page which.
//
//   say  ─▶ kept until its echo: `said` from oneself with the same text
//   tell ─▶ kept until its echo, `told` from oneself, or until `undeliverable`
//
// Neither is proof. A node may have passed a text on and died before the echo, or be asleep and read it later.

import type { ServerMessage } from '../../src/messages.ts'

/** Of either kind: the oldest are taken for heard. */
export const OUTBOX_MAX = 20

export type UnheardText = { room: string; node: string; text: string }

/** A direct message is shown from the start: `entryId` is its entry in the log. */
export type UnheardDirect = { entryId: number; to: string; text: string }

export type Outbox = {
  /** Oldest first. */
  said: readonly UnheardText[]
  /** Oldest first. */
  told: readonly UnheardDirect[]
}

export const EMPTY_OUTBOX: Outbox = { said: [], told: [] }

export function withSaid(outbox: Outbox, sent: UnheardText): Outbox {
  return { ...outbox, said: [...outbox.said, sent].slice(-OUTBOX_MAX) }
}

export function withTold(outbox: Outbox, sent: UnheardDirect): Outbox {
  return { ...outbox, told: [...outbox.told, sent].slice(-OUTBOX_MAX) }
}

/** What is left after a message from the node. */
export function afterMessage(outbox: Outbox, message: ServerMessage, self: string): Outbox {
  switch (message.type) {
    case 'said':
      return message.from === self
        ? { ...outbox, said: withoutFirst(outbox.said, ({ text }) => text === message.text) }
        : outbox
    case 'told': {
      const isEcho = ({ to, text }: UnheardDirect): boolean => to === message.to && text === message.text
      return message.from === self ? { ...outbox, told: withoutFirst(outbox.told, isEcho) } : outbox
    }
    case 'undeliverable':
      return { ...outbox, told: withoutFirst(outbox.told, ({ to }) => to === message.to) }
    case 'welcome':
    case 'online':
    case 'pong':
    case 'refused':
      return outbox
  }
}

function withoutFirst<T>(list: readonly T[], isIt: (one: T) => boolean): readonly T[] {
  const place = list.findIndex(isIt)
  return place === -1 ? list : list.toSpliced(place, 1)
}
