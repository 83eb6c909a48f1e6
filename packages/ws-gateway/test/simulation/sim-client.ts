/**
 * A client of simulated gateways that comes back until it is told to stop, keeps what it was told, and the verdict about that.
 */
import type { Clock, Pid, TimerHandle } from '@pidmesh/runtime'
import type { SimControl, SimLab, SimNode, SimSocket } from './sim-lab.ts'

export type Told =
  | { readonly type: 'message'; readonly n: number }
  /** Where its session was, as far as it knows, and where it has looked for it since. */
  | {
      readonly type: 'gap'
      readonly why: string
      readonly places: readonly SimNode[]
      readonly hadRival: boolean
      readonly atMs: number
    }

export interface Sent {
  readonly n: number
  /** The process that had the client's name then. */
  readonly to: Pid
  readonly atMs: number
}

export interface SimClientInit {
  readonly lab: SimLab
  readonly user: string
  readonly policy: 'unique' | 'replace'
  /** From 0 to 1. */
  readonly random: () => number
}

const PATIENCE_MS = 12_000
/** Who comes with a client's token may have the session so long later: it may have been busy. */
const RIVAL_MS = 15_000
/** So long a former place forwards. */
const LATE_MS = 4_000

export class SimClient {
  readonly user: string
  readonly told: Told[] = []
  readonly closes: number[] = []
  resumes = 0
  /** It has a session and a socket to it. */
  isOpen = false
  socket: SimSocket | undefined = undefined
  private readonly places = new Set<SimNode>()
  private rivals: readonly { readonly place: SimNode; readonly atMs: number }[] = []
  private readonly init: SimClientInit
  private token: string | undefined = undefined
  private seq = 0
  private timer: TimerHandle | undefined = undefined
  private isStopped = false

  constructor(init: SimClientInit) {
    this.init = init
    this.user = init.user
    this.connect()
  }

  /** What it would go on with. */
  get at(): { readonly token: string; readonly seq: number } | undefined {
    return this.token === undefined ? undefined : { token: this.token, seq: this.seq }
  }

  get lastN(): number {
    return this.told.findLast((one) => one.type === 'message')?.n ?? 0
  }

  /** Somebody else comes with its token. */
  hasRival(place: SimNode): void {
    this.rivals = [...this.rivals, { place, atMs: this.clock.monotonicMs() }]
  }

  acknowledge(): void {
    if (this.isOpen) this.socket?.send({ type: 'ack', seq: this.seq })
  }

  stop(): void {
    this.isStopped = true
    this.timer?.cancel()
  }

  private get clock(): Clock {
    return this.init.lab.clock
  }

  private connect(): void {
    const { lab, random, user } = this.init
    if (this.isStopped) return
    const ready = lab.running.filter(({ gateway }) => gateway.isReady)
    const place = ready[Math.floor(random() * ready.length)]
    if (place === undefined) return this.comeBack(200)
    const socket = lab.open(place)
    this.socket = socket
    socket.onControl = (control) => this.onControl(control, place)
    socket.onMessage = (message) => this.onMessage(message)
    socket.onClosed = (code) => this.onClosed(socket, code)
    this.timer = this.clock.setTimer(PATIENCE_MS, () => socket.cut())
    this.clock.setTimer(1 + random() * 20, () => {
      const { at } = this
      if (at !== undefined) this.places.add(place)
      socket.send({ type: 'hello', token: user, ...(at === undefined ? {} : { resume: at }) })
    })
  }

  private onMessage(message: unknown): void {
    this.seq++
    this.told.push({ type: 'message', n: (message as { readonly n: number }).n })
    if (this.init.random() < 0.2) this.acknowledge()
  }

