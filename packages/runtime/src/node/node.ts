/**
 * A node: the composition root. Puts kernel, peers and transport together and offers what code outside of any process may do.
 *
 *   startNode ─▶ Kernel (processes of this node) ◀─ signals ─▶ Peers (other nodes) ◀─ frames ─▶ Transport
 *
 * Code outside of processes acts as the node's *main process*, which lives as long as the node: its sends keep their order, its monitors and
 * requests work as those of any process. It never exits before the node does.
 *
 * Several nodes may live in one process of the operating system; they share nothing.
 */
import { createHmac } from 'node:crypto'
import { PidmeshError } from '../errors.ts'
import type { NameOnNode, NodeIdentity, NodeName, Pid, Ref } from '../ids.ts'
import type { NodeDownReason, NodeType } from '../messages.ts'
import { checkNodeOptions, type CheckedNodeOptions, type NodeOptions } from '../options.ts'
import { guardedLogger } from '../observe/guarded-logger.ts'
import type { NodeCounters } from '../observe/counters.ts'
import type { ProcessInfo, ProcessInfoOptions } from '../observe/process-info.ts'
import type { TraceListener, TraceOptions } from '../observe/tracing.ts'
import type { BusyWait, Clock, Logger, PumpFactory, Random, Transport } from '../ports.ts'
import { handler, type ProcessBody, type SpawnOptions } from '../process/body.ts'
import { checkFunction, checkNameText, checkNodeName, checkPid } from '../process/checks.ts'
import type { Context } from '../process/context.ts'
import type { RequestOutcome } from '../process/requests.ts'
import { Discovered } from '../discovery/discovered.ts'
import type { Cookies } from '../distribution/cookies.ts'
import { Peers } from '../distribution/peers.ts'
import type { ConnectFailure } from '../distribution/connection.ts'
import type { Peer } from '../distribution/peer.ts'
import type { ExitReason } from '../reasons.ts'
import type { SendStatus } from '../signals/signal.ts'
import { checkDuration } from '../timers.ts'
import { FrameCodec } from '../wire/codec.ts'
import { MessageCodec, TermCodec } from '../wire/term.ts'
import { Endings } from './endings.ts'
import type { ExportedFunction } from './exports.ts'
import { Kernel } from './kernel.ts'
import type { Destination } from './router.ts'
import { seedError } from './seed-error.ts'

/** What a node takes from the world. */
export interface NodeComponents {
  readonly clock: Clock
  readonly random: Random
  readonly transport: Transport
  readonly pump: PumpFactory
  /** `undefined`: the node sleeps whenever it has nothing to do. */
  readonly busyWait?: BusyWait | undefined
  readonly log: Logger
}

const TICKS = 4
const HANDSHAKE_TIMEOUT_MS = 5_000
const BACKOFF_MS = { first: 100, most: 1_000 }
const NO_PROGRESS_MS = 10_000
const STOP_TIMEOUT_MS = 15_000
const LIMITS = {
  busyBytes: 1024 * 1024,
  resumeBytes: 512 * 1024,
  limitBytes: 16 * 1024 * 1024,
  windowBytes: 256 * 1024,
  // A payload of 8 MiB, and what is around it.
  signalBytes: 9 * 1024 * 1024,
}

export class Node {
  private readonly kernel: Kernel
  private readonly peers: Peers
  private readonly discovered: Discovered
  private readonly main: Context
  /** For libraries: what the node takes its chances from. */
  readonly random: Random
  /** Whether it is of a cluster in which all are connected with all: not with `connectAll: false`, nor as a hidden node. */
  readonly connectsAll: boolean
  private readonly cookies: Cookies
  private stopping: Promise<void> | undefined = undefined
  private isGoing = false
  private readonly endings: Endings

