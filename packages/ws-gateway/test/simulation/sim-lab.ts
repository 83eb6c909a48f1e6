/**
 * Gateways on the nodes of a simulated cluster: time is virtual, the network is memory, and nodes crash. What is tested is the gateway as it is: its sockets are streams that
 * end at a client here, which speaks the protocol by hand.
 */
import { createServer, IncomingMessage, type Server } from 'node:http'
import { Socket } from 'node:net'
import { Duplex } from 'node:stream'
import { GlobalEts, ProcessGroups } from '@pidmesh/global-ets'
import type { Clock, NameMeta, Node, Via } from '@pidmesh/runtime'
import { TestCluster } from '@pidmesh/runtime/testing'
import { Gateway, SocketSession, type GatewayOptions, type PushOptions, type PushStatus } from '@pidmesh/ws-gateway'

export interface SimPrincipal {
  readonly user: string
}

export type SimMessage =
  | { readonly type: 'register'; readonly name: string; readonly policy: 'unique' | 'replace' | 'multi' }
  | { readonly type: 'enter'; readonly room: string; readonly meta: NameMeta }
  | { readonly type: 'leave' | 'watch' | 'present'; readonly room: string }
  /** The session is at this for so long. */
  | { readonly type: 'busy'; readonly ms: number }
  /** Something in the background pushes this later, whatever the session is at then. */
  | { readonly type: 'pushLater'; readonly afterMs: number; readonly message: unknown; readonly options?: PushOptions }
  /** To hand over takes so long. */
  | { readonly type: 'slowHandOver'; readonly ms: number }

export interface SimOptions extends Partial<GatewayOptions<SimMessage, unknown, SimPrincipal>> {
  /** How each node keeps names. @default a replicated table in which the newest wins */
  readonly way?: (node: Node, lab: SimLab) => Promise<Via>
}

export interface SimNode {
  readonly name: string
  readonly node: Node
  readonly names: Via
  readonly groups: ProcessGroups
  readonly gateway: Gateway<SimMessage, unknown, SimPrincipal>
  readonly server: Server
  readonly incarnation: number
  killedMs: number | undefined
  isDraining: boolean
}

export class SimLab {
  readonly cluster: TestCluster
  /** What background pushes were answered. */
  readonly statuses: PushStatus[] = []
  /** All that ever ran. */
  readonly lives: SimNode[] = []
  private readonly options: SimOptions
  /** Of all gateways. */
  private readonly session = sessionOf(this)

  constructor(seed: number, options: SimOptions = {}) {
    this.cluster = new TestCluster({ seed, latencyMs: [1, 30] })
    this.options = options
  }

  static async start(count: number, seed: number, options: SimOptions = {}): Promise<SimLab> {
    const lab = new SimLab(seed, options)
    for (let index = 0; index < count; index++) await lab.startNode(`n${index}`)
    return lab
  }

  get clock(): Clock {
    return this.cluster.clock
  }

  /** Those that run now. */
  get running(): readonly SimNode[] {
    return this.lives.filter(({ killedMs, gateway }) => killedMs === undefined && !this.stopped.has(gateway))
  }

  at(index: number): SimNode {
    const found = this.lives[index]
    if (found === undefined) throw new Error(`no node ${index}`)
    return found
  }

  async startNode(name: string): Promise<SimNode> {
    const { cluster } = this
    const node = await cluster.start(name)
    const { way = table, ...options } = this.options
    const names = await cluster.run(way(node, this))
    const groups = await cluster.run(ProcessGroups.start(node))
    await cluster.run(groups.filled())
    return this.startGateway({ node, names, groups }, options)
  }

