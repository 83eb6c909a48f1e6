/**
 * The rules, judged as things happen by one who sees all nodes at once: SEMANTICS "Nodes", "Links", "Monitors".
 *
 * The judge is told what processes do as they do it, what is put into mailboxes as it is put there, and how processes and nodes end. It knows nothing of the
 * implementation.
 *
 * Per node and peer it counts the connection's turns: even is down, odd is up. What belongs to a connection is told by that number.
 */
import { hasType, type ExitReason, type NodeName, type Pid, type Ref } from '@pidmesh/runtime'

/** One life of a node. */
export interface Life {
  readonly name: NodeName
  readonly host: string
  readonly incarnation: number
  readonly peers: Map<NodeName, Peering>
  endedMs: number | undefined
  /** When it began, by its own clock. */
  readonly bornWallMs: number
  readonly stalls: { readonly fromMs: number; readonly forMs: number }[]
}

interface Peering {
  turn: number
  /** Since when it is up. */
  upMs: number
  /** When the last frame of it was read. */
  heardMs: number
  /** The life of the peer, once something has come from it on this connection. */
  incarnation: number | undefined
  monitors: Set<MonitorRecord>
  links: Set<LinkRecord>
  downs: number
  nodeMonitors: Map<Proc, number>
}

export interface Proc {
  readonly pid: Pid
  readonly text: string
  readonly life: Life
  readonly name: string | undefined
  readonly traps: boolean
  end: { readonly atMs: number; readonly reason: ExitReason } | undefined
  lastSeq: number
  /** The last number of each sender that has arrived. */
  readonly heard: Map<Proc, number>
  /** Those whose end it knows of, by a reason of their own. */
  readonly bereaved: Set<Proc>
}

/** What is sent from one process to one address over one connection: in order, and without a hole. */
interface Stream {
  readonly id: number
  readonly from: Proc
  readonly address: string
  readonly to: NodeName
  readonly turn: number
  sent: number
  /** The next that is expected by who has got something of it. */
  readonly next: Map<Proc, number>
}

interface MonitorRecord {
  readonly ref: string
  readonly by: Proc
  readonly node: NodeName
  readonly target: Proc | undefined
  readonly turn: number
  readonly atMs: number
  state: 'open' | 'fired' | 'ended'
}

interface LinkRecord {
  readonly by: Proc
  readonly to: Proc
  turn: number
  linked: boolean
  /** `by` has linked or unlinked. */
  isTouched: boolean
  /** `link` calls of `by`, and exits that it got of the other. */
  links: number
  exits: number
}

/** Four, and a look. */
const SILENT_TICKS = 4.5
/** Five by the word of the other side, which a cut may have held for up to four, and a look. */
const NOT_HEARD_TICKS = 10

/** What a numbered message, or the reason of an exit signal, says of itself. */
export interface Stamp {
  readonly type: 'stamp'
  readonly from: string
  readonly stream: number
  readonly index: number
  readonly seq: number
  /** The pid or alias's owner that it is for; `undefined` for a name. */
  readonly to: string | undefined
}

export class Judge {
  readonly broken: string[] = []
  readonly procs: Map<string, Proc> = new Map()
  private readonly nowMs: () => number
  private readonly tickMs: number
  private readonly lives: Life[] = []
  private readonly streams: Stream[] = []
  private readonly streamByKey = new Map<string, Stream>()
  private readonly closedAliases = new Set<string>()
  private readonly monitors = new Map<string, MonitorRecord>()
  private readonly links = new Map<string, LinkRecord>()
  /** No connection goes down any more. */
  isQuiet = false
  /** Whether frames of one node stand unread before another that has just been stalled. */
  isUnread: (life: Life, peer: NodeName) => boolean = () => false

  constructor(nowMs: () => number, netTickTimeMs: number) {
    this.nowMs = nowMs
    this.tickMs = netTickTimeMs / 4
  }

  lifeBegan(life: Life, connected: readonly NodeName[]): void {
    for (const other of this.lives) {
      if (other.name === life.name && other.incarnation === life.incarnation)
        this.breach(`two lives of ${life.name} have the incarnation ${life.incarnation}`)
    }
    this.lives.push(life)
    for (const peer of connected) this.peering(life, peer).turn = 1
  }

  lifeEnded(life: Life): void {
    life.endedMs = this.nowMs()
  }

