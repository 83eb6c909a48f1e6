/**
 * What is sent to sessions is what they take. The code is never run: each line with an `@ts-expect-error` is an error of the types, or the check of the types fails.
 */
import type { Node, Via } from '@pidmesh/runtime'
import {
  Authenticated,
  Gateway,
  SocketSession,
  type MessageSchema,
  type NameFor,
  type PresenceMessage,
  type SessionClass,
  type SessionRooms,
} from '@pidmesh/ws-gateway'
import { expect, expectTypeOf, it } from 'vitest'

type ClientMessage = { type: 'say'; text: string } | { type: 'leave' }
type ServerMessage = { type: 'said'; from: string; text: string } | { type: 'left'; who: string }
type Kick = { type: 'kick'; why: string }
interface Principal {
  readonly user: string
}

/** What a bot takes is what its name says. */
const BOT: NameFor<{ type: 'ask'; text: string }> = 'bot'
/** A room of sessions of several classes. */
const HALL: NameFor<{ type: 'left'; who: string }> = 'hall'

class Chat extends SocketSession<ClientMessage, ServerMessage, Principal> {
  override handleMessage(message: ClientMessage) {
    const { user: from } = this.principal
    if (message.type === 'leave') return void this.rooms.broadcast(HALL, { type: 'left', who: from })
    this.sendTo(`user:${from}`, { type: 'said', from, text: message.text })
    this.sendTo(BOT, { type: 'ask', text: message.text })
    this.rooms.broadcast('lobby', { type: 'said', from, text: message.text }, { except: this.pid })
    // @ts-expect-error no client understands it
    this.sendTo(`user:${from}`, { type: 'say', text: message.text })
    // @ts-expect-error it has no text
    this.sendTo(`user:${from}`, { type: 'said', from })
    // @ts-expect-error no client understands it
    this.rooms.broadcast('lobby', { type: 'kick', why: 'noise' })
    // @ts-expect-error the bot is asked, and no more
    this.sendTo(BOT, { type: 'said', from, text: message.text })
    // @ts-expect-error not all in the hall understand what is said
    this.rooms.broadcast(HALL, { type: 'said', from, text: message.text })
    // @ts-expect-error a push is for the client
    this.push({ type: 'kick', why: 'noise' })
  }
}

/** Takes more than its client gets. */
class Kickable extends SocketSession<ClientMessage, ServerMessage, Principal, ServerMessage | Kick> {
  override handleMessage(_message: ClientMessage) {
    this.sendTo('user:bob', { type: 'kick', why: 'noise' })
    this.rooms.broadcast('lobby', { type: 'kick', why: 'noise' })
    // @ts-expect-error it is not for a client
    this.push({ type: 'kick', why: 'noise' })
  }
  override handleInfo(message: ServerMessage | Kick) {
    if (message.type === 'kick') return this.close({ code: 4100, reason: message.why })
    return this.push(message)
  }
}

interface Given {
  readonly node: Node
  readonly names: Via
  readonly authenticate: () => Principal
}

it('types: what is pushed to names and broadcast to rooms is what the sessions take', () => {
  const typed = async ({ node, ...options }: Given): Promise<void> => {
    const gateway = await Gateway.start(node, { ...options, session: Chat })
    expectTypeOf(gateway).toEqualTypeOf<Gateway<ClientMessage, ServerMessage, Principal>>()
    void gateway.push('user:bob', { type: 'left', who: 'ann' })
    void gateway.push(BOT, { type: 'ask', text: 'who?' })
    gateway.broadcast('lobby', { type: 'said', from: 'the server', text: 'hello' })
    gateway.broadcast(HALL, { type: 'left', who: 'ann' })
    // @ts-expect-error no client understands it
    void gateway.push('user:bob', { type: 'kick', why: 'noise' })
    // @ts-expect-error no client understands it
    gateway.broadcast('lobby', 'hello')
    // @ts-expect-error the bot is asked, and no more
    void gateway.push(BOT, { type: 'left', who: 'ann' })
    // @ts-expect-error not all in the hall understand what is said
    gateway.broadcast(HALL, { type: 'said', from: 'the server', text: 'hello' })
  }
  expect(typed).toBeTypeOf('function')
})

it('types: a session that handles more than its client gets says so in its type, and gateways know it without being told', () => {
  const typed = async ({ node, ...options }: Given): Promise<void> => {
    const gateway = await Gateway.start(node, { ...options, session: Kickable })
    expectTypeOf(gateway).toEqualTypeOf<Gateway<ClientMessage, ServerMessage, Principal, ServerMessage | Kick>>()
    void gateway.push('user:bob', { type: 'kick', why: 'noise' })
    gateway.broadcast('lobby', { type: 'left', who: 'ann' })
    // @ts-expect-error no session understands it
    void gateway.push('user:bob', { type: 'ban' })
    type More = ServerMessage | Kick | { type: 'ban' }
    // @ts-expect-error its sessions don't know how to ban
    const more: Gateway<ClientMessage, ServerMessage, Principal, More> = gateway
    const less: Gateway<ClientMessage, ServerMessage, Principal> = gateway
    const rooms = (own: SessionRooms<ServerMessage>, all: SessionRooms): readonly unknown[] => {
      const fewer: SessionRooms<ServerMessage> = all
      // @ts-expect-error who is in the rooms doesn't know what a kick is
      const further: SessionRooms<ServerMessage | Kick> = own
      return [fewer, further]
    }
    void [more, less, rooms]
    const session: SessionClass<ClientMessage, ServerMessage, Principal, ServerMessage | Kick> = Kickable
    void session
  }
  expect(typed).toBeTypeOf('function')
})