  /** A further gateway on a node: with its clients it is as a life of its own. */
  async startGateway(
    { node, names, groups }: Pick<SimNode, 'node' | 'names' | 'groups'>,
    options: Partial<GatewayOptions<SimMessage, unknown, SimPrincipal>> = {},
  ): Promise<SimNode> {
    const server = createServer()
    const gateway = await this.cluster.run(
      Gateway.start(node, {
        server,
        names,
        groups,
        session: this.session,
        authenticate: ({ token }) => (token === undefined ? undefined : { user: token }),
        principalId: ({ user }) => user,
        heapShare: () => 0,
        ...options,
      }),
    )
    const { incarnation } = node.self.pid
    const life = {
      ...{ name: node.name, node, names, groups, gateway, server, incarnation },
      killedMs: undefined,
      isDraining: false,
    }
    this.lives.push(life)
    return life
  }

  /** As `kill -9`. */
  crash(life: SimNode): void {
    life.killedMs = this.clock.monotonicMs()
    this.cluster.crash(life.name.split('@')[0] ?? '')
  }

  /** As SIGTERM: drains, and then stops. */
  async drain(life: SimNode, overMs: number): Promise<void> {
    life.isDraining = true
    await life.gateway.drain({ overMs, handOverMs: 20_000 })
    this.stopped.add(life.gateway)
    await life.node.stop()
  }

  open(life: SimNode): SimSocket {
    return new SimSocket(life)
  }

  private readonly stopped = new Set<unknown>()
}

async function table(node: Node): Promise<Via> {
  const names = await GlobalEts.start(node, { policy: 'newest' })
  await names.filled()
  return names
}

function sessionOf(lab: SimLab): new () => SocketSession<SimMessage, unknown, SimPrincipal> {
  return class extends SocketSession<SimMessage, unknown, SimPrincipal> {
    handOverMs = 0

    override handleMessage(message: SimMessage) {
      switch (message.type) {
        case 'register':
          return this.registerAs(message.name, { policy: message.policy })
        case 'enter':
          return this.rooms.join(message.room, message.meta)
        case 'leave':
          return this.rooms.leave(message.room)
        case 'watch':
          return this.rooms.watch(message.room)
        case 'present':
          return this.push(this.rooms.present(message.room))
        case 'busy':
          return new Promise<void>((resolve) => this.later(message.ms, resolve))
        case 'pushLater':
          this.later(message.afterMs, () => lab.statuses.push(this.push(message.message, message.options)))
          return undefined
        case 'slowHandOver':
          this.handOverMs = message.ms
          return undefined
      }
    }

    override async handOver() {
      const { handOverMs } = this
      if (handOverMs > 0) await new Promise<void>((resolve) => this.later(handOverMs, resolve))
      return {}
    }

    private later(afterMs: number, fire: () => void): void {
      const owner = lab.lives.find(
        ({ node }) => node.name === this.node && node.self.pid.incarnation === this.pid.incarnation,
      )
      owner?.node.clock.setTimer(afterMs, fire)
    }
  }
}

export interface SimControl {
  readonly type: string
  readonly why?: string
  readonly seq?: number
  readonly resume?: { readonly token: string }
}

/** One socket, from the client's side. What is sent here arrives at once. */
export class SimSocket {
  onControl: (control: SimControl) => void = () => undefined
  onMessage: (message: unknown) => void = () => undefined
  onClosed: (code: number) => void = () => undefined
  readonly controls: SimControl[] = []
  readonly messages: unknown[] = []
  /** How many it was sent, and has answered. */
  pings = 0
  /** The code with which it was closed. */
  closed: number | undefined = undefined
  readonly life: SimNode
  private readonly stream: ServerStream
  private unread: Buffer = Buffer.alloc(0)
  private isUpgraded = false
  private isCut = false

  constructor(life: SimNode) {
    this.life = life
    this.stream = new ServerStream(
      (chunk) => this.onBytes(chunk),
      () => this.end(1006),
    )
    const request = new IncomingMessage(new Socket())
    request.method = 'GET'
    request.url = '/ws'
    Object.assign(request.headers, {
      host: 'sim',
      upgrade: 'websocket',
      connection: 'Upgrade',
      'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
      'sec-websocket-version': '13',
      'sec-websocket-protocol': 'pidmesh.json.1',
    })
    life.server.emit('upgrade', request, this.stream, Buffer.alloc(0))
  }

