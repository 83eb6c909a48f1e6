// What runs on the node: the chat of the README. Put yours here.

import type { GlobalEts } from '@pidmesh/global-ets'
import type { Node } from '@pidmesh/runtime'
import { Gateway, SocketSession, type DrainOptions } from '@pidmesh/ws-gateway'
import type { Server } from 'node:http'
import { z } from 'zod'

const clientMessage = z.object({ to: z.string(), text: z.string() })
type ClientMessage = z.infer<typeof clientMessage>
type ServerMessage = { type: 'said'; from: string; text: string }
type Principal = { user: string }

class Chat extends SocketSession<ClientMessage, ServerMessage, Principal> {
  override handleConnect() {
    return this.registerAs(`user:${this.principal.user}`)
  }
  override handleMessage({ to, text }: ClientMessage) {
    this.sendTo(`user:${to}`, { type: 'said', from: this.principal.user, text })
  }
}

/** What has to be drained. */
export type ChatGateway = { drain(options: DrainOptions): Promise<void> }

export function startChat(node: Node, names: GlobalEts, server: Server): Promise<ChatGateway> {
  return Gateway.start(node, {
    server,
    names,
    session: Chat,
    messages: clientMessage,
    authenticate: ({ url }) => ({ user: /^.{1,32}/su.exec(url.searchParams.get('user') ?? '')?.[0] ?? 'guest' }), // yours: check a token here
  })
}