it('types: a session whose callbacks take less than its type says is no session of a gateway', () => {
  class Deaf extends SocketSession<ClientMessage, ServerMessage, Principal> {
    override handleInfo(_message: { type: 'left'; who: string }): void {}
  }
  class Undeclared extends SocketSession<ClientMessage, ServerMessage, Principal> {
    override handleInfo(_message: Kick): void {}
  }
  class Rude extends SocketSession<ClientMessage, ServerMessage, Principal> {
    override handleMessage(_message: { type: 'say'; text: string }): void {}
  }
  class Leaky extends SocketSession<ClientMessage, ServerMessage, Principal, ServerMessage | Kick> {
    override handleMessage(_message: ClientMessage): void {}
  }
  class Passing extends SocketSession<ClientMessage, ServerMessage, Principal, ServerMessage | Kick> {
    override handleMessage(_message: ClientMessage): void {}
    override handleInfo(message: ServerMessage | Kick | { type: 'DOWN' }) {
      // @ts-expect-error a kick would be pushed
      if (message.type !== 'DOWN') return super.handleInfo(message)
      return undefined
    }
  }
  class Wide extends SocketSession<ClientMessage, ServerMessage, Principal> {
    override handleMessage(_message: object): void {}
    override handleInfo(message: unknown) {
      return super.handleInfo(message)
    }
  }
  const typed = ({ node, ...options }: Given): void => {
    // @ts-expect-error what of `said`?
    void Gateway.start(node, { ...options, session: Deaf })
    // @ts-expect-error its type says nothing of kicks, and what of `said`?
    void Gateway.start(node, { ...options, session: Undeclared })
    // @ts-expect-error what of `leave`?
    void Gateway.start(node, { ...options, session: Rude })
    // @ts-expect-error by itself it pushes all to the client: what of kicks?
    void Gateway.start(node, { ...options, session: Leaky })
    void Gateway.start(node, { ...options, session: Passing })
    void Gateway.start(node, { ...options, session: Wide })
  }
  expect(typed).toBeTypeOf('function')
})

it('types: what the schema lets through is what the session takes', () => {
  const typed = (
    { node, ...options }: Given,
    all: MessageSchema<ClientMessage>,
    part: MessageSchema<{ type: 'leave' }>,
    more: MessageSchema<ClientMessage | { type: 'shout' }>,
    other: MessageSchema<number>,
  ): void => {
    void Gateway.start(node, { ...options, session: Chat, messages: all })
    void Gateway.start(node, { ...options, session: Chat, messages: part })
    // @ts-expect-error the session doesn't know how to shout
    void Gateway.start(node, { ...options, session: Chat, messages: more })
    // @ts-expect-error the session takes no numbers
    void Gateway.start(node, { ...options, session: Chat, messages: other })
  }
  expect(typed).toBeTypeOf('function')
})

it('types: who a client is comes from authenticate as the session wants it', () => {
  const typed = ({ node, names }: Given): void => {
    void Gateway.start(node, {
      names,
      session: Chat,
      authenticate: ({ token }) => token !== undefined && { user: token },
    })
    void Gateway.start(node, { names, session: Chat, authenticate: async () => new Authenticated({ user: 'ann' }) })
    // @ts-expect-error a user is a text
    void Gateway.start(node, { names, session: Chat, authenticate: () => ({ user: 5 }) })
    // @ts-expect-error a user is a text
    void Gateway.start(node, { names, session: Chat, authenticate: () => new Authenticated({ user: 5 }) })
    // @ts-expect-error the principal is no text
    void Gateway.start(node, { names, session: Chat, authenticate: () => 'ann' })
    void Gateway.start(node, { names, session: Chat, authenticate: () => null, principalId: ({ user }) => user })
    const idOf = (of: { id: string }): string => of.id
    // @ts-expect-error a principal has no id
    void Gateway.start(node, { names, session: Chat, authenticate: () => null, principalId: idOf })
  }
  expect(typed).toBeTypeOf('function')
})

it('types: a session that only pushes, or whose messages are not typed, says no more than before', () => {
  class Mute extends SocketSession<never, never, string> {}
  class Loose extends SocketSession<unknown, unknown, string> {
    override handleMessage(message: unknown): void {
      this.sendTo('anybody', message)
      this.rooms.broadcast('anywhere', message)
    }
  }
  class Watcher extends SocketSession<never, PresenceMessage, string> {
    override handleConnect(): void {
      this.rooms.watch('lobby')
    }
  }
  const typed = async ({ node, names }: Given): Promise<void> => {
    const options = { names, authenticate: () => 'ann' }
    const mute = await Gateway.start(node, { ...options, session: Mute })
    expectTypeOf(mute).toEqualTypeOf<Gateway<never, never, string>>()
    // @ts-expect-error its clients get nothing
    void mute.push('user:bob', 'hello')
    const loose = await Gateway.start(node, { ...options, session: Loose })
    void loose.push('user:bob', 'hello')
    void Gateway.start(node, { ...options, session: Watcher })
  }
  expect(typed).toBeTypeOf('function')
})
