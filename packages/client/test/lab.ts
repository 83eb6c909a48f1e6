/**
 * A cluster of gateways on loopback, and clients whose sockets a test can break.
 */
import { connect, type Client, type ClientOptions } from '@pidmesh/client'
import { GlobalEts } from '@pidmesh/global-ets'
import { startNode, type Node } from '@pidmesh/runtime'
import { Gateway, SocketSession, type GatewayOptions } from '@pidmesh/ws-gateway'
import { WebSocket } from 'ws'

export interface Principal {
  readonly user: string
}

export type ToServer =
  | { readonly type: 'register' }
  | { readonly type: 'echo'; readonly value: unknown }
  | { readonly type: 'count' }
  | { readonly type: 'crash' }

export type FromServer =
  | { readonly type: 'registered' }
  | { readonly type: 'echo'; readonly value: unknown }
  | { readonly type: 'count'; readonly count: number; readonly node: string }

/** Says again what it is told, and counts it, wherever it is. */
class LabSession extends SocketSession<ToServer, FromServer, Principal> {
  private count = 0

  override async handleMessage(message: ToServer): Promise<void> {
    switch (message.type) {
      case 'register':
        await this.registerAs(this.principal.user)
        this.push({ type: 'registered' })
        return
      case 'echo':
        this.count++
        this.push(message)
        return
      case 'count':
        this.push({ type: 'count', count: this.count, node: this.node })
        return
      case 'crash':
        throw new Error('crashed on demand')
    }
  }

  override handOver() {
    return { count: this.count }
  }

  override handleTakeover(state: { readonly count: number }) {
    this.count = state.count
  }
}

export interface LabNode {
  readonly node: Node
  readonly names: GlobalEts
  readonly gateway: Gateway<ToServer, FromServer, Principal>
}

export interface LabClient {
  readonly client: Client<ToServer, FromServer>
  readonly messages: FromServer[]
  /** Everything else that was told, in order. */
  readonly told: unknown[][]
  /** Breaks the socket, as when a cable is pulled. */
  cut(): void
}

export class Lab {
  readonly nodes: LabNode[] = []
  private readonly clients: Client<ToServer, FromServer>[] = []

  static async start(
    count: number,
    options: Partial<GatewayOptions<ToServer, FromServer, Principal>> = {},
  ): Promise<Lab> {
    const lab = new Lab()
    for (let index = 0; index < count; index++) await lab.addNode(`n${index}`, options)
    return lab
  }

  at(index: number): LabNode {
    const node = this.nodes[index]
    if (node === undefined) throw new Error(`the lab has no node ${index}`)
    return node
  }

  /** Begins at node 0; after a loss goes on to the next. */
  connect(user: string, options: Partial<ClientOptions> = {}): LabClient {
    const sockets: WebSocket[] = []
    class CutSocket extends WebSocket {
      constructor(url: string, protocols: string[]) {
        super(url, protocols)
        sockets.push(this)
      }
    }
    const client = connect<ToServer, FromServer>({
      urls: this.nodes.map(({ gateway }) => `ws://127.0.0.1:${gateway.port}/ws`),
      token: user,
      WebSocket: CutSocket,
      random: () => 0,
      ...options,
    })
    this.clients.push(client)
    const messages: FromServer[] = []
    const told: unknown[][] = []
    client.on('message', (message) => messages.push(message))
    client.on('open', (event) => told.push(['open', event]))
    client.on('gap', (gap) => told.push(['gap', gap]))
    client.on('close', (close) => told.push(['close', close]))
    return { client, messages, told, cut: () => sockets.at(-1)?.terminate() }
  }

  async stop(): Promise<void> {
    for (const client of this.clients) client.close()
    for (const { node, gateway } of this.nodes) {
      await gateway.stop()
      await node.stop()
    }
  }

  private async addNode(
    name: string,
    options: Partial<GatewayOptions<ToServer, FromServer, Principal>>,
  ): Promise<void> {
    const [first] = this.nodes
    const node = await startNode({
      name: `${name}@127.0.0.1`,
      cookie: 'lab-cookie',
      logLevel: 'silent',
      seeds: first === undefined ? [] : [first.node.address],
    })
    for (const other of this.nodes) await node.connectNode(other.node.name)
    const names = await GlobalEts.start(node, { policy: 'newest' })
    await names.filled()
    const gateway = await Gateway.start(node, {
      port: 0,
      names,
      session: LabSession,
      // The token is the user's name.
      authenticate: ({ token }) => (token === undefined || token === 'nobody' ? undefined : { user: token }),
      ...options,
    })
    this.nodes.push({ node, names, gateway })
  }
}
