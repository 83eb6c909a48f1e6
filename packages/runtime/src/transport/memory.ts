/**
 * Links within one OS process, on a clock of the test's choice, with the faults of a network and of its hosts:
 *
 * - a *cut*, in one or both directions, holds frames back, as TCP does while it retransmits; healing lets them go, in order. Nobody is told of a cut: that is what
 *   ticks are for.
 * - a *break* ends links: of the frames that are on their way a prefix still arrives, and each side is told at once, later or never. So a reset, a half-open link
 *   and a connection that is lost in the middle of a batch are one thing.
 * - latency and rate may change while a link is up; a reader that is slow lets `bufferedBytes` grow at the other side.
 * - a *stalled* host reads nothing, and nothing is told to it; what is for it waits.
 * - a *crash* ends a host's links at once, as the kernel does for a killed process; a power failure ends them without a word.
 *
 * Frames are whole, once, and in order, whatever happens: no real transport does otherwise (docs/adr/0008).
 *
 * A host is known from its first `transport` on, and stays so when it is gone. Whatever names another one is `ERR_BAD_ARGUMENT`.
 */
import { portOf, withPort } from '../address.ts'
import { PidmeshError } from '../errors.ts'
import type { Clock, Link, LinkEnd, LinkEvents, Transport } from '../ports.ts'
import { checkFunction } from '../process/checks.ts'
import { checkDelay } from '../timers.ts'
import {
  checkBreakOptions,
  checkCrashOptions,
  checkHost,
  checkHostName,
  checkRate,
  checkSocketBytes,
} from './memory-checks.ts'
import { MemoryLink, Pipe, type PipeConditions } from './memory-link.ts'

interface MemoryHost {
  readonly name: string
  readonly links: Set<MemoryLink>
  accept: ((link: Link) => LinkEvents) | undefined
  address: string | undefined
}

/** Both ends of one link. */
interface LinkPair {
  readonly near: MemoryLink
  readonly there: Pipe
  readonly back: Pipe
  /** `undefined` until the other host has taken the dial. */
  far: MemoryLink | undefined
}

export interface BreakOptions {
  /**
   * How many of the frames that are on their way in one direction still arrive: the first of them. Called once for each direction of each link. A cut
   * lets none arrive. @default none
   */
  readonly arriving?: ((inFlight: number) => number) | undefined
  /** After how many milliseconds a host is told that the link is over, by the host's name; `Infinity` for never. @default 0 */
  readonly tellMs?: Readonly<Record<string, number>> | undefined
}

export interface CrashOptions {
  /** Whether the hosts at the other ends are told, as they are when a process dies; `false`: as in a power failure. @default true */
  readonly isTold?: boolean | undefined
}

/** What the network does, for those who look on. `link` is a number of its own for each link. */
export type NetworkEvent =
  | { readonly type: 'dial'; readonly link: number; readonly from: string; readonly address: string }
  | {
      readonly type: 'sent' | 'arrives'
      readonly link: number
      readonly from: string
      readonly to: string
      readonly frame: Uint8Array
    }
  /** To one side the link is over. */
  | { readonly type: 'over'; readonly link: number; readonly at: string; readonly end: LinkEnd }

export class MemoryNetwork {
  private readonly clock: Clock
  private readonly drawLatencyMs: () => number
  private readonly conditions: PipeConditions
  private readonly hosts = new Set<MemoryHost>()
  private readonly known = new Set<string>()
  private readonly cuts = new Set<string>()
  private readonly latencies = new Map<string, number>()
  private readonly rates = new Map<string, number>()
  private readonly stalled = new Map<string, (() => void)[]>()
  private readonly pipes = new Set<Pipe>()
  private readonly pairs = new Set<LinkPair>()
  private listener: ((event: NetworkEvent) => void) | undefined = undefined
  private lastPort = 0
  private lastLink = 0
  private readonly socketBytes: number
  private largestBuffer = 0

  /**
   * `drawLatencyMs` is asked once for each direction of each link. `socketBytes`: what a host's kernel holds of what one link has sent and the other side has
   * not read; only what is more counts as buffered.
   */
  constructor(clock: Clock, drawLatencyMs: () => number = () => 1, socketBytes: number = 0) {
    this.clock = clock
    this.socketBytes = checkSocketBytes('socketBytes', socketBytes)
    this.drawLatencyMs = checkFunction('drawLatencyMs', drawLatencyMs)
    this.conditions = {
      clock,
      latencyMs: (pipe) => this.latencies.get(way(pipe.from, pipe.to)) ?? pipe.drawnLatencyMs,
      bytesPerSecond: (pipe) => this.rates.get(way(pipe.from, pipe.to)) ?? Infinity,
      isCut: (from, to) => this.cuts.has(way(from, to)),
      isStalled: (host) => this.stalled.has(host),
    }
  }