  /** Use `startNode`. */
  constructor(identity: NodeIdentity, options: CheckedNodeOptions, components: NodeComponents) {
    const { clock, random, transport, pump, busyWait } = components
    this.random = random
    this.cookies = options.cookies
    this.connectsAll = options.connectAll && !options.hidden
    const log = guardedLogger(components.log).child({ node: identity.name })
    this.endings = new Endings({ clock, log, order: 'together', what: 'what is to be done at the end of the node' })
    // Signals that are sent outside of a turn wait for the next one to be flushed.
    let flushing = false
    const flush = (): void => {
      flushing = false
      this.peers.flush()
    }
    this.kernel = new Kernel({
      identity,
      clock,
      log,
      pump,
      messages: new MessageCodec(identity),
      connections: {
        find: (node) => this.peers.find(node),
        reach: (node, incarnation) => this.peers.reach(node, incarnation),
        connected: (type) => this.peers.connected(type),
        isChanging: () => this.peers.isChanging,
      },
      turnBudgetMs: options.turnBudgetMs,
      longScheduleMs: options.longScheduleMs,
      mailbox: options.mailbox,
      propagation: options.propagation,
      afterTurn: flush,
    })
    this.peers = new Peers({
      self: identity,
      isHidden: options.hidden,
      connectsAll: this.connectsAll,
      cookies: options.cookies,
      clock,
      random,
      log,
      transport,
      busyWait,
      codec: new FrameCodec(new TermCodec()),
      counters: this.kernel.counters,
      liveness: { tickMs: options.tickMs, ticks: TICKS, noProgressMs: NO_PROGRESS_MS },
      limits: LIMITS,
      handshakeTimeoutMs: HANDSHAKE_TIMEOUT_MS,
      backoffMs: BACKOFF_MS,
      wantFlush: () => {
        if (flushing) return
        flushing = true
        this.kernel.scheduler.wake()
      },
      onSignal: (remote, signal) => this.kernel.inbound.receive(remote, signal),
      onUp: (peer) => this.kernel.nodeMonitors.nodeUp(peer.identity.name, nodeTypeOf(peer)),
      onDown: (peer, reason) => this.connectionLost(peer, reason),
      onUnreached: (lives, end) => {
        for (const node of lives) this.kernel.links.connectionLost(node, end)
        for (const node of lives) this.kernel.monitors.connectionLost(node, end)
        const [any] = lives
        if (any !== undefined && end === 'noconnection') this.kernel.nodeMonitors.unreached(any.identity.name)
      },
    })
    this.discovered = new Discovered({
      discoveries: options.discoveries,
      clock,
      random,
      log,
      tell: (addresses) => this.peers.list(addresses),
    })
    this.main = this.startMain()
  }

  get name(): NodeName {
    return this.kernel.identity.name
  }

  /** This life of the node: another number in each. */
  get incarnation(): number {
    return this.kernel.identity.incarnation
  }

  /** `host:port` at which other nodes reach this one. */
  get address(): string {
    return this.peers.address
  }

  /** The context of the node's main process. */
  get self(): Context {
    return this.main
  }

  /** It has been stopped: the trees are down, and nothing begins any more. */
  get isStopping(): boolean {
    return this.isGoing
  }

  get log(): Logger {
    return this.kernel.log
  }

  /**
   * For libraries: keys of 32 bytes that all nodes of the cluster have for a purpose, and nobody else: HMAC-SHA256 of the purpose, by each cookie that this node knows. Sign
   * with the first, and take any of them for good: so it goes on while the cookie is changed.
   * @throws PidmeshError `ERR_BAD_ARGUMENT` if the purpose is no text
   */
  deriveKeys(purpose: string): readonly Uint8Array[] {
    checkNameText(purpose)
    return this.cookies.all().map((cookie) => createHmac('sha256', cookie).update(`pidmesh key: ${purpose}`).digest())
  }

  get clock(): Clock {
    return this.kernel.clock
  }

  /** See `Context.nodes`. */
  nodes(type: NodeType | 'all' = 'visible'): NodeName[] {
    return this.main.nodes(type)
  }

  /**
   * Ends the connection to a node: both sides see `nodedown` with the reason `disconnect`, and neither dials the other by itself until `connectNode`, or one of them
   * is started again. Says whether there was a connection.
   * @throws PidmeshError `ERR_BAD_ARGUMENT`
   */
  disconnectNode(node: NodeName): boolean {
    return this.peers.disconnect(checkNodeName(node))
  }

