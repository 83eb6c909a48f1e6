// The chat itself, on one node: every session is a process that has the name `user:<name>`, by which it is reached from every node.
//
//   say   ─▶ a broadcast to the room
//   tell  ─▶ a message to `user:<to>`, in whatever way names are kept, and a copy to who tells it
//   somebody comes, goes or changes the room, a node comes or goes ─▶ roster ─▶ `online` to each session of this node
//
// Nothing in here knows on which node a user is, or how names are kept: only what that way can do. A session outlives its socket, and goes to whatever node its page comes back to: with its name, its room, and what
// the page has not got yet.

import type { Server } from 'node:http'

import { ProcessGroups } from '@pidmesh/global-ets'
import { handler, startNode } from '@pidmesh/runtime'
import type { Context, MessageHandler, Via } from '@pidmesh/runtime'
import { Gateway, SocketSession } from '@pidmesh/ws-gateway'
import type { SessionClass, UpgradeRequest } from '@pidmesh/ws-gateway'

import { startNames } from './chat-names.ts'
import type { NamesPlace } from './chat-names.ts'
import { Everyone } from './everyone.ts'
import { FIRST_ROOM } from './limits.ts'
import { clientMessage, name as nameSchema } from './messages.ts'
import type { ChatNode, ClientMessage, ServerMessage } from './messages.ts'

export type ChatOptions = {
  name: string
  host: string
  meshPort: number
  seeds: readonly string[]
  cookie: string
  names: NamesPlace
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

export async function startChat({
  name,
  meshPort,
  seeds,
  cookie,
  server,
  urls,
  ...options
}: ChatOptions): Promise<Chat> {
  const node = await startNode({ name, port: meshPort, cookie, seeds, logLevel: 'error' })
  try {
    const names = await startNames(node, options.names)
    const { via } = names
    const groups = await ProcessGroups.start(node, { scope: 'chat' })
    const everyone = new Everyone(node, groups, via.capabilities.holders === 'one')
    const whoIsOnline = (): ServerMessage => ({
      type: 'online',
      users: everyone.users,
      nodes: [node.name, ...node.nodes()].sort(),
    })
    node.spawn(handler((self) => rosterOf(self, everyone, whoIsOnline)))
    const gateway = await Gateway.start(node, {
      server,
      names: via,
      groups,
      session: chatSession(via, everyone, whoIsOnline),
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
        await names.stop()
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
  names: Via,
  everyone: Everyone,
  whoIsOnline: () => ServerMessage,
): SessionClass<ClientMessage, ServerMessage, Principal> {
  const { holders, knowsAbsence } = names.capabilities
  // Where a name may have many processes nobody can be refused one: whoever comes under a name hears what is for it.
  const policy = holders === 'many' ? 'multi' : 'unique'

  return class ChatSession extends SocketSession<ClientMessage, ServerMessage, Principal> {
    /** Goes with the session when it moves, as does the next. */
    room = ''
    session = ''

    override async handleConnect(): Promise<void> {
      const { user, room } = this.principal
      this.room = room
      this.session = this.pid.toString()
      await this.rooms.join(room)
      await this.registerAs(USER + user, { policy })
      // Last: who is seen to be in a room hears what is said there, and what is for him.
      this.#sitDown()
      this.#welcome()
    }

    override handleTakeover(state: unknown): void {
      void super.handleTakeover(state)
      this.#sitDown()
    }

    /** On this node or on another. */
    override handleResume(): void {
      this.#welcome()
    }

    override async handleMessage(message: ClientMessage): Promise<void> {
      switch (message.type) {
        case 'ping':
          this.push({ type: 'pong' })
          return
        case 'join':
          return this.#goTo(message.room)
        case 'say': {
          const { user: from } = this.principal
          this.rooms.broadcast(this.room, { type: 'said', room: this.room, from, node: this.node, text: message.text })
          return
        }
        case 'tell':
          return this.#tell(message.to, message.text)
      }
    }

    /** Of tables the latest is enough. */
    override handleInfo(message: ServerMessage): ReturnType<SocketSession<never, ServerMessage, never>['handleInfo']> {
      return message.type === 'online' ? this.push(message, { coalesce: 'online' }) : super.handleInfo(message)
    }

    #sitDown(): void {
      everyone.enter(this.pid, { user: this.principal.user, room: this.room, session: this.session })
    }

    #welcome(): void {
      this.push({ type: 'welcome', node: this.node, user: this.principal.user, room: this.room })
      this.push(whoIsOnline(), { coalesce: 'online' })
    }

    async #tell(to: string, text: string): Promise<void> {
      const { user: from } = this.principal
      const told: ServerMessage = { type: 'told', from, to, node: this.node, text }
      if (!(await this.#reaches(to, told))) this.push({ type: 'undeliverable', to })
      else if (to !== from) this.push(told)
    }

    async #reaches(to: string, told: ServerMessage): Promise<boolean> {
      // Some ways send to a name that nobody has, and can't say so: then it is asked who is online.
      if (!knowsAbsence && !everyone.has(to)) return false
      const status = await names.send(USER + to, told)
      return status !== 'noproc' && status !== 'noconnection'
    }

    async #goTo(room: string): Promise<void> {
      if (room === this.room) return
      await this.rooms.join(room)
      await this.rooms.leave(this.room)
      this.room = room
      everyone.goTo(this.pid, room)
    }
  }
}

/** Tells the sessions of this node who is online, whenever that has changed or a node has come or gone. */
function rosterOf(self: Context, everyone: Everyone, whoIsOnline: () => ServerMessage): MessageHandler {
  self.monitorNodes(true)
  everyone.watch(self.pid)
  return () => {
    const online = whoIsOnline()
    for (const pid of everyone.here) self.send(pid, online)
  }
}