  /** Every name that a host ever had. */
  get hostNames(): ReadonlySet<string> {
    return this.known
  }

  /** Links that were ever dialed. */
  get dials(): number {
    return this.lastLink
  }

  /** The most that one side of a link has ever had buffered. */
  get mostBufferedBytes(): number {
    return this.largestBuffer
  }

  /** Tells one listener of all that happens, as it happens. */
  observe(listener: (event: NetworkEvent) => void): void {
    this.listener = checkFunction('observe(listener)', listener)
  }

  /** One host's access to the network. `hostName` is what cuts and crashes name. */
  transport(hostName: string): Transport {
    this.known.add(checkHostName('transport(hostName)', hostName))
    const host: MemoryHost = { name: hostName, links: new Set(), accept: undefined, address: undefined }
    this.hosts.add(host)
    return {
      listen: (address, accept) => this.listen(host, address, accept),
      dial: (address, events) => this.dial(host, address, events),
      stop: async () => {
        for (const link of [...host.links]) link.close()
        this.hosts.delete(host)
      },
    }
  }

  /** Nothing gets from one host to the other any more, and nobody is told. */
  cut(from: string, to: string): void {
    this.checkWay('cut', from, to)
    this.cuts.add(way(from, to))
  }

  heal(from: string, to: string): void {
    this.checkWay('heal', from, to)
    if (this.cuts.delete(way(from, to))) this.onChange(from, to, true)
  }

  /** Milliseconds from one host to the other, on all links, those that are up included; `undefined`: as it was drawn for each. */
  setLatency(from: string, to: string, latencyMs: number | undefined): void {
    this.checkWay('setLatency', from, to)
    if (latencyMs !== undefined) checkDelay('setLatency(latencyMs)', latencyMs)
    if (latencyMs === undefined) this.latencies.delete(way(from, to))
    else this.latencies.set(way(from, to), latencyMs)
    this.onChange(from, to, false)
  }

  /** `to` reads so many bytes a second of what `from` sends it, on each link; `undefined`: as many as there are. */
  setRate(from: string, to: string, bytesPerSecond: number | undefined): void {
    this.checkWay('setRate', from, to)
    checkRate('setRate(bytesPerSecond)', bytesPerSecond)
    if (bytesPerSecond === undefined) this.rates.delete(way(from, to))
    else this.rates.set(way(from, to), bytesPerSecond)
    this.onChange(from, to, false)
  }

  /** Ends all links between two hosts. By default both are told at once, and nothing that is on its way arrives: a reset. */
  break(a: string, b: string, options: BreakOptions = {}): void {
    this.checkPair('break', a, b)
    const { arriving, tellMs } = checkBreakOptions(options, a, b)
    const end: LinkEnd = { type: 'failed', detail: 'the link has broken' }
    // All of its answers before anything breaks.
    const breaks = this.between(a, b).map((pair) => {
      const { there, back } = pair
      return { pair, there, back, arrivingThere: arriving(there.inFlight), arrivingBack: arriving(back.inFlight) }
    })
    for (const { pair, there, back, arrivingThere, arrivingBack } of breaks) {
      there.break(arrivingThere, tellMs[there.to] ?? 0, () => pair.far?.finish(end))
      back.break(arrivingBack, tellMs[back.to] ?? 0, () => pair.near.finish(end))
    }
  }

  /** The host reads nothing until `resume`, and nothing is told to it. */
  stall(hostName: string): void {
    checkHost('stall(hostName)', hostName, this.known)
    if (!this.stalled.has(hostName)) this.stalled.set(hostName, [])
  }

  resume(hostName: string): void {
    checkHost('resume(hostName)', hostName, this.known)
    const waiting = this.stalled.get(hostName)
    if (waiting === undefined) return
    this.stalled.delete(hostName)
    for (const run of waiting) this.clock.setTimer(0, run)
    for (const pipe of [...this.pipes]) if (pipe.to === hostName) pipe.onChange(false)
  }