  private onControl(control: SimControl & { readonly received?: number }, place: SimNode): void {
    const { type, why = '', seq = 0, received, resume } = control
    if (type === 'resume_failed') {
      const atMs = this.clock.monotonicMs()
      const rivals = this.rivals.filter((rival) => atMs - rival.atMs < RIVAL_MS).map(({ place }) => place)
      this.told.push({ type: 'gap', why, places: [...this.places, ...rivals], hadRival: rivals.length > 0, atMs })
      this.token = undefined
    }
    if (type !== 'welcome' && type !== 'resumed') return
    if (type === 'resumed') this.resumes++
    if (type === 'resumed' && seq !== this.seq) throw new Error(`${this.user} is at ${this.seq}, resumed at ${seq}`)
    this.timer?.cancel()
    this.seq = seq
    this.token = resume?.token
    this.places.clear()
    this.places.add(place)
    this.isOpen = true
    this.acknowledge()
    const { user, policy } = this.init
    // What its session has not got it says again.
    if (received === 0) this.socket?.send([{ type: 'register', name: user, policy }])
  }

  private onClosed(socket: SimSocket, code: number): void {
    if (socket !== this.socket) return
    this.timer?.cancel()
    this.isOpen = false
    this.closes.push(code)
    this.comeBack(20 + this.init.random() * 600)
  }

  private comeBack(afterMs: number): void {
    if (!this.isStopped) this.timer = this.clock.setTimer(afterMs, () => this.connect())
  }
}

/** What is wrong with what a client was told, against what it was sent. */
export class SimVerdict {
  readonly faults: string[] = []
  /** On their way to the former place of a session, and lost with it. */
  lostWithFormer = 0
  overtaken = 0
  private readonly lives: readonly SimNode[]

  constructor(lives: readonly SimNode[]) {
    this.lives = lives
  }

  judge(client: SimClient, accepted: readonly Sent[]): void {
    const { user, told } = client
    const sent = new Map(accepted.map((one) => [one.n, one]))
    for (const one of told) {
      if (one.type !== 'gap' || (one.why === 'gone' && one.places.some(({ killedMs }) => killedMs !== undefined)))
        continue
      // Two with the same token: one of them has the session, or has ended it, and its name.
      if (one.hadRival) continue
      this.faults.push(
        `${user} at ${one.atMs}: ${one.why} of ${one.places.map(({ name }) => name).join()}, and none was killed`,
      )
    }
    this.judgeOrder(user, told, sent)
    const got = new Set(told.map((one) => (one.type === 'message' ? one.n : 0)))
    for (const one of accepted) {
      if (got.has(one.n) || isAnnounced(one, told, sent)) continue
      if (this.wasKilledThen(one)) this.lostWithFormer++
      else this.faults.push(`${user} at ${one.atMs}: silence about ${one.n}, which was sent to ${one.to}`)
    }
  }

  private judgeOrder(user: string, told: readonly Told[], sent: ReadonlyMap<number, Sent>): void {
    const lastTo = new Map<string, number>()
    const seen = new Set<number>()
    let last = 0
    for (const one of told) {
      if (one.type !== 'message') continue
      const { n } = one
      const to = sent.get(n)?.to.toString() ?? 'nobody'
      if (seen.has(n)) this.faults.push(`${user}: ${n} twice`)
      else if (n < (lastTo.get(to) ?? 0)) this.faults.push(`${user}: ${n} after ${lastTo.get(to)}, both sent to ${to}`)
      else if (n < last) this.overtaken++
      seen.add(n)
      lastTo.set(to, n)
      last = Math.max(last, n)
    }
  }

  private wasKilledThen({ to, atMs }: Sent): boolean {
    const life = this.lives.find(({ name, incarnation }) => name === to.node && incarnation === to.incarnation)
    return life?.killedMs !== undefined && life.killedMs - atMs < LATE_MS
  }
}

/** Whether a gap was told where a message is missing: before it nothing much later had come, after it nothing much earlier, and nothing that was sent to the same process. */
function isAnnounced(missing: Sent, told: readonly Told[], sent: ReadonlyMap<number, Sent>): boolean {
  return told.some(
    ({ type }, gap) =>
      type === 'gap' &&
      told.every((one, index) => {
        const other = one.type === 'message' ? sent.get(one.n) : undefined
        if (other === undefined) return true
        const isSameProcess = other.to.equals(missing.to)
        if (index < gap) return other.atMs - missing.atMs < (isSameProcess ? 0 : LATE_MS)
        return !isSameProcess && missing.atMs - other.atMs < LATE_MS
      }),
  )
}
