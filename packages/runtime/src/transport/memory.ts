/**
 * Links within one OS process, on a clock of the test's choice, with the faults of a network: cuts in one or both directions, crashed hosts.
 *
 * A cut holds frames back, as TCP does while it retransmits; healing lets them go, in order. Nobody is told of a cut: that is what ticks are for.
 * A host that crashes ends its links at once, as the kernel does for a killed process.
 */
import { PidmeshError } from '../errors.ts'
import type { Clock, Link, LinkEnd, LinkEvents, Transport } from '../ports.ts'

/** One direction of a link. */
interface Pipe {
  readonly from: string
  readonly to: string
  readonly latencyMs: number
  readonly held: Array<() => void>
}

interface MemoryHost {
  readonly name: string
  readonly links: Set<MemoryLink>
  accept: ((link: Link) => LinkEvents) | undefined
  address: string | undefined
}

export class MemoryNetwork {
  private readonly clock: Clock
  private readonly drawLatencyMs: () => number
  private readonly hosts = new Set<MemoryHost>()
  private readonly cuts = new Set<string>()
  private readonly pipes = new Set<Pipe>()
  private lastPort = 0

  /** `drawLatencyMs` is asked once for each direction of each link. */
  constructor(clock: Clock, drawLatencyMs: () => number = () => 1) {
    this.clock = clock
    this.drawLatencyMs = drawLatencyMs
  }

  /** One host's access to the network. `hostName` is what cuts and crashes name. */
  transport(hostName: string): Transport {
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
    this.cuts.add(`${from} ${to}`)
  }

  heal(from: string, to: string): void {
    this.cuts.delete(`${from} ${to}`)
    for (const pipe of this.pipes) {
      if (pipe.from !== from || pipe.to !== to) continue
      for (const deliver of pipe.held.splice(0)) this.clock.setTimer(pipe.latencyMs, deliver)
    }
  }

  /** The host is gone: all its links end at their other sides, and it hears and says nothing any more. */
  crash(hostName: string): void {
    for (const host of [...this.hosts]) {
      if (host.name !== hostName) continue
      this.hosts.delete(host)
      for (const link of [...host.links]) link.close()
    }
  }

  private async listen(host: MemoryHost, address: string, accept: (link: Link) => LinkEvents): Promise<string> {
    const port = Number(address.slice(address.lastIndexOf(':') + 1)) || 20_000 + ++this.lastPort
    const full = `${address.slice(0, address.lastIndexOf(':'))}:${port}`
    for (const other of this.hosts) {
      if (other.address === full)
        throw new PidmeshError('ERR_PORT_IN_USE', `the address ${full} is in use by another program`)
    }
    host.address = full
    host.accept = accept
    return full
  }

  private dial(host: MemoryHost, address: string, events: LinkEvents): Link {
    const near = new MemoryLink(address, host.links)
    near.attach(events)
    const target = [...this.hosts].find((other) => other.address === address)
    const there = this.pipe(host.name, target?.name ?? address)
    const back = this.pipe(target?.name ?? address, host.name)
    near.onSend = (deliver) => this.pass(there, deliver)
    near.onOver = () => this.forget(there, back)
    this.pass(there, () => {
      if (near.isOver) return
      if (target?.accept === undefined || !this.hosts.has(target)) {
        this.pass(back, () => near.finish({ type: 'unreachable', detail: `nobody listens at ${address}` }))
        return
      }
      const far = new MemoryLink(host.address ?? host.name, target.links)
      far.onSend = (deliver) => this.pass(back, deliver)
      near.connect(far)
      far.connect(near)
      far.attach(target.accept(far))
    })
    return near
  }

  private pipe(from: string, to: string): Pipe {
    const pipe: Pipe = { from, to, latencyMs: this.drawLatencyMs(), held: [] }
    this.pipes.add(pipe)
    return pipe
  }

  private forget(...pipes: Pipe[]): void {
    // Not before what is on its way has arrived.
    for (const pipe of pipes) if (pipe.held.length === 0) this.pipes.delete(pipe)
  }

  private pass(pipe: Pipe, deliver: () => void): void {
    const arrive = (): void => {
      if (this.cuts.has(`${pipe.from} ${pipe.to}`)) {
        this.pipes.add(pipe)
        pipe.held.push(arrive)
      } else {
        deliver()
      }
    }
    this.clock.setTimer(pipe.latencyMs, arrive)
  }
}

class MemoryLink implements Link {
  readonly remoteAddress: string
  bufferedBytes = 0
  onSend: (deliver: () => void) => void = () => undefined
  onOver: () => void = () => undefined
  private readonly siblings: Set<MemoryLink>
  private events: LinkEvents | undefined = undefined
  private other: MemoryLink | undefined = undefined
  private over = false

  constructor(remoteAddress: string, siblings: Set<MemoryLink>) {
    this.remoteAddress = remoteAddress
    this.siblings = siblings
    siblings.add(this)
  }

  get isOver(): boolean {
    return this.over
  }

  attach(events: LinkEvents): void {
    this.events = events
  }

  connect(other: MemoryLink): void {
    this.other = other
  }

  send(frame: Uint8Array): void {
    if (this.over) return
    this.bufferedBytes += frame.length
    this.onSend(() => {
      this.bufferedBytes -= frame.length
      if (!this.over) this.events?.onPassedOn?.()
      if (this.other !== undefined && !this.other.over) this.other.events?.onFrame(frame)
    })
  }

  close(): void {
    if (this.over) return
    this.onSend(() => this.other?.finish({ type: 'closed' }))
    this.leave()
  }

  finish(end: LinkEnd): void {
    if (this.over) return
    this.leave()
    this.events?.onEnd(end)
  }

  private leave(): void {
    this.over = true
    this.siblings.delete(this)
    this.onOver()
  }
}