  spawned(life: Life, pid: Pid, name: string | undefined, traps: boolean): Proc {
    const proc: Proc = {
      pid,
      text: pid.toString(),
      life,
      name,
      traps,
      end: undefined,
      lastSeq: 0,
      heard: new Map(),
      bereaved: new Set(),
    }
    if (this.procs.has(proc.text)) this.breach(`the pid ${proc.text} was given twice`)
    this.procs.set(proc.text, proc)
    return proc
  }

  isAlive(proc: Proc): boolean {
    return proc.end === undefined && proc.life.endedMs === undefined
  }

  /** A process is about to send: what it is to say. `owner` is whom a pid or an alias leads to. */
  stamp(from: Proc, node: NodeName, address: string, owner: Proc | undefined): Stamp {
    const { turn } = this.peering(from.life, node)
    const key = `${from.text} ${address} ${turn}`
    let stream = this.streamByKey.get(key)
    if (stream === undefined) {
      stream = { id: this.streams.length, from, address, to: node, turn, sent: 0, next: new Map() }
      this.streams.push(stream)
      this.streamByKey.set(key, stream)
    }
    return {
      type: 'stamp',
      from: from.text,
      stream: stream.id,
      index: stream.sent++,
      seq: ++from.lastSeq,
      to: owner?.text,
    }
  }

  monitored(by: Proc, ref: Ref, node: NodeName, target: Proc | undefined): void {
    const peering = this.peering(by.life, node)
    const record: MonitorRecord = {
      ref: ref.toString(),
      by,
      node,
      target,
      turn: peering.turn,
      atMs: this.nowMs(),
      state: 'open',
    }
    // It may have fired within the call.
    if (this.monitors.has(record.ref)) return
    this.monitors.set(record.ref, record)
    peering.monitors.add(record)
  }

  demonitored(ref: Ref): void {
    const record = this.monitors.get(ref.toString())
    if (record === undefined) return
    record.state = 'ended'
    this.peering(record.by.life, record.node).monitors.delete(record)
  }

  linked(by: Proc, to: Proc): void {
    const record = this.link(by, to)
    const peering = this.peering(by.life, to.life.name)
    record.isTouched = true
    record.links++
    if (!record.linked) record.turn = peering.turn
    record.linked = true
    peering.links.add(record)
  }

  unlinked(by: Proc, to: Proc): void {
    const record = this.link(by, to)
    record.isTouched = true
    record.linked = false
    this.peering(by.life, to.life.name).links.delete(record)
  }

  aliasClosed(ref: Ref): void {
    this.closedAliases.add(ref.toString())
  }

  nodeMonitored(by: Proc, node: NodeName): void {
    const { turn, nodeMonitors } = this.peering(by.life, node)
    if (turn % 2 === 1) nodeMonitors.set(by, (nodeMonitors.get(by) ?? 0) + 1)
  }

  /** The node itself, whose main process watches all nodes, has been told of one. */
  nodeTold(life: Life, type: 'nodeup' | 'nodedown', node: NodeName, reason: string): void {
    const peering = this.peering(life, node)
    peering.turn++
    if ((peering.turn % 2 === 1) !== (type === 'nodeup')) {
      this.breach(`${type} of ${node} at ${life.host} twice in turn`)
      peering.turn++
    }
    if (type === 'nodeup') {
      this.judgeNodeMonitors(peering, node)
      peering.incarnation = undefined
      peering.upMs = this.nowMs()
      return
    }
    peering.downs++
    if (this.isQuiet)
      this.breach(`the connection of ${life.host} to ${node} ends (${reason}) though nothing has happened to it`)
    if (reason === 'net_tick_timeout' && this.isUnread(life, node))
      this.breach(`${life.host} gives up ${node}, whose frames it has not read because it was stalled itself`)
    for (const record of peering.monitors) {
      if (!this.isAlive(record.by)) continue
      if (record.turn === peering.turn - 1) this.breach(`nodedown of ${node} before the DOWN of ${record.ref}`)
    }
    for (const record of peering.links) {
      if (!this.isAlive(record.by) || !this.isOneSided(record) || record.turn !== peering.turn - 1) continue
      if (isSilent(record)) continue
      this.breach(`nodedown of ${node} before the exit signal of the link of ${record.by.text} and ${record.to.text}`)
    }
  }

