/**
 * What happens to simulated gateways and their clients, by a seed: cables are pulled, and the gateway hears of it late; clients come back to any node, to two at once with the same token; sessions are busy when they are
 * claimed, or slow to hand over; nodes stall, are killed and drained, whatever they are at.
 */
import { GlobalEts } from '@pidmesh/global-ets'
import { PidmeshError } from '@pidmesh/runtime'
import { seededRandom } from '@pidmesh/runtime/testing'
import { SimClient, SimVerdict, type Sent } from './sim-client.ts'
import { SimLab, type SimNode } from './sim-lab.ts'

export const CLIENTS = 8
const STEPS = 250

export class Schedule {
  private readonly lab: SimLab
  private readonly random: () => number
  private readonly accepted = new Map<SimClient, Sent[]>()
  private clients: readonly SimClient[] = []
  private names: GlobalEts | undefined = undefined
  /** Names of nodes that are to be started again, and when. */
  private readonly down: { readonly name: string; readonly untilMs: number }[] = []
  /** In half of the schedules: with them more gaps are in order, and fewer would be found that are not. */
  private readonly hasRivals: boolean
  private n = 0

  constructor(seed: number) {
    this.hasRivals = seed % 2 === 1
    const { fraction } = seededRandom(Math.imul(seed, 0x9e3779b1))
    this.random = fraction
    this.lab = new SimLab(seed, {
      resume: { graceMs: 60_000, maxMessages: 1_000, maxBytes: 100_000 },
      // Longer than a session here is busy: one that is killed for that is lost.
      sessionEndTimeoutMs: 60_000,
    })
  }

  async run() {
    const { lab } = this
    const sender = await lab.cluster.start('sender')
    const names = await lab.cluster.run(GlobalEts.start(sender, { policy: 'newest' }))
    this.names = names
    for (const name of ['n0', 'n1', 'n2']) await lab.startNode(name)
    this.clients = Array.from(
      { length: CLIENTS },
      (_, index) =>
        new SimClient({
          lab,
          user: `user${index}`,
          policy: index % 2 === 0 ? 'unique' : 'replace',
          random: this.random,
        }),
    )
    await lab.cluster.advance(3_000)
    for (let step = 0; step < STEPS; step++) {
      this.send(this.any(this.clients))
      this.happen()
      await lab.cluster.advance(this.random() ** 3 * 600)
      await this.startAgain()
    }
    // All that is under way comes to its end.
    for (let second = 0; second < 60; second++) {
      await lab.cluster.advance(1_000)
      await this.startAgain()
    }
    const verdict = new SimVerdict(lab.lives)
    for (const client of this.clients) {
      const last = this.send(client)
      await lab.cluster.advance(2_000)
      if (client.lastN !== last) verdict.faults.push(`${client.user}: has ${client.lastN} in the end, and not ${last}`)
      client.stop()
      verdict.judge(client, this.accepted.get(client) ?? [])
    }
    await lab.cluster.stop()
    const { faults, lostWithFormer, overtaken } = verdict
    const resumes = this.clients.reduce((sum, client) => sum + client.resumes, 0)
    const gaps = this.clients.flatMap(({ told }) => told).filter(({ type }) => type === 'gap').length
    return { faults, figures: { sent: this.n, resumes, gaps, lostWithFormer, overtaken, lives: lab.lives.length } }
  }

  private any<T>(all: readonly T[]): T {
    const found = all[Math.floor(this.random() * all.length)]
    if (found === undefined) throw new Error('there is none')
    return found
  }

  private send(client: SimClient): number {
    const n = ++this.n
    const to = this.names?.whereisName(client.user)
    const status = this.names?.send(client.user, { n })
    if (to !== undefined && (status === 'ok' || status === 'busy'))
      this.accepted.set(client, [...(this.accepted.get(client) ?? []), { n, to, atMs: this.lab.clock.monotonicMs() }])
    return n
  }

  private happen(): void {
    const { lab } = this
    const client = this.any(this.clients)
    const socket = client.socket
    const dice = this.random()
    if (dice < 0.25) socket?.cut()
    else if (dice < 0.35) {
      // The client comes back before the gateway knows that it had gone.
      socket?.goDeaf()
      lab.clock.setTimer(this.random() * 3_000, () => socket?.cut())
    } else if (dice < 0.45) this.comeTwice(client)
    else if (dice < 0.5 && client.isOpen) socket?.send([{ type: 'busy', ms: this.random() * 7_000 }])
    else if (dice < 0.55 && client.isOpen) socket?.send([{ type: 'slowHandOver', ms: this.random() * 800 }])
    else if (dice < 0.57) lab.cluster.stall(shortName(this.any(lab.running)), this.random() * 1_500)
    else if (dice < 0.6) this.takeDown()
  }

  /** Somebody else comes with the client's token, reads nothing, and goes. */
  private comeTwice(client: SimClient): void {
    const { lab } = this
    const place = this.any(lab.running)
    if (!place.gateway.isReady) return
    const other = lab.open(place)
    lab.clock.setTimer(this.random() * 50, () => {
      client.hasRival(place)
      if (client.at !== undefined) other.send({ type: 'hello', token: client.user, resume: client.at })
    })
    lab.clock.setTimer(this.random() * 1_000 + 50, () => other.cut())
    // And the client itself, at the same time.
    if (this.random() < 0.5) client.socket?.cut()
  }

  /** At most two are down at the same time. */
  private takeDown(): void {
    const { lab } = this
    const ready = lab.running.filter(({ gateway }) => gateway.isReady)
    if (ready.length < 2) return
    const life = this.any(ready)
    if (this.random() < 0.5) this.kill(life)
    else
      void lab.drain(life, this.random() * 2_000).then(() => {
        if (life.killedMs === undefined) this.down.push({ name: shortName(life), untilMs: lab.clock.monotonicMs() })
      })
  }

  private kill(life: SimNode): void {
    const { lab } = this
    lab.crash(life)
    for (const { socket } of this.clients) if (socket?.life === life) socket.cut()
    this.down.push({ name: shortName(life), untilMs: lab.clock.monotonicMs() + this.random() * 3_000 })
  }

  private async startAgain(): Promise<void> {
    const due = this.down.findIndex(({ untilMs }) => untilMs <= this.lab.clock.monotonicMs())
    if (due < 0) return
    for (const { name, untilMs } of this.down.splice(due, 1)) {
      try {
        await this.lab.startNode(name)
      } catch (error) {
        // A node that stalls has not seen yet that the former one is no more.
        if (!(error instanceof PidmeshError) || error.code !== 'ERR_DUPLICATE_NODE') throw error
        this.down.push({ name, untilMs: untilMs + 1_000 })
      }
    }
  }
}

const shortName = ({ name }: SimNode): string => name.split('@')[0] ?? ''
