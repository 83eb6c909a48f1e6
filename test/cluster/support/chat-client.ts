// A chat user without a page: a WebSocket that keeps all that it got, and when.

import { onTestFinished } from 'vitest'
import { WebSocket } from 'ws'

import type { DemoNode } from './demo-process.ts'
import { until } from './until.ts'

export type OnlineUser = { user: string; node: string; room: string }

/** What a test looks at of the demo's wire messages. */
export type ServerMessage =
  | { type: 'welcome'; node: string; user: string }
  | { type: 'online'; users: readonly OnlineUser[] }
  | { type: 'said'; room: string; from: string; node: string; text: string }
  | { type: 'told'; from: string; to: string; node: string; text: string }
  | { type: 'undeliverable'; to: string }
  | { type: 'pong' }

export type Table = { users: readonly OnlineUser[]; atMs: number }

export class ChatClient {
  readonly user: string
  readonly node: DemoNode
  readonly messages: ServerMessage[] = []
  /** Every `online` that it got, oldest first, with the `performance.now()` of its arrival. */
  readonly tables: Table[] = []
  closed: { code: number; reason: string } | undefined
  readonly #socket: WebSocket

  /** Resolves when the node has said `welcome`, and what is online. */
  static async connect(node: DemoNode, user: string): Promise<ChatClient> {
    const client = new ChatClient(node, user)
    await until(`${user}'s welcome`, () => client.tables.length > 0 || client.closed !== undefined)
    if (client.closed !== undefined) throw new Error(`${user} was not let in: ${JSON.stringify(client.closed)}`)
    return client
  }

  private constructor(node: DemoNode, user: string) {
    this.node = node
    this.user = user
    const url = new URL(`/ws?user=${user}`, node.url)
    url.protocol = 'ws:'
    this.#socket = new WebSocket(url)
    // An error is followed by `close`.
    this.#socket.on('error', () => undefined)
    this.#socket.on('close', (code, reason) => (this.closed = { code, reason: reason.toString() }))
    this.#socket.on('message', (data: Buffer) => this.#onMessage(data, performance.now()))
    onTestFinished(() => this.vanish())
  }

  #onMessage(data: Buffer, atMs: number): void {
    const message = JSON.parse(data.toString()) as ServerMessage
    this.messages.push(message)
    if (message.type === 'online') this.tables.push({ users: message.users, atMs })
  }

  /** The node's table, as far as it has told it. */
  get online(): readonly OnlineUser[] {
    return this.tables.at(-1)?.users ?? []
  }

  say(text: string): void {
    this.send(JSON.stringify({ type: 'say', text }))
  }

  tell(to: string, text: string): void {
    this.send(JSON.stringify({ type: 'tell', to, text }))
  }

  join(room: string): void {
    this.send(JSON.stringify({ type: 'join', room }))
  }

  /** One frame as it is: text for a string, else binary. */
  send(frame: string | Buffer): void {
    this.#socket.send(frame)
  }

  /** Whether it got this text, from a room or for itself. */
  heard(text: string): boolean {
    return this.messages.some((message) => 'text' in message && message.text === text)
  }

  /** Ends without a word, as when the network goes. */
  vanish(): void {
    this.#socket.terminate()
  }
}

/**
 * Each says something in the room and something to each; all of it arrives, and nobody is closed. The tables of their nodes must agree
 * already: who is not in the sender's table yet is not written to.
 */
export async function expectAllToTalk(clients: readonly ChatClient[]): Promise<void> {
  const round = Math.random().toString(36).slice(2)
  for (const from of clients) {
    from.say(`${round} ${from.user} to all`)
    for (const to of clients) from.tell(to.user, `${round} ${from.user} to ${to.user}`)
  }
  const missing = (): string[] =>
    clients.flatMap((to) => [
      ...(to.closed === undefined ? [] : [`${to.user} was closed with ${to.closed.code}`]),
      ...clients
        .flatMap(({ user }) => [`${round} ${user} to all`, `${round} ${user} to ${to.user}`])
        .filter((text) => !to.heard(text)),
    ])
  await until('everybody hears everybody', () => missing().length === 0, { instead: () => ({ missing: missing() }) })
}

/** Users by name, and on which node each is. */
export type Places = Readonly<Record<string, Pick<DemoNode, 'name'>>>

/** Each sees the same users on the same nodes: exactly `users`. */
export async function expectSameTables(clients: readonly ChatClient[], users: Places): Promise<void> {
  const wanted = Object.entries(users).map(([user, { name }]) => `${user} ${name}`)
  const tableOf = (client: ChatClient): string => rows(client.online.map(({ user, node }) => `${user} ${node}`))
  await until('all tables agree', () => clients.every((client) => tableOf(client) === rows(wanted)), {
    instead: () => ({ wanted: rows(wanted), tables: clients.map(tableOf) }),
  })
}

function rows(lines: readonly string[]): string {
  return lines.toSorted().join(', ')
}
