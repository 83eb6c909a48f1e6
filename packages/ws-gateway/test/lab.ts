/**
 * A cluster of gateways on loopback, and clients that speak the protocol by hand: what goes over the wire is what is tested.
 */
import { GlobalEts, ProcessGroups } from '@pidmesh/global-ets'
import { startNode, type Logger, type MailboxOptions, type Node } from '@pidmesh/runtime'
import { Gateway, SocketSession, type GatewayOptions, type PresenceMessage } from '@pidmesh/ws-gateway'
import { WebSocket } from 'ws'

export interface Principal {
  readonly user: string
}

/** What the lab's sessions do is what their client says. */
export type ClientMessage =
  | { readonly type: 'register'; readonly name: string; readonly policy?: 'unique' | 'replace' | 'multi' }
  | { readonly type: 'send'; readonly to: string; readonly message: unknown }
  | { readonly type: 'echo'; readonly message: unknown }
  | { readonly type: 'remember'; readonly note: string }
  | { readonly type: 'recall' }
  | { readonly type: 'enter'; readonly room: string; readonly meta?: { readonly [key: string]: unknown } }
  | { readonly type: 'leave'; readonly room: string }
  | { readonly type: 'watch'; readonly room: string }
  | { readonly type: 'say'; readonly room: string; readonly message: unknown; readonly alsoMe?: boolean }
  | { readonly type: 'crash' }

export class LabSession extends SocketSession<ClientMessage, unknown, Principal> {
  note = ''

  override async handleMessage(message: ClientMessage): Promise<void> {
    switch (message.type) {
      case 'register':
        await this.registerAs(message.name, message.policy === undefined ? {} : { policy: message.policy })
        this.push({ type: 'registered', name: message.name })
        return
      case 'send':
        this.sendTo(message.to, message.message)
        return
      case 'echo':
        this.push(message.message)
        return
      case 'remember':
        this.note = message.note
        return
      case 'recall':
        this.push({ type: 'note', note: this.note, node: this.node })
        return
      case 'enter':
        await this.rooms.join(message.room, message.meta)
        this.push({ type: 'entered', room: message.room })
        return
      case 'leave':
        await this.rooms.leave(message.room)
        return
      case 'watch':
        this.rooms.watch(message.room)
        return
      case 'say':
        this.rooms.broadcast(message.room, message.message, message.alsoMe === true ? {} : { except: this.pid })
        return
      case 'crash':
        throw new Error('crashed on demand')
    }
  }

  override handlePresence(message: PresenceMessage) {
    return this.push(message)
  }
}

export type LabOptions = Partial<GatewayOptions<ClientMessage, unknown, Principal>> & {
  /** Of the nodes. @default none */
  readonly logger?: Logger
  /** Of the nodes. @default as of any node */
  readonly mailbox?: Partial<MailboxOptions>
}

export interface LabNode {
  readonly node: Node
  readonly names: GlobalEts
  readonly groups: ProcessGroups
  readonly gateway: Gateway<ClientMessage, unknown, Principal>
}

export class Lab {
  readonly nodes: LabNode[] = []
  private readonly clients: LabClient[] = []
  private readonly policy: 'newest' | 'smaller_node'

  constructor(policy: 'newest' | 'smaller_node' = 'newest') {
    this.policy = policy
  }

  /** Starts nodes that are connected with all others, each with a gateway. */
  static async start(
    count: number,
    options: LabOptions = {},
    policy: 'newest' | 'smaller_node' = 'newest',
  ): Promise<Lab> {
    const lab = new Lab(policy)
    for (let index = 0; index < count; index++) await lab.addNode(`n${index}`, options)
    return lab
  }

  async addNode(name: string, { logger, mailbox, ...options }: LabOptions = {}): Promise<LabNode> {
    const [first] = this.nodes
    const node = await startNode({
      name: `${name}@127.0.0.1`,
      cookie: 'lab-cookie',
      ...(logger === undefined ? { logLevel: 'silent' } : { logger }),
      ...(mailbox === undefined ? {} : { mailbox }),
      seeds: first === undefined ? [] : [first.node.address],
    })
    if (first !== undefined) await this.connected(node)
    const names = await GlobalEts.start(node, { policy: this.policy })
    const groups = await ProcessGroups.start(node)
    await names.filled()
    await groups.filled()
    const gateway = await Gateway.start(node, {
      port: 0,
      names,
      groups,
      session: LabSession,
      // The token is the user's name.
      authenticate: ({ token, url }) => {
        const user = token ?? url.searchParams.get('user')
        return user === null || user === 'nobody' ? undefined : { user }
      },
      ...options,
    })
    const added = { node, names, groups, gateway }
    this.nodes.push(added)
    return added
  }

