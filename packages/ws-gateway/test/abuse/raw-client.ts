/**
 * A client that is a TCP connection and nothing more: it sends the bytes that it is given, answers nothing by itself, and never closes by itself.
 */
import { connect, type Socket } from 'node:net'

export const OPCODE = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const

export interface RawFrame {
  readonly opcode: number
  readonly payload?: string | Uint8Array
  readonly isFinal?: boolean
  /** The three reserved bits, as they stand in the first byte: 0x40 says that the message is compressed. */
  readonly reserved?: number
  readonly isMasked?: boolean
}

/** The bytes of a frame, whatever they are worth. The mask is zero: it changes nothing. */
export function bytesOf({ opcode, payload = '', isFinal = true, reserved = 0, isMasked = true }: RawFrame): Buffer {
  const body = Buffer.from(payload)
  const length = lengthBytes(body.length)
  length[0] = (length[0] ?? 0) | (isMasked ? 0x80 : 0)
  const first = (isFinal ? 0x80 : 0) | reserved | opcode
  return Buffer.concat([Buffer.from([first]), length, Buffer.alloc(isMasked ? 4 : 0), body])
}

export function text(value: unknown): Buffer {
  return bytesOf({ opcode: OPCODE.text, payload: JSON.stringify(value) })
}

function lengthBytes(length: number): Buffer {
  if (length < 126) return Buffer.from([length])
  const bytes = Buffer.alloc(length < 65_536 ? 3 : 9)
  bytes[0] = length < 65_536 ? 126 : 127
  if (length < 65_536) bytes.writeUInt16BE(length, 1)
  else bytes.writeBigUInt64BE(BigInt(length), 1)
  return bytes
}

export interface RawUpgrade {
  readonly path?: string
  readonly method?: string
  readonly version?: string
  readonly key?: string
  /** Lines of the request's head, each `Name: value`. */
  readonly headers?: readonly string[]
}

const KEY = 'dGhlIHNhbXBsZSBub25jZQ=='

export class RawClient {
  readonly socket: Socket
  /** The status that the upgrade was answered with. */
  readonly status: Promise<number>
  /** The code of the close frame that has come; `undefined` if the connection has ended without one. */
  readonly closeCode: Promise<number | undefined>
  /** The connection is no more. */
  readonly gone: Promise<void>
  /** Payloads of the text frames that have come. */
  readonly texts: string[] = []
  pings = 0
  pongs = 0
  /** What the upgrade was answered with. */
  answer = ''
  private unread = Buffer.alloc(0)
  private isUpgraded = false
  private onStatus: (status: number) => void = () => undefined
  private onCloseCode: (code: number | undefined) => void = () => undefined

  constructor(
    port: number,
    { path = '/ws', method = 'GET', version = '13', key = KEY, headers = [] }: RawUpgrade = {},
  ) {
    this.status = new Promise((resolve) => (this.onStatus = resolve))
    this.closeCode = new Promise((resolve) => (this.onCloseCode = resolve))
    // Half-open is allowed: the gateway's FIN is not answered.
    this.socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
    this.socket.on('error', () => undefined)
    this.socket.on('data', (chunk: Buffer) => this.onData(chunk))
    this.socket.on('end', () => this.onCloseCode(undefined))
    this.gone = new Promise((resolve) => {
      this.socket.on('close', () => {
        this.onStatus(0)
        this.onCloseCode(undefined)
        resolve()
      })
    })
    const head = [
      `${method} ${path} HTTP/1.1`,
      'Host: gateway.test',
      'Upgrade: websocket',
      'Connection: Upgrade',
      `Sec-WebSocket-Version: ${version}`,
      `Sec-WebSocket-Key: ${key}`,
      ...headers,
      '\r\n',
    ]
    // A header may have any byte above 0x7f.
    this.socket.write(head.join('\r\n'), 'latin1')
  }

  write(...bytes: readonly Uint8Array[]): void {
    this.socket.write(Buffer.concat(bytes))
  }

  private onData(chunk: Buffer): void {
    this.unread = Buffer.concat([this.unread, chunk])
    if (!this.isUpgraded) this.readHead()
    if (this.isUpgraded) while (this.readFrame());
  }

  private readHead(): void {
    const end = this.unread.indexOf('\r\n\r\n')
    if (end < 0) return
    this.answer = this.unread.toString('latin1')
    const status = Number(/^HTTP\/1\.1 (\d+)/.exec(this.answer)?.[1])
    this.unread = this.unread.subarray(end + 4)
    this.isUpgraded = status === 101
    this.onStatus(status)
  }

  /** `false`: not all of it is here yet. */
  private readFrame(): boolean {
    const { unread } = this
    if (unread.length < 2) return false
    const short = (unread[1] ?? 0) & 0x7f
    const start = short === 126 ? 4 : short === 127 ? 10 : 2
    if (unread.length < start) return false
    const length = short === 126 ? unread.readUInt16BE(2) : short === 127 ? Number(unread.readBigUInt64BE(2)) : short
    if (unread.length < start + length) return false
    const payload = unread.subarray(start, start + length)
    this.unread = unread.subarray(start + length)
    this.onFrame((unread[0] ?? 0) & 0x0f, payload)
    return true
  }

  private onFrame(opcode: number, payload: Buffer): void {
    if (opcode === OPCODE.text) this.texts.push(payload.toString())
    else if (opcode === OPCODE.ping) this.pings++
    else if (opcode === OPCODE.pong) this.pongs++
    else if (opcode === OPCODE.close) this.onCloseCode(payload.length < 2 ? 1005 : payload.readUInt16BE(0))
  }
}