  /**
   * Connects to a node that this one has been connected to, or to which a seed or a discovery has led: it takes a name, and knows no address but those. Resolves with
   * whether it is connected then: `false` if nothing is known of it, or it can't be reached.
   * @throws PidmeshError `ERR_BAD_ARGUMENT`
   */
  connectNode(node: NodeName): Promise<boolean> {
    return this.peers.connect(checkNodeName(node))
  }

  /** See `Context.send`. */
  send(to: Destination, message: unknown): SendStatus {
    return this.main.send(to, message)
  }

  /** See `Context.sendAll`. */
  sendAll(to: readonly Pid[], message: unknown): SendStatus {
    return this.main.sendAll(to, message)
  }

  /** Starts a process. Its code runs in a later turn, never within this call. */
  spawn(body: ProcessBody, options?: SpawnOptions): Pid {
    return this.main.spawn(body, options)
  }

  /** Sends an exit signal; see `Context.exit`. */
  exit(pid: Pid, reason: ExitReason): void {
    this.main.exit(pid, reason)
  }

  /** See `Context.request`. */
  request(
    target: Pid | NameOnNode | string,
    build: (replyTo: Ref) => unknown,
    timeoutMs: number,
  ): Promise<RequestOutcome> {
    return this.main.request(target, build, timeoutMs)
  }

  /** See `Context.register`. */
  register(name: string, pid: Pid): void {
    // Not given at all it would be the main process.
    this.main.register(name, checkPid(pid))
  }

  unregister(name: string): void {
    this.main.unregister(name)
  }

  whereis(name: string): Pid | undefined {
    return this.main.whereis(name)
  }

  /** See `Context.registered`. */
  registered(): string[] {
    return this.main.registered()
  }

  /** See `Context.isProcessAlive`. */
  isProcessAlive(pid: Pid): boolean {
    return this.main.isProcessAlive(pid)
  }

  /** See `Context.processes`. */
  processes(): Pid[] {
    return this.main.processes()
  }

  /** See `Context.processInfo`. */
  processInfo(pid: Pid, options?: ProcessInfoOptions): ProcessInfo | undefined {
    return this.main.processInfo(pid, options)
  }

  /**
   * Tells `listener` what a process does, or all, those to come included. It is called synchronously, as things happen: keep it short. One that throws is
   * ended and logged. Costs nothing when off.
   * @example const stop = node.trace(pid, { send: true, receive: true, exit: true }, (event) => console.log(event))
   * @returns what ends the trace.
   * @throws PidmeshError `ERR_BAD_ARGUMENT` for a process that has ended or is of another node, `ERR_BAD_OPTION`
   */
  trace(who: Pid | 'all', options: TraceOptions, listener: TraceListener): () => void {
    return this.kernel.trace(who, options, listener)
  }

  /**
   * Lets other nodes run functions here, by name: see `spawnOn` and `erpc`. Each run has a process, and gets its `self` before the arguments. Whoever is in
   * the cluster can call them: their arguments are not checked.
   * @throws PidmeshError `ERR_BAD_ARGUMENT`; `ERR_NAME_TAKEN` if one of the names is exported already: then none of them is
   */
  exportFunctions(functions: Readonly<Record<string, ExportedFunction>>): void {
    this.kernel.exports.add(functions)
  }

  /** What the node has counted, as plain numbers for a metrics library: see docs/observation.md. */
  counters(): NodeCounters {
    const { bufferedBytes, waitingSignals } = this.peers
    return this.kernel.snapshot({ nodes: this.peers.connected('all').length, bufferedBytes, waitingSignals })
  }

