// The chat itself, on one node: every session is a process that has the name `user:<name>` on every node, with its room as metadata.
//
//   say   ─▶ a broadcast to the room
//   tell  ─▶ a message to `user:<to>`, and a copy to who tells it
//   table changes, a node comes or goes ─▶ roster ─▶ `online` to each session of this node
//
// Nothing in here knows on which node a user is. A session outlives its socket, and goes to whatever node its page comes back to: with its name, its room, and what
// the page has not got yet.

import type { Server } from 'node:http'

import { GlobalEts, ProcessGroups } from '@pidmesh/global-ets'
import { handler, startNode } from '@pidmesh/runtime'
import type { Context, MessageHandler, Node } from '@pidmesh/runtime'
import { Gateway, SocketSession } from '@pidmesh/ws-gateway'
import type { SessionClass, UpgradeRequest } from '@pidmesh/ws-gateway'

import { FIRST_ROOM } from './limits.ts'
import { clientMessage, name as nameSchema } from './messages.ts'
import type { ChatNode, ClientMessage, OnlineUser, ServerMessage } from './messages.ts'

export type ChatOptions = {
  name: string
  host: string
  meshPort: number
  seeds: readonly string[]
  cookie: string
  /** Serves the page; the gateway takes its `upgrade` event. */
  server: Server
  /** Every node of which the page's address is known, this one included. */
  urls: readonly ChatNode[]
}

export type Chat = {
  /** Tells every connected page to go elsewhere (1012), hands their sessions over, within 2 s, and leaves the mesh. */
  stop(): Promise<void>
}

type Principal = { user: string; room: string }

const USER = 'user:'

/** A page that was closed, and not left, is seen for so long. */
const GRACE_MS = 15_000
/** A page is told to come back within 1 s, and a bit. With the rest of a stop it must be less than STOP_WITHIN_MS (chat-node.ts). */
const DRAIN = { overMs: 200, handOverMs: 1700 }

export async function startChat({ name, meshPort, seeds, cookie, server, urls }: ChatOptions): Promise<Chat> {
  const node = await startNode({ name, port: meshPort, cookie, seeds, logLevel: 'error' })
  try {
    // The socket that a user has just opened wins over one that another part of the cluster still remembers.
    const names = await GlobalEts.start(node, { scope: 'chat', policy: 'newest' })
    const groups = await ProcessGroups.start(node, { scope: 'chat' })
    const whoIsOnline = (): ServerMessage => onlineNow(node, names)
    const roster = node.spawn(handler((self) => rosterOf(self, names, whoIsOnline)))
    names.watch(roster)
    const gateway = await Gateway.start(node, {
      server,
      names,
      groups,
      session: chatSession(names, whoIsOnline),
      authenticate: choosePrincipal,
      principalId: ({ user }) => user,
      messages: clientMessage,
      maxPayloadBytes: 16 * 1024,
      origins: urls.map(({ url }) => url),
      resume: { graceMs: GRACE_MS },
    })
    return {
      async stop() {
        await gateway.drain(DRAIN)
        await node.stop()
      },
    }
  } catch (error) {
    await node.stop()
    throw error
  }
}

/**
 * A demo: whoever comes first has the name. A page says in its token who it is, and where it begins: `user@room`; clients of the bare protocol, in which there is no token, say
 * it in the address.
 */
function choosePrincipal({ token, url }: UpgradeRequest): Principal | undefined {
  const [askedUser, askedRoom] =
    token === undefined ? [url.searchParams.get('user'), url.searchParams.get('room')] : token.split('@')
  const user = nameSchema.safeParse(askedUser)
  const room = nameSchema.safeParse(askedRoom ?? FIRST_ROOM)
  return user.success && room.success ? { user: user.data, room: room.data } : undefined
}

function chatSession(
  names: GlobalEts,
  whoIsOnline: () => ServerMessage,
): SessionClass<ClientMessage, ServerMessage, Principal> {
  return class ChatSession extends SocketSession<ClientMessage, ServerMessage, Principal> {
    /** Goes with the session when it moves. */
    room = ''

    override async handleConnect(): Promise<void> {
      const { user, room } = this.principal
      this.room = room
      // Before the name: who is seen to be in a room hears what is said there.
      await this.rooms.join(room)
      await this.registerAs(USER + user, { meta: { room } })
      this.#welcome()
    }

    /** On this node or on another. */
    override handleResume(): void {
      this.#welcome()
    }

    override async handleMessage(message: ClientMessage): Promise<void> {
      const { user: from } = this.principal
      switch (message.type) {
        case 'ping':
          this.push({ type: 'pong' })
          return
        case 'join':
          return this.#goTo(message.room)
        case 'say':
          this.rooms.broadcast(this.room, { type: 'said', room: this.room, from, node: this.node, text: message.text })
          return
        case 'tell': {
          const { to, text } = message
          const told: ServerMessage = { type: 'told', from, to, node: this.node, text }
          if (names.send(USER + to, told) === 'noproc') this.push({ type: 'undeliverable', to })
          else if (to !== from) this.push(told)
        }
      }
    }

    /** Of tables the latest is enough. */
    override handleInfo(message: ServerMessage): ReturnType<SocketSession<never, ServerMessage, never>['handleInfo']> {
      return message.type === 'online' ? this.push(message, { coalesce: 'online' }) : super.handleInfo(message)
    }

    #welcome(): void {
      this.push({ type: 'welcome', node: this.node, user: this.principal.user, room: this.room })
      this.push(whoIsOnline(), { coalesce: 'online' })
    }

    async #goTo(room: string): Promise<void> {
      if (room === this.room) return
      await this.rooms.join(room)
      await this.rooms.leave(this.room)
      this.room = room
      await this.setMeta(USER + this.principal.user, { room })
    }
  }
}

/** Tells the sessions of this node who is online, whenever the table has changed or a node has come or gone. */
function rosterOf(self: Context, names: GlobalEts, whoIsOnline: () => ServerMessage): MessageHandler {
  self.monitorNodes(true)
  return () => {
    const online = whoIsOnline()
    for (const { pid } of names.localRegisteredInfo()) self.send(pid, online)
  }
}

function onlineNow(node: Node, names: GlobalEts): ServerMessage {
  return { type: 'online', users: onlineUsers(names), nodes: [node.name, ...node.nodes()].sort() }
}

function onlineUsers(names: GlobalEts): OnlineUser[] {
  return names.registeredInfo().map(({ name, pid, meta }) => ({
    user: name.slice(USER.length),
    node: pid.node,
    room: typeof meta['room'] === 'string' ? meta['room'] : FIRST_ROOM,
  }))
}