  /** Sends a control, or messages. */
  send(frame: object): void {
    this.write(0x81, Buffer.from(JSON.stringify(frame)))
  }

  /** The client closes with 1000. */
  sayGoodBye(): void {
    this.write(0x88, Buffer.from([0x03, 0xe8]))
  }

  /** The client hears nothing more, and the gateway that its socket is gone. */
  cut(): void {
    this.isCut = true
    // A node that is no more doesn't learn it.
    if (this.life.killedMs === undefined) this.stream.destroy()
    this.end(1006)
  }

  /** The client hears nothing more, and the gateway doesn't know: what it sends now is lost. */
  goDeaf(): void {
    this.isCut = true
  }

  /** The client reads nothing more: what it is sent waits at the gateway. */
  stopReading(): void {
    this.stream.isRead = false
  }

  private write(head: number, payload: Buffer): void {
    if (this.stream.destroyed || this.life.killedMs !== undefined) return
    const { length } = payload
    const start =
      length < 126 ? Buffer.from([head, 0x80 | length]) : Buffer.from([head, 0x80 | 126, length >> 8, length & 255])
    // Masked with zeros.
    this.stream.push(Buffer.concat([start, Buffer.alloc(4), payload]))
  }

  private onBytes(chunk: Buffer): void {
    if (this.isCut) return
    this.unread = Buffer.concat([this.unread, chunk])
    if (!this.isUpgraded) {
      const end = this.unread.indexOf('\r\n\r\n')
      if (end < 0) return
      this.isUpgraded = this.unread.toString('latin1', 0, 12) === 'HTTP/1.1 101'
      this.unread = this.unread.subarray(end + 4)
      if (!this.isUpgraded) return this.end(503)
    }
    for (let frame = this.takeFrame(); frame !== undefined; frame = this.takeFrame()) this.onFrame(frame)
  }

  private takeFrame(): { readonly head: number; readonly payload: Buffer } | undefined {
    const { unread } = this
    const [head, short] = unread
    if (head === undefined || short === undefined || (short === 126 && unread.length < 4)) return undefined
    const [start, length] = short === 126 ? [4, unread.readUInt16BE(2)] : [2, short]
    if (unread.length < start + length) return undefined
    this.unread = unread.subarray(start + length)
    return { head, payload: unread.subarray(start, start + length) }
  }

  private onFrame({ head, payload }: { readonly head: number; readonly payload: Buffer }): void {
    if (head === 0x89) {
      this.pings++
      return this.write(0x8a, payload)
    }
    if (head === 0x88) {
      this.write(0x88, payload)
      return this.end(payload.length < 2 ? 1005 : payload.readUInt16BE(0))
    }
    const frame = JSON.parse(payload.toString()) as SimControl | unknown[]
    if (Array.isArray(frame)) {
      for (const message of frame) {
        this.messages.push(message)
        this.onMessage(message)
      }
    } else {
      this.controls.push(frame)
      this.onControl(frame)
    }
  }

  private end(code: number): void {
    if (this.closed !== undefined) return
    this.closed = code
    this.onClosed(code)
  }
}

/** What the gateway takes for a socket. */
class ServerStream extends Duplex {
  isRead = true
  private readonly onBytes: (chunk: Buffer) => void
  private readonly onEnd: () => void

  constructor(onBytes: (chunk: Buffer) => void, onEnd: () => void) {
    super()
    this.onBytes = onBytes
    this.onEnd = onEnd
  }

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    if (!this.isRead) return
    this.onBytes(chunk)
    done()
  }

  override _final(done: () => void): void {
    done()
    this.push(null)
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    done(error)
    this.onEnd()
  }
}
