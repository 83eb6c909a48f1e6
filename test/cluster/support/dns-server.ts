// A name server on a loopback address, over UDP: it answers A, AAAA and SRV questions as the test says, or not at all.

import { createSocket } from 'node:dgram'
import type { Socket } from 'node:dgram'
import { once } from 'node:events'

import { onTestFinished } from 'vitest'

export type Records =
  /** IPv4 addresses. */
  | { type: 'A'; addresses: readonly string[] }
  /** IPv6 addresses, in full: eight groups. */
  | { type: 'AAAA'; addresses: readonly string[] }
  | { type: 'SRV'; targets: readonly { host: string; port: number }[] }

export type Reply = Records | 'SERVFAIL' | 'silence'

const TYPES: Readonly<Record<number, Records['type']>> = { 1: 'A', 28: 'AAAA', 33: 'SRV' }
const NO_ERROR = 0
const SERVFAIL = 2
const NXDOMAIN = 3

export class DnsServer {
  /** `host:port`, as resolvers take it. */
  readonly address: string
  /** Questions so far, as `A name`. */
  readonly questions: string[] = []
  private readonly replies = new Map<string, Reply>()
  private readonly socket: Socket

  private constructor(socket: Socket) {
    this.socket = socket
    const { address, port } = socket.address()
    this.address = `${address}:${port}`
    socket.on('message', (message, from) => {
      const answer = this.answer(message)
      if (answer !== undefined) socket.send(answer, from.port, from.address)
    })
  }

  /** One that runs until the test ends. */
  static async start(): Promise<DnsServer> {
    const socket = createSocket('udp4')
    socket.bind(0, '127.0.0.1')
    await once(socket, 'listening')
    const server = new DnsServer(socket)
    onTestFinished(() => server.stop())
    return server
  }

  /** What is said of a name from now on: of its other types, that there are none. */
  set(name: string, reply: Reply): void {
    this.replies.set(name, reply)
  }

  private async stop(): Promise<void> {
    this.socket.close()
    await once(this.socket, 'close')
  }

  private answer(message: Buffer): Buffer | undefined {
    const { name, end } = readName(message, 12)
    const type = TYPES[message.readUInt16BE(end)]
    this.questions.push(`${type ?? 'other'} ${name}`)
    const reply = this.replies.get(name)
    if (reply === 'silence') return undefined
    const records = reply === undefined || reply === 'SERVFAIL' || reply.type !== type ? [] : recordsOf(reply)
    const code = reply === undefined ? NXDOMAIN : reply === 'SERVFAIL' ? SERVFAIL : NO_ERROR
    const header = Buffer.from(message.subarray(0, 12))
    // An answer, with authority, recursion as asked and available.
    header.writeUInt16BE(0x8480 | (message.readUInt16BE(2) & 0x0100) | code, 2)
    header.writeUInt16BE(1, 4)
    header.writeUInt16BE(records.length, 6)
    header.writeUInt32BE(0, 8)
    return Buffer.concat([header, message.subarray(12, end + 4), ...records])
  }
}

function recordsOf(records: Records): readonly Buffer[] {
  switch (records.type) {
    case 'A':
      return records.addresses.map((address) => record(1, Buffer.from(address.split('.').map(Number))))
    case 'AAAA':
      return records.addresses.map((address) =>
        record(28, Buffer.concat(address.split(':').map((group) => numbers(Number.parseInt(group, 16))))),
      )
    case 'SRV':
      return records.targets.map(({ host, port }) => record(33, Buffer.concat([numbers(0, 0, port), writeName(host)])))
  }
}

/** For the name of the question, to be kept for no time. */
function record(type: number, data: Buffer): Buffer {
  return Buffer.concat([numbers(0xc00c, type, 1, 0, 0, data.length), data])
}

/** Each as 16 bits. */
function numbers(...values: readonly number[]): Buffer {
  const buffer = Buffer.alloc(2 * values.length)
  for (const [i, value] of values.entries()) buffer.writeUInt16BE(value, 2 * i)
  return buffer
}

function writeName(name: string): Buffer {
  const labels = name.split('.').map((label) => Buffer.from(label))
  return Buffer.concat([...labels.flatMap((label) => [Buffer.from([label.length]), label]), Buffer.from([0])])
}

function readName(message: Buffer, start: number): { name: string; end: number } {
  const labels: string[] = []
  let at = start
  for (;;) {
    const length = message.readUInt8(at)
    at++
    if (length === 0) return { name: labels.join('.').toLowerCase(), end: at }
    labels.push(message.toString('latin1', at, at + length))
    at += length
  }
}
