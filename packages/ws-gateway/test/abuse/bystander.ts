/**
 * A gateway with one client that does nothing wrong. Whatever others do to the gateway, that one keeps its socket, its session and its name.
 */
import { onTestFinished, expect } from 'vitest'
import { Lab, type LabClient, type LabNode, type LabOptions } from '../lab.ts'
import { RawClient, text, type RawUpgrade } from './raw-client.ts'

const NAME = 'bystander'

export class AbuseLab {
  readonly lab: Lab = new Lab()
  private bystander: LabClient | undefined = undefined
  private readonly raws: RawClient[] = []

  /** Ends with the test. */
  static async start(options: LabOptions = {}): Promise<AbuseLab> {
    const abuse = new AbuseLab()
    onTestFinished(() => abuse.stop())
    await abuse.lab.addNode('n0', options)
    const bystander = await abuse.lab.connect(0, NAME)
    abuse.bystander = bystander
    bystander.send({ type: 'register', name: NAME })
    await bystander.received(1)
    return abuse
  }

  get node(): LabNode {
    return this.lab.at(0)
  }

  get stats(): LabNode['gateway']['stats'] {
    return this.node.gateway.stats
  }

  /** A raw client, whatever its upgrade comes to. */
  dial(upgrade?: RawUpgrade): RawClient {
    const client = new RawClient(this.node.gateway.port, upgrade)
    this.raws.push(client)
    return client
  }

  /** A raw client with a session. */
  async raw(user: string, headers: readonly string[] = []): Promise<RawClient> {
    const client = this.dial({ headers: ['Sec-WebSocket-Protocol: pidmesh.json.1', ...headers] })
    expect(await client.status).toBe(101)
    client.write(text({ type: 'hello', token: user }))
    await expect.poll(() => client.texts.some((one) => one.includes('welcome')), { interval: 5 }).toBe(true)
    return client
  }

  /**
   * The bystander is as it was: its first socket is open, its session answers, what is sent to its name arrives. And of all others nothing is left: no socket, and no
   * session but those that wait for their client.
   */
  async expectUnharmed({ detached = 0 } = {}): Promise<void> {
    const { bystander, node } = this
    if (bystander === undefined) throw new Error('not started')
    const before = bystander.messages.length
    expect(node.names.send(NAME, 'still here?')).toBe('ok')
    expect((await bystander.received(before + 1)).at(-1)).toBe('still here?')
    bystander.send({ type: 'echo', message: 'yes' })
    expect((await bystander.received(before + 2)).at(-1)).toBe('yes')
    await expect
      .poll(() => ({ connections: this.stats.connections, sessions: this.stats.sessions }), { timeout: 10_000 })
      .toEqual({ connections: 1, sessions: { attached: 1, detached } })
  }

  private async stop(): Promise<void> {
    for (const { socket } of this.raws) socket.destroy()
    await this.lab.stop()
  }
}