  /** A frame of a node, which may be about to start, is read by another: has each noticed the silence before it, if that was too long? */
  arrives(name: NodeName, from: Life | undefined, to: Life): void {
    const heard = this.peering(to, name)
    const silentSinceMs = Math.max(heard.heardMs, heard.upMs)
    const since = silentSinceMs.toFixed(3)
    heard.heardMs = this.nowMs()
    if (heard.turn % 2 === 1 && this.hasBeenLong(to, silentSinceMs, SILENT_TICKS))
      this.breach(`${to.host} has heard nothing of ${name} since ${since}, and has not noticed`)
    if (from === undefined) return
    const said = this.peering(from, to.name)
    if (said.turn % 2 === 1 && said.upMs <= silentSinceMs && this.hasBeenLong(from, silentSinceMs, NOT_HEARD_TICKS))
      this.breach(`nothing of ${from.host} was heard at ${to.host} since ${since}, and it has not noticed`)
  }

  private hasBeenLong(life: Life, sinceMs: number, ticks: number): boolean {
    let limitMs = ticks * this.tickMs
    for (const { fromMs, forMs } of life.stalls) if (fromMs + forMs >= sinceMs) limitMs += forMs + this.tickMs
    return this.nowMs() - sinceMs > limitMs
  }

  /** Something is put into the mailbox of a process. */
  delivered(to: Proc, message: unknown): void {
    if (!this.isAlive(to)) this.breach(`something is delivered to ${to.text}, which has ended`)
    if (isStamp(message)) this.stampArrived(to, message)
    else if (hasType(message, 'DOWN')) this.downArrived(to, message.ref, message.reason)
    else if (hasType(message, 'EXIT')) this.exitArrived(to, message.from, message.reason)
    else if (hasType(message, 'nodedown')) this.nodeDownArrived(to, message.node)
  }

  died(proc: Proc, reason: ExitReason): void {
    if (proc.end !== undefined) this.breach(`${proc.text} ends twice`)
    proc.end = { atMs: this.nowMs(), reason }
    // An exit signal that has ended it has arrived.
    if (isStamp(reason) && reason.to === proc.text) this.stampArrived(proc, reason)
    else if (reason === 'noconnection' && !this.mayBeCutOff(proc))
      this.breach(`${proc.text} ends with noconnection without a lost connection`)
  }

  /** All is quiet, and everything is connected: nothing is missing. */
  atRest(connected: (life: Life, node: NodeName) => boolean): void {
    for (const record of this.monitors.values()) this.judgeMonitor(record)
    for (const record of this.links.values()) this.judgeLink(record)
    for (const stream of this.streams) this.judgeStream(stream)
    for (const life of this.lives) {
      for (const [node, peering] of life.peers) {
        const { turn } = peering
        if (life.endedMs !== undefined) continue
        if ((turn % 2 === 1) !== connected(life, node))
          this.breach(`${life.host} says something else of ${node} than nodeup and nodedown do`)
        if (turn % 2 === 0) this.judgeNodeMonitors(peering, node)
      }
    }
  }

  mostDowns(): number {
    return Math.max(0, ...this.lives.flatMap((life) => [...life.peers.values()].map(({ downs }) => downs)))
  }

  private stampArrived(to: Proc, stamp: Stamp): void {
    const from = this.procs.get(stamp.from)
    const stream = this.streams[stamp.stream]
    if (from === undefined || stream === undefined) {
      this.breach(`${to.text} gets what nobody has sent`)
      return
    }
    const what = `number ${stamp.seq} of ${from.text}`
    if (stamp.to !== undefined && stamp.to !== to.text) this.breach(`${what}, for ${stamp.to}, arrives at ${to.text}`)
    this.cameFrom(to, from, what)
    const heard = to.heard.get(from) ?? 0
    if (stamp.seq <= heard) this.breach(`${what} arrives at ${to.text} after number ${heard}`)
    to.heard.set(from, stamp.seq)
    if (to.bereaved.has(from)) this.breach(`${what} arrives at ${to.text} after the news of its end`)
    // What is sent without a connection may be dropped as long as there is none.
    if (stream.turn % 2 === 0) return
    const expected = stream.next.get(to) ?? (stamp.to === undefined ? stamp.index : 0)
    if (stamp.index !== expected)
      this.breach(
        `${to.text} gets ${what}, but not what was sent before it to ${stream.address} on the same connection`,
      )
    stream.next.set(to, stamp.index + 1)
  }

