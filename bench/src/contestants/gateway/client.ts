/**
 * A client of a gateway that costs little beside what it measures: a TCP socket whose bytes are cut into frames, with one buffer for all of them. It is the
 * same for all contestants, and speaks the packets of Socket.IO (https://socket.io/docs/v4/socket-io-protocol) where these are asked for.
 *
 *   connect ─▶ upgrade ─▶ [socket.io: 0{…} ─▶ 40 ─▶ 40{…}] ─▶ the first message: it is registered ─▶ messages
 */
import { connect, type Socket } from 'node:net'
import { clientFrame, FrameReader, OPCODE } from './frames.ts'

export type Dialect = 'bare' | 'socket.io'

export interface ClientOptions {
  readonly port: number
  readonly dialect: Dialect
  /** Of the URL, from `?` on. */
  readonly query: string
  /** The server has said that it knows this client: the first message. */
  readonly onReady: () => void
  /** Another message: the bytes of `data`, lent for the call only, from `start` up to `end`. */
  readonly onMessage: (data: Buffer, start: number, end: number) => void
  /** Not called after `end`. */
  readonly onLost: (why: string) => void
}

const HEAD_END = Buffer.from('\r\n\r\n')
const PATHS: Readonly<Record<Dialect, string>> = {
  bare: '/ws?',
  'socket.io': '/socket.io/?EIO=4&transport=websocket&',
}
/** The first bytes of Engine.IO's packets. */
const [OPEN, PING, MESSAGE, EVENT] = Buffer.from('0242')

/** One for all clients of this process: each is done with it before the next is read. */
export class ReadBuffer {
  readonly bytes: Buffer = Buffer.allocUnsafe(64 * 1024)
}

export class Client {
  private readonly options: ClientOptions
  private readonly socket: Socket
  private readonly reader = new FrameReader((opcode, data, start, end) => this.onFrame(opcode, data, start, end))
  /** What has come of the answer to the upgrade; `undefined` when it has been read. */
  private head: Buffer | undefined = Buffer.alloc(0)
  private isReady = false
  private isEnded = false

  constructor(options: ClientOptions, { bytes }: ReadBuffer) {
    this.options = options
    const { port, dialect, query } = options
    this.socket = connect({
      port,
      host: '127.0.0.1',
      noDelay: true,
      onread: {
        buffer: bytes,
        callback: (length) => {
          this.onData(bytes.subarray(0, length))
          return true
        },
      },
    })
    this.socket.on('error', (error) => this.lose(error.message))
    this.socket.on('close', () => this.lose('closed by the server'))
    this.socket.write(
      [
        `GET ${PATHS[dialect]}${query} HTTP/1.1`,
        `Host: 127.0.0.1:${port}`,
        'Upgrade: websocket',
        'Connection: Upgrade',
        'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
        'Sec-WebSocket-Version: 13',
        '\r\n',
      ].join('\r\n'),
    )
  }

  /** Resolves when the socket is closed. */
  end(): Promise<void> {
    this.isEnded = true
    return new Promise((resolve) => {
      if (this.socket.closed) resolve()
      else this.socket.once('close', () => resolve()).destroy()
    })
  }

  private onData(chunk: Buffer): void {
    if (this.isEnded) return
    try {
      if (this.head === undefined) this.reader.read(chunk)
      else this.onHead(Buffer.concat([this.head, chunk]))
    } catch (error) {
      this.lose(error instanceof Error ? error.message : String(error))
    }
  }

  private onHead(head: Buffer): void {
    const end = head.indexOf(HEAD_END)
    this.head = end < 0 ? head : undefined
    if (end < 0) return
    const status = head.toString('latin1', 0, head.indexOf('\r\n'))
    if (!status.startsWith('HTTP/1.1 101 ')) throw new Error(`no upgrade: ${status}`)
    this.reader.read(head.subarray(end + HEAD_END.length))
  }

  private onFrame(opcode: number, data: Buffer, start: number, end: number): void {
    if (opcode === OPCODE.text) {
      if (this.options.dialect === 'bare') this.onMessage(data, start, end)
      else this.onPacket(data, start, end)
    } else if (opcode === OPCODE.ping) {
      this.socket.write(clientFrame(OPCODE.pong, data.subarray(start, end)))
    } else {
      const code = opcode === OPCODE.close && end - start >= 2 ? ` ${data.readUInt16BE(start)}` : ''
      throw new Error(`frame ${opcode}${code}`)
    }
  }

  private onPacket(data: Buffer, start: number, end: number): void {
    const type = data[start]
    if (type === MESSAGE && data[start + 1] === EVENT) this.onMessage(data, start, end)
    else if (type === OPEN) this.socket.write(clientFrame(OPCODE.text, Buffer.from('40')))
    else if (type === PING) this.socket.write(clientFrame(OPCODE.text, Buffer.from('3')))
  }

  private onMessage(data: Buffer, start: number, end: number): void {
    if (this.isReady) {
      this.options.onMessage(data, start, end)
      return
    }
    this.isReady = true
    this.options.onReady()
  }

  private lose(why: string): void {
    if (this.isEnded) return
    this.isEnded = true
    this.socket.destroy()
    this.options.onLost(why)
  }
}
