// Hosts with cables: network namespaces, joined by a bridge in one of their own, so that a cable can be cut as the kernel sees it.
//
//   host 1: eth0 10.77.0.1 ── port1 ┐
//   host 2: eth0 10.77.0.2 ── port2 ┤ bridge     each box a namespace of its own; nothing is made outside of them
//   host 3: eth0 10.77.0.3 ── port3 ┘
//
// A namespace here has no name: it lives as long as the process that holds it, which ends with its standard input. So nothing is left behind, whatever
// ends the test. Only root may make one, and it takes `ip` (iproute2) and `unshare` and `nsenter` (util-linux).

import { execFileSync, spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, readlinkSync } from 'node:fs'

import { onTestFinished } from 'vitest'

import { until } from './until.ts'

/** Where a cable is cut, and what the host at its end can know of it. */
export type Cut =
  /** The switch passes nothing on any more: the host sees nothing. */
  | 'at the switch'
  /** The other end of the cable: the host sees that the carrier is gone. */
  | 'at the far end'
  /** The host's own end: it has no way to the others any more. */
  | 'at the near end'

export type Host = {
  address: string
  /** Stands before a command that is to run there. */
  within: readonly string[]
}

export class Network {
  readonly hosts: readonly Host[]
  private readonly bridge: Namespace
  private readonly namespaces: readonly Namespace[]

  private constructor(bridge: Namespace, namespaces: readonly Namespace[]) {
    this.bridge = bridge
    this.namespaces = namespaces
    this.hosts = namespaces.map(({ within }, i) => ({ address: addressOf(i), within }))
  }

  /** A network for one test. */
  static async start(hosts: number): Promise<Network> {
    const network = await Network.make(hosts)
    onTestFinished(() => network.end())
    return network
  }

  /** Why there can be none here; `undefined` if there can. */
  static async problem(): Promise<string | undefined> {
    if (process.platform !== 'linux') return 'network namespaces are of Linux'
    if (process.getuid?.() !== 0) return 'only root may make network namespaces'
    try {
      await (await Network.make(1)).end()
      return undefined
    } catch (error) {
      return `no network namespaces: ${String(error)}`
    }
  }

  /** Cuts a host's cable. Nobody is told: packets go into the void. */
  cut(host: number, where: Cut): void {
    switch (where) {
      case 'at the switch':
        return this.bridge.ip(`link set ${portOf(host)} nomaster`)
      case 'at the far end':
        return this.bridge.ip(`link set ${portOf(host)} down`)
      case 'at the near end':
        return this.namespace(host).ip('link set eth0 down')
    }
  }

  mend(host: number, where: Cut): void {
    switch (where) {
      case 'at the switch':
        return this.bridge.ip(`link set ${portOf(host)} master bridge`)
      case 'at the far end':
        return this.bridge.ip(`link set ${portOf(host)} up`)
      case 'at the near end':
        return this.namespace(host).ip('link set eth0 up')
    }
  }

  /** What one host sends to another is lost; the other way nothing is. */
  muffle(from: number, to: number): void {
    // An address on the cable that nobody has.
    this.namespace(from).ip(`neighbour replace ${addressOf(to)} lladdr 02:00:00:00:00:01 nud permanent dev eth0`)
  }

  unmuffle(from: number, to: number): void {
    this.namespace(from).ip(`neighbour del ${addressOf(to)} dev eth0`)
  }

  /** How many TCP connections a host has with another, and how many it tries to make, as far as it knows. */
  connections(host: number, other: number): { established: number; dialed: number } {
    // A line has, after its number, the own address, the other's and the state; an address is four bytes, the last one first, and the port.
    const bytes = addressOf(other)
      .split('.')
      .map((byte) => Number(byte).toString(16).padStart(2, '0'))
    const address = bytes.reverse().join('').toUpperCase()
    const lines = readFileSync(`/proc/${this.namespace(host).pid}/net/tcp`, 'utf8').split('\n')
    const fields = lines.map((line) => line.trim().split(/ +/)).filter(([, , remote]) => remote?.startsWith(address))
    const count = (state: string): number => fields.filter((field) => field[3] === state).length
    return { established: count('01'), dialed: count('02') }
  }

  private static async make(hosts: number): Promise<Network> {
    const all: Namespace[] = []
    try {
      for (let i = 0; i <= hosts; i++) all.push(await Namespace.start())
      const [bridge, ...others] = all
      if (bridge === undefined) throw new Error('a network has a bridge')
      bridge.ip('link add bridge up type bridge')
      for (const [i, host] of others.entries()) {
        bridge.ip(`link add ${portOf(i)} up master bridge type veth peer name eth0 netns ${host.pid}`)
        host.ip(`address add ${addressOf(i)}/24 dev eth0`)
        host.ip('link set eth0 up')
      }
      return new Network(bridge, others)
    } catch (error) {
      await Promise.all(all.map((namespace) => namespace.end()))
      throw error
    }
  }

  private async end(): Promise<void> {
    await Promise.all([this.bridge, ...this.namespaces].map((namespace) => namespace.end()))
  }

  private namespace(host: number): Namespace {
    const found = this.namespaces[host]
    if (found === undefined) throw new Error(`there is no host ${host}`)
    return found
  }
}

const addressOf = (host: number): string => `10.77.0.${host + 1}`
const portOf = (host: number): string => `port${host + 1}`

class Namespace {
  readonly pid: number
  private readonly holder: ChildProcess

  private constructor(holder: ChildProcess, pid: number) {
    this.holder = holder
    this.pid = pid
  }

  static async start(): Promise<Namespace> {
    // Reads its standard input until that ends.
    const holder = spawn('unshare', ['--net', 'cat'], { stdio: ['pipe', 'ignore', 'ignore'] })
    let problem: Error | undefined
    holder.on('error', (error) => (problem = error))
    await until('a namespace', () => {
      if (problem !== undefined) throw problem
      if (holder.exitCode !== null) throw new Error(`unshare has ended with ${holder.exitCode}`)
      return (
        holder.pid !== undefined && readlinkSync(`/proc/${holder.pid}/ns/net`) !== readlinkSync('/proc/self/ns/net')
      )
    })
    if (holder.pid === undefined) throw new Error('unshare could not be started')
    return new Namespace(holder, holder.pid)
  }

  get within(): readonly string[] {
    return ['nsenter', '--target', `${this.pid}`, '--net', '--']
  }

  ip(args: string): void {
    const [program = '', ...rest] = [...this.within, 'ip', ...args.split(' ')]
    execFileSync(program, rest, { stdio: ['ignore', 'ignore', 'pipe'] })
  }

  async end(): Promise<void> {
    if (this.holder.exitCode !== null || this.holder.signalCode !== null) return
    const ended = once(this.holder, 'exit')
    this.holder.stdin?.end()
    await ended
  }
}