  private downArrived(to: Proc, ref: Ref, reason: ExitReason): void {
    const record = this.monitors.get(ref.toString())
    if (record === undefined) {
      // Within the very call: there is no connection, or it is to another life.
      if (reason !== 'noconnection' && reason !== 'noproc')
        this.breach(`${to.text} gets a DOWN (${text(reason)}) of a monitor that it has not made`)
      this.monitors.set(ref.toString(), {
        ref: ref.toString(),
        by: to,
        node: to.life.name,
        target: undefined,
        turn: 0,
        atMs: this.nowMs(),
        state: 'fired',
      })
      return
    }
    const { by, node, target, turn, state } = record
    const what = `the DOWN of ${record.ref} (${text(reason)})`
    if (by !== to) this.breach(`${what} arrives at ${to.text}, not at ${by.text}`)
    if (state === 'fired') this.breach(`${what} arrives a second time`)
    if (state === 'ended') this.breach(`${what} arrives after demonitor`)
    record.state = 'fired'
    const peering = this.peering(to.life, node)
    peering.monitors.delete(record)
    if (reason === 'noconnection') {
      if (turn % 2 === 1 && peering.turn !== turn) this.breach(`${what} arrives after the nodedown of ${node}`)
      return
    }
    if (peering.turn % 2 === 0 && node !== to.life.name) this.breach(`${what} arrives while ${node} is down`)
    if (target === undefined) return
    if (reason === 'noproc') {
      if (this.isAlive(target) && this.sameLife(peering, target)) this.breach(`${what}, but ${target.text} lives`)
    } else if (target.end === undefined) {
      this.breach(`${what}, but ${target.text} has not ended`)
    } else if (text(target.end.reason) !== text(reason)) {
      this.breach(`${what}, but ${target.text} has ended with ${text(target.end.reason)}`)
    }
    if (!this.isAlive(target)) to.bereaved.add(target)
  }

  private exitArrived(to: Proc, fromPid: Pid, reason: ExitReason): void {
    const from = this.procs.get(fromPid.toString())
    if (from === undefined) {
      this.breach(`an exit signal of ${fromPid} arrives at ${to.text}, and there is no such process`)
      return
    }
    if (isStamp(reason) && reason.from === from.text && reason.to === to.text) {
      this.stampArrived(to, reason)
      return
    }
    this.linkExitArrived(to, from, reason)
  }

  private linkExitArrived(to: Proc, from: Proc, reason: ExitReason): void {
    const what = `the exit signal of ${from.text} to ${to.text} (${text(reason)})`
    const record = this.link(to, from)
    const back = this.link(from, to)
    record.exits++
    if (record.exits > record.links + back.links) this.breach(`${what}: more of them than links`)
    if (!back.isTouched && !record.linked) this.breach(`${what} arrives, but they are not linked`)
    const wasLinked = record.linked
    record.linked = false
    const peering = this.peering(to.life, from.life.name)
    peering.links.delete(record)
    if (reason === 'noconnection') {
      if (!back.isTouched && wasLinked && record.turn % 2 === 1 && peering.turn !== record.turn)
        this.breach(`${what} arrives after the nodedown of ${from.life.name}`)
      return
    }
    if (peering.turn % 2 === 0 && from.life.name !== to.life.name)
      this.breach(`${what} arrives while ${from.life.name} is down`)
    if (reason === 'noproc') {
      if (this.isAlive(from) && this.sameLife(peering, from)) this.breach(`${what}, but it lives`)
    } else if (from.end === undefined) {
      this.breach(`${what}, but it has not ended`)
    } else if (text(from.end.reason) !== text(reason)) {
      this.breach(`${what}, but it has ended with ${text(from.end.reason)}`)
    }
    if (!this.isAlive(from)) to.bereaved.add(from)
  }

  private nodeDownArrived(to: Proc, node: NodeName): void {
    const { turn, nodeMonitors } = this.peering(to.life, node)
    const left = nodeMonitors.get(to) ?? 0
    if (turn % 2 === 1) this.breach(`${to.text} is told that ${node} is down, but it is up`)
    // At once, because it wasn't connected.
    if (left > 0) nodeMonitors.set(to, left - 1)
  }

