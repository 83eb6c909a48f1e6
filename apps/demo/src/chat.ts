// The chat itself, on one node: every socket is a process that has the name `user:<name>` on every node, with its room as metadata.
//
//   say   ─▶ a message to each name whose metadata has the room
//   tell  ─▶ a message to `user:<to>`
//   table changes, a node comes or goes ─▶ roster ─▶ `online` to each session of this node
//
// Nothing in here knows on which node a user is.

import type { Server } from 'node:http'

import { GlobalEts } from '@pidmesh/global-ets'
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
  /** Tells every connected page to go elsewhere (1012), and leaves the mesh. */
  stop(): Promise<void>
}

type Principal = { user: string; room: string }

const USER = 'user:'

export async function startChat({ name, meshPort, seeds, cookie, server, urls }: ChatOptions): Promise<Chat> {
  const node = await startNode({ name, port: meshPort, cookie, seeds, logLevel: 'error' })
  try {
    // The socket that a user has just opened wins over one that another part of the cluster still remembers.
    const names = await GlobalEts.start(node, { scope: 'chat', policy: 'newest' })
    const whoIsOnline = (): ServerMessage => onlineNow(node, names)
    const roster = node.spawn(handler((self) => rosterOf(self, names, whoIsOnline)))
    names.watch(roster)
    const gateway = await Gateway.start(node, {
      server,
      names,
      session: chatSession(names, urls, whoIsOnline),
      authenticate: choosePrincipal,
      messages: clientMessage,
      maxPayloadBytes: 16 * 1024,
      origins: urls.map(({ url }) => url),
    })
    return {
      async stop() {
        await gateway.stop()
        await node.stop()
      },
    }
  } catch (error) {
    await node.stop()
    throw error
  }
}

/** A demo: whoever comes first has the name. */
function choosePrincipal({ url }: UpgradeRequest): Principal | undefined {
  const user = nameSchema.safeParse(url.searchParams.get('user'))
  const room = nameSchema.safeParse(url.searchParams.get('room') ?? FIRST_ROOM)
  return user.success && room.success ? { user: user.data, room: room.data } : undefined
}

function chatSession(
  names: GlobalEts,
  nodes: readonly ChatNode[],
  whoIsOnline: () => ServerMessage,
): SessionClass<ClientMessage, ServerMessage, Principal> {
  return class ChatSession extends SocketSession<ClientMessage, ServerMessage, Principal> {
    #room = ''

    override async handleConnect(): Promise<void> {
      const { user, room } = this.principal
      this.#room = room
      await this.registerAs(USER + user, { meta: { room } })
      this.push({ type: 'welcome', node: this.node, user, room, nodes })
      this.push(whoIsOnline())
    }

    override handleMessage(message: ClientMessage): void {
      const { user: from } = this.principal
      switch (message.type) {
        case 'ping':
          this.push({ type: 'pong' })
          return
        case 'join':
          this.#room = message.room
          names.setMeta(USER + from, { room: message.room })
          return
        case 'say':
          this.#sayToRoom({ type: 'said', room: this.#room, from, node: this.node, text: message.text })
          return
        case 'tell': {
          const told: ServerMessage = { type: 'told', from, to: message.to, node: this.node, text: message.text }
          if (names.send(USER + message.to, told) === 'noproc') this.push({ type: 'undeliverable', to: message.to })
        }
      }
    }

    #sayToRoom(said: ServerMessage): void {
      for (const { pid, meta } of names.registeredInfo()) if (meta['room'] === this.#room) this.self.send(pid, said)
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