  /**
   * Ends the node, as `init:stop/0`. First trees of processes are stopped (`attachRoot`; a supervisor that was started without a link is one), the one that was started last
   * first, while all works as ever. Then its processes end with `shutdown`, the other nodes see it go with the reason `shutdown`, and nothing of it keeps the
   * process of the operating system alive. What libraries have to do then (`onStop`) is waited for. May be called again; all calls end together.
   * @param timeoutMs milliseconds, or `Infinity`: for the trees, and again for the libraries; what is not done then is logged, and ends with the rest. Of the first call.
   * @default 15000
   * @throws PidmeshError `ERR_BAD_ARGUMENT`
   */
  stop(timeoutMs: number = STOP_TIMEOUT_MS): Promise<void> {
    checkDuration('timeoutMs', timeoutMs)
    this.stopping ??= this.stopOnce(timeoutMs)
    return this.stopping
  }

  /**
   * For libraries that keep something outside of the node, in a database for one: `stop` calls it when the trees are down, while all other processes live; they
   * end when it has come to its first `await`, and `stop` waits until its promise has settled.
   * @returns what takes that back
   * @throws PidmeshError `ERR_BAD_ARGUMENT`; `ERR_NODE_STOPPED`
   */
  onStop(end: () => Promise<unknown>): () => void {
    checkFunction('onStop', end)
    if (this.isGoing) throw new PidmeshError('ERR_NODE_STOPPED', `node ${this.name} has been stopped`)
    return this.endings.add(end)
  }

  /** @throws PidmeshError — see `startNode` */
  static async start(options: CheckedNodeOptions, components: NodeComponents): Promise<Node> {
    const node = new Node({ name: options.name, incarnation: incarnationOf(components) }, options, components)
    try {
      await node.peers.listen(options.listenAddress, options.advertise)
      node.discovered.start()
      for (const { address, failure } of await node.peers.dialSeeds(options.seeds)) node.judgeSeed(address, failure)
    } catch (error) {
      await node.stop()
      throw error
    }
    return node
  }

  /** A seed that isn't there yet is dialed on; a refusal that only a human can mend is a failed start. */
  private judgeSeed(address: string, failure: ConnectFailure): void {
    if (failure.type === 'refused') {
      const error = seedError(this.name, address, failure)
      if (error !== undefined) throw error
      return
    }
    const detail = 'detail' in failure ? failure.detail : undefined
    this.log.info({ address, failure: failure.type, detail }, 'seed not reached yet')
  }

  private startMain(): Context {
    const body = handler(
      () => (message) => this.log.debug({ type: typeof message }, 'message to the main process dropped'),
    )
    return this.kernel.spawnMain(body)
  }

  private connectionLost(peer: Peer, reason: NodeDownReason): void {
    this.kernel.tables.nodeDown(peer.identity)
    this.kernel.links.connectionLost(peer)
    this.kernel.monitors.connectionLost(peer)
    this.kernel.nodeMonitors.nodeDown(peer.identity.name, nodeTypeOf(peer), reason)
  }

  private async stopOnce(timeoutMs: number): Promise<void> {
    const { roots } = this.kernel
    if (roots.size > 0) await roots.run(timeoutMs)
    // Before all else: those who are told of the ends of their processes ask.
    this.isGoing = true
    const ended = this.endings.run(timeoutMs)
    this.discovered.stop()
    this.kernel.stop()
    await this.peers.stop()
    await ended
  }
}

/**
 * Another one in each life of a node, whatever its clock shows: the time since 1970 in steps of 64 ms, and 17 random bits. An OS process that is started again takes longer
 * than a step, so that the later life has the larger number; a machine without a clock, which begins each of its lives at the same moment, has the random bits.
 */
function incarnationOf({ clock, random }: NodeComponents): number {
  return Math.max(0, Math.floor(clock.wallMs() / 64)) * 2 ** 17 + Math.floor(random.fraction() * 2 ** 17) + 1
}

function nodeTypeOf({ isHidden }: Peer): NodeType {
  return isHidden ? 'hidden' : 'visible'
}

/**
 * Checks the options and starts a node with the given components: what `startNode` does with those of production, and a test with its own.
 */
export async function startNodeWith(
  options: NodeOptions,
  components: (checked: CheckedNodeOptions) => NodeComponents,
): Promise<Node> {
  const checked = checkNodeOptions(options)
  return Node.start(checked, components(checked))
}