  /** A signal of another node: it must be connected, and always with the same life. */
  private cameFrom(to: Proc, from: Proc, what: string): void {
    if (from.life === to.life) return
    const peering = this.peering(to.life, from.life.name)
    if (peering.turn % 2 === 0) this.breach(`${what} arrives at ${to.text} while ${from.life.name} is down`)
    peering.incarnation ??= from.life.incarnation
    if (!this.sameLife(peering, from))
      this.breach(`${what} arrives on a connection to another life of ${from.life.name}`)
  }

  private sameLife(peering: Peering, { life }: Proc): boolean {
    return peering.incarnation === life.incarnation
  }

  private judgeNodeMonitors({ nodeMonitors }: Peering, node: NodeName): void {
    for (const [proc, left] of nodeMonitors)
      if (left > 0 && this.isAlive(proc)) this.breach(`${proc.text} was not told of the end of ${node}`)
    nodeMonitors.clear()
  }

  private judgeMonitor({ ref, by, node, target, turn, state }: MonitorRecord): void {
    if (state !== 'open' || !this.isAlive(by)) return
    const peering = this.peering(by.life, node)
    if (turn % 2 === 1 ? peering.turn !== turn : peering.turn > turn + 1)
      this.breach(`the DOWN of ${ref} is missing: the connection to ${node} was lost`)
    else if (target !== undefined && !this.isAlive(target))
      this.breach(`the DOWN of ${ref} is missing: ${target.text} has ended`)
  }

  private judgeLink(record: LinkRecord): void {
    const { by, to, linked, turn } = record
    if (!linked || !this.isAlive(by) || !this.isOneSided(record) || isSilent(record)) return
    const peering = this.peering(by.life, to.life.name)
    const both = `${by.text} and ${to.text}`
    if (turn % 2 === 1 ? peering.turn !== turn : peering.turn > turn + 1)
      this.breach(`the exit signal of the link of ${both} is missing: the connection was lost`)
    else if (!this.isAlive(to) && (by.traps || to.end?.reason !== 'normal'))
      this.breach(`the exit signal of the link of ${both} is missing: the latter has ended`)
  }

  private judgeStream({ from, to, turn, address, sent, next }: Stream): void {
    if (turn % 2 === 0 || from.life.endedMs !== undefined || this.peering(from.life, to).turn !== turn) return
    if (this.closedAliases.has(address)) return
    for (const [proc, arrived] of next)
      if (this.isAlive(proc) && arrived < sent)
        this.breach(`${sent - arrived} of what ${from.text} has sent to ${address} never arrive`)
    const proc = this.procs.get(address)
    if (proc === undefined || !this.isAlive(proc) || next.has(proc)) return
    // The connection may be to another life of the node.
    if (this.lives.filter((life) => life.name === to && life.endedMs === undefined).length === 1)
      this.breach(`nothing of what ${from.text} has sent to ${address} arrives`)
  }

  /** Only the one has ever linked or unlinked: what it knows is what is so. */
  private isOneSided({ by, to }: LinkRecord): boolean {
    return !this.link(to, by).isTouched
  }

  private mayBeCutOff(proc: Proc): boolean {
    for (const record of this.links.values()) if (record.by === proc || record.to === proc) return true
    return false
  }

  private link(by: Proc, to: Proc): LinkRecord {
    const key = `${by.text} ${to.text}`
    let record = this.links.get(key)
    if (record === undefined) {
      record = { by, to, turn: 0, linked: false, isTouched: false, links: 0, exits: 0 }
      this.links.set(key, record)
    }
    return record
  }

  private peering(life: Life, node: NodeName): Peering {
    let peering = life.peers.get(node)
    if (peering === undefined) {
      peering = {
        turn: 0,
        upMs: this.nowMs(),
        heardMs: this.nowMs(),
        incarnation: undefined,
        monitors: new Set(),
        links: new Set(),
        downs: 0,
        nodeMonitors: new Map(),
      }
      life.peers.set(node, peering)
    }
    return peering
  }

  breach(rule: string): void {
    this.broken.push(`${this.nowMs().toFixed(3)}: ${rule}`)
  }
}

/** The other's end with `normal` has ended the link, and who doesn't trap exits is not told. */
function isSilent({ by, to }: LinkRecord): boolean {
  return !by.traps && to.end?.reason === 'normal'
}

function isStamp(value: unknown): value is Stamp {
  return hasType(value, 'stamp')
}

function text(reason: ExitReason): string {
  return typeof reason === 'string' ? reason : JSON.stringify(reason)
}
