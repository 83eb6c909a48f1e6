/**
 * What one node tells another of names and to processes: over the mesh, or over a broker, where each node has a channel of its own.
 *
 *   send ─▶ the process        taken ─▶ onTaken: a name of that node may be another's
 */
import {
  handler,
  hasType,
  Pid,
  PidmeshError,
  RateLimitedLog,
  TermCodec,
  type Node,
  type NodeName,
  type SendStatus,
} from '@pidmesh/runtime'
import { DriverUse, storeErrorOf } from './driver-use.ts'
import { StoreError } from './errors.ts'
import type { MessageBroker } from './message-broker.ts'

type Told =
  | { readonly type: 'taken'; readonly name: string }
  | { readonly type: 'send'; readonly to: Pid; readonly message: unknown }

export interface NodeChannelOptions {
  readonly owner: Node
  readonly scope: string
  /** `undefined`: the mesh. */
  readonly broker: MessageBroker | undefined
  readonly onTaken: (name: string) => void
}

export class NodeChannel {
  private readonly options: NodeChannelOptions
  private readonly terms = new TermCodec()
  private readonly log: RateLimitedLog
  private registrar: Pid | undefined = undefined
  private readonly use: DriverUse | undefined

  constructor(options: NodeChannelOptions) {
    const { broker, owner } = options
    const { log, clock } = owner
    this.options = options
    this.use = broker === undefined ? undefined : new DriverUse(broker, log)
    this.log = new RateLimitedLog(log, clock)
  }

  /** @throws StoreError `ERR_ALREADY_STARTED` if the node has one of this scope already; PidmeshError `ERR_NODE_STOPPED` */
  open(): void {
    const { owner, scope } = this.options
    try {
      this.registrar = owner.spawn(
        handler(() => (told: unknown) => this.onTold(told)),
        { name: this.address, label: 'names in a store' },
      )
    } catch (error) {
      if (!(error instanceof PidmeshError) || error.code !== 'ERR_NAME_TAKEN') throw error
      throw new StoreError('ERR_ALREADY_STARTED', `the node has names in a store of the scope ${scope} already`)
    }
  }

  /** @throws StoreError by rejection */
  async start(): Promise<void> {
    const { owner, broker } = this.options
    if (broker === undefined || this.use === undefined) return
    await this.use.start(() => broker.start((bytes) => this.onBytes(bytes)))
    await broker.listen(this.channelOf(owner.name))
  }

  /** Never rejects. */
  async stop(): Promise<void> {
    const { owner } = this.options
    if (this.registrar !== undefined && !owner.isStopping) owner.exit(this.registrar, 'shutdown')
    await this.use?.stop()
  }

  /** @throws PidmeshError `ERR_NOT_SENDABLE`, `ERR_MESSAGE_TOO_LARGE`; StoreError by rejection */
  send(to: Pid, message: unknown): SendStatus | Promise<SendStatus> {
    const { owner, broker } = this.options
    if (broker === undefined || to.node === owner.name) return owner.send(to, message)
    return this.publish(broker, to.node, { type: 'send', to, message })
  }

  /** A name that a process of that node has had is another's. @throws StoreError by rejection */
  async tellTaken({ node }: Pid, name: string): Promise<void> {
    const { owner, broker } = this.options
    const told: Told = { type: 'taken', name }
    if (broker === undefined) owner.send({ name: this.address, node }, told)
    else await this.publish(broker, node, told)
  }

  private async publish(broker: MessageBroker, node: NodeName, told: Told): Promise<SendStatus> {
    const { bytes, start, end } = this.terms.encode(told)
    try {
      const listeners = await broker.publish(this.channelOf(node), Uint8Array.prototype.slice.call(bytes, start, end))
      return broker.countsListeners && !listeners ? 'noconnection' : 'ok'
    } catch (error) {
      throw error instanceof PidmeshError ? error : storeErrorOf(error, broker.kind)
    }
  }

  private get address(): string {
    return `pidmesh_locations:${this.options.scope}`
  }

  private channelOf(node: NodeName): string {
    return `${this.options.scope}:${node}`
  }

  private onBytes(bytes: Uint8Array): void {
    try {
      this.onTold(this.terms.decode({ bytes, start: 0, end: bytes.length }))
    } catch (error) {
      this.log.warn({ problem: String(error) }, 'what has come over the channel of this node can not be read')
    }
  }

  private onTold(told: unknown): void {
    const { owner, onTaken } = this.options
    if (hasType(told, 'taken') && 'name' in told && typeof told.name === 'string') onTaken(told.name)
    else if (hasType(told, 'send') && 'to' in told && 'message' in told && told.to instanceof Pid) {
      if (told.to.node === owner.name) owner.send(told.to, told.message)
    }
  }
}