  /** The host is gone: its links end, at their other sides too unless nobody tells them, and it hears and says nothing any more. */
  crash(hostName: string, options: CrashOptions = {}): void {
    checkHost('crash(hostName)', hostName, this.known)
    const { isTold } = checkCrashOptions(options)
    this.stalled.delete(hostName)
    if (!isTold) {
      for (const { there, back } of this.pairs) {
        if (there.from !== hostName && there.to !== hostName) continue
        there.break(0, Infinity, () => undefined)
        back.break(0, Infinity, () => undefined)
      }
    }
    for (const host of [...this.hosts]) {
      if (host.name !== hostName) continue
      this.hosts.delete(host)
      for (const link of [...host.links]) link.close()
    }
  }

  /** Links between two hosts that are not over at both sides, those that are just being made included. */
  openLinks(a: string, b: string): number {
    this.checkPair('openLinks', a, b)
    return this.between(a, b).length
  }

  /** Frames of one host that stand unread before another, which is stalled. */
  unread(from: string, to: string): number {
    this.checkWay('unread', from, to)
    let unread = 0
    for (const pipe of this.pipes) if (pipe.from === from && pipe.to === to) unread += pipe.unread
    return unread
  }

  private checkWay(method: string, from: string, to: string): void {
    checkHost(`${method}(from)`, from, this.known)
    checkHost(`${method}(to)`, to, this.known)
  }

  private checkPair(method: string, a: string, b: string): void {
    checkHost(`${method}(a)`, a, this.known)
    checkHost(`${method}(b)`, b, this.known)
  }

  private between(a: string, b: string): LinkPair[] {
    const isBetween = ({ from, to }: Pipe): boolean => (from === a && to === b) || (from === b && to === a)
    return [...this.pairs].filter(({ there }) => isBetween(there))
  }

  private onChange(from: string, to: string, wasCut: boolean): void {
    for (const pipe of [...this.pipes]) if (pipe.from === from && pipe.to === to) pipe.onChange(wasCut)
  }

  private async listen(host: MemoryHost, address: string, accept: (link: Link) => LinkEvents): Promise<string> {
    const full = withPort(address, portOf(address) || 20_000 + ++this.lastPort)
    for (const other of this.hosts) {
      if (other.address === full)
        throw new PidmeshError('ERR_PORT_IN_USE', `the address ${full} is in use by another program`)
    }
    host.address = full
    host.accept = accept
    return full
  }

  private dial(host: MemoryHost, address: string, events: LinkEvents): Link {
    const id = ++this.lastLink
    this.listener?.({ type: 'dial', link: id, from: host.name, address })
    const target = [...this.hosts].find((other) => other.address === address)
    const there = this.pipe(host.name, target?.name ?? address)
    const back = this.pipe(target?.name ?? address, host.name)
    const isOver = (): void => {
      if (near.isOver && pair.far?.isOver !== false) this.pairs.delete(pair)
    }
    const near = this.end(id, address, there, host.links, isOver)
    const pair: LinkPair = { near, there, back, far: undefined }
    this.pairs.add(pair)
    near.attach(events)
    there.put(0, () => {
      if (near.isOver) {
        back.finish()
      } else if (target?.accept === undefined || !this.hosts.has(target)) {
        back.put(0, () => near.finish({ type: 'unreachable', detail: `nobody listens at ${address}` }))
        back.finish()
      } else {
        const far = this.end(id, host.address ?? host.name, back, target.links, isOver)
        pair.far = far
        near.connect(far)
        far.connect(near)
        far.attach(target.accept(far))
      }
    })
    return near
  }

  private end(
    id: number,
    remoteAddress: string,
    pipe: Pipe,
    siblings: Set<MemoryLink>,
    isOver: () => void,
  ): MemoryLink {
    const { from, to } = pipe
    return new MemoryLink({
      remoteAddress,
      pipe,
      socketBytes: this.socketBytes,
      siblings,
      whenAwake: (run) => {
        const waiting = this.stalled.get(from)
        if (waiting === undefined) run()
        else waiting.push(run)
      },
      onSent: (frame, bufferedBytes) => {
        this.largestBuffer = Math.max(this.largestBuffer, bufferedBytes)
        this.listener?.({ type: 'sent', link: id, from, to, frame })
      },
      onArrives: (frame) => this.listener?.({ type: 'arrives', link: id, from, to, frame }),
      onOver: (end) => {
        isOver()
        this.listener?.({ type: 'over', link: id, at: from, end })
      },
    })
  }

  private pipe(from: string, to: string): Pipe {
    const pipe: Pipe = new Pipe(from, to, this.drawLatencyMs(), this.conditions, () => this.pipes.delete(pipe))
    this.pipes.add(pipe)
    return pipe
  }
}

function way(from: string, to: string): string {
  return `${from} ${to}`
}