  at(index: number): LabNode {
    const node = this.nodes[index]
    if (node === undefined) throw new Error(`the lab has no node ${index}`)
    return node
  }

  /** A client that has opened its socket, and said nothing yet. */
  async open(index: number, { protocol = 'pidmesh.json.1', query = '' } = {}): Promise<LabClient> {
    const client = new LabClient(`ws://127.0.0.1:${this.at(index).gateway.port}/ws${query}`, protocol)
    this.clients.push(client)
    await client.opened
    return client
  }

  /** A client with a new session. */
  async connect(index: number, user: string): Promise<LabClient> {
    const client = await this.open(index)
    client.control({ type: 'hello', token: user })
    await client.next('welcome')
    client.control({ type: 'ack', seq: 0 })
    return client
  }

  /** A client that goes on where another was. */
  async resume(
    index: number,
    user: string,
    from: { readonly token: string; readonly seq: number },
  ): Promise<LabClient> {
    const client = await this.open(index)
    client.control({ type: 'hello', token: user, resume: from })
    return client
  }

  async stop(): Promise<void> {
    for (const client of this.clients) client.socket.terminate()
    for (const { node, gateway } of this.nodes) {
      await gateway.stop()
      await node.stop()
    }
  }

  private async connected(node: Node): Promise<void> {
    for (const other of this.nodes) await node.connectNode(other.node.name)
  }
}

export interface Control {
  readonly type: string
  readonly [key: string]: unknown
}

export class LabClient {
  readonly socket: WebSocket
  readonly opened: Promise<void>
  readonly closed: Promise<{ readonly code: number; readonly reason: string }>
  /** All that have come, in order. */
  readonly messages: unknown[] = []
  readonly controls: Control[] = []
  /** The number of the last message. */
  seq = 0
  /** Of `welcome` and `resumed`. */
  resumeToken = ''
  private wake: () => void = () => undefined

  constructor(url: string, protocol: string, headers: { readonly [name: string]: string } = {}) {
    this.socket = protocol === '' ? new WebSocket(url, { headers }) : new WebSocket(url, [protocol], { headers })
    this.opened = new Promise((resolve, reject) => {
      this.socket.on('open', resolve)
      this.socket.on('error', reject)
    })
    this.closed = new Promise((resolve) => {
      this.socket.on('close', (code, reason) => {
        resolve({ code, reason: reason.toString() })
        this.wake()
      })
    })
    this.socket.on('message', (data: Buffer) => this.onFrame(JSON.parse(data.toString()) as unknown))
  }

  get at(): { readonly token: string; readonly seq: number } {
    return { token: this.resumeToken, seq: this.seq }
  }

  control(control: object): void {
    this.socket.send(JSON.stringify(control))
  }

  send(...messages: ClientMessage[]): void {
    this.socket.send(JSON.stringify(messages))
  }

  /** The next control of a type that has not been asked for yet. */
  async next(type: string): Promise<Control> {
    await this.until(() => this.controls.some((control) => control.type === type))
    const index = this.controls.findIndex((control) => control.type === type)
    const [control] = this.controls.splice(index, 1)
    return control as Control
  }

  /** All messages, as soon as there are so many. */
  async received(count: number): Promise<readonly unknown[]> {
    await this.until(() => this.messages.length >= count)
    return this.messages
  }

  /** Asks the session for something and waits until it has come: then it has handled all that was sent before. */
  async handled(): Promise<void> {
    const mark = { mark: `${Math.random()}` }
    this.send({ type: 'echo', message: mark })
    await this.until(() => this.messages.some((message) => JSON.stringify(message) === JSON.stringify(mark)))
  }

  private async until(isTrue: () => boolean): Promise<void> {
    while (!isTrue()) {
      if (this.socket.readyState === WebSocket.CLOSED) throw new Error('the socket is closed')
      await new Promise<void>((resolve) => (this.wake = resolve))
    }
  }

  private onFrame(frame: unknown): void {
    if (Array.isArray(frame)) {
      this.messages.push(...(frame as unknown[]))
      this.seq += frame.length
    } else {
      const control = frame as Control
      this.controls.push(control)
      if (control.type === 'welcome' || control.type === 'resumed') this.begin(control)
    }
    this.wake()
  }

  private begin({ seq, resume }: Control): void {
    this.seq = seq as number
    this.resumeToken = (resume as { token: string } | undefined)?.token ?? ''
  }
}
