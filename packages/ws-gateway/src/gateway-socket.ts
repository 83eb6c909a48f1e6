/**
 * The WebSocket that a gateway's `WebSocketServer` makes: it knows its connection, so that all sockets share their listeners and none needs closures of its own.
 */
import { WebSocket, type RawData } from 'ws'

/** What a socket tells. */
export interface SocketListener {
  onMessage(data: Buffer, isBinary: boolean): void
  onPing(): void
  onPong(): void
  onError(error: Error & { code?: unknown }): void
  onClosed(code: number, reason: string): void
}

export class GatewaySocket extends WebSocket {
  private listener: SocketListener | undefined = undefined

  /** From now on it is told what happens on the socket. */
  tell(listener: SocketListener): void {
    this.listener = listener
    this.on('message', onMessage)
    this.on('pong', onPong)
    this.on('ping', onPing)
    this.on('error', onError)
    this.on('close', onClose)
  }

  /** @internal For the listeners below. */
  get told(): SocketListener | undefined {
    return this.listener
  }
}

function onMessage(this: WebSocket, data: RawData, isBinary: boolean): void {
  if (this instanceof GatewaySocket) this.told?.onMessage(bytesOf(data), isBinary)
}

function onPing(this: WebSocket): void {
  if (this instanceof GatewaySocket) this.told?.onPing()
}

function onPong(this: WebSocket): void {
  if (this instanceof GatewaySocket) this.told?.onPong()
}

function onError(this: WebSocket, error: Error): void {
  if (this instanceof GatewaySocket) this.told?.onError(error)
}

function onClose(this: WebSocket, code: number, reason: Buffer): void {
  if (this instanceof GatewaySocket) this.told?.onClosed(code, reason.toString('utf8'))
}

/** `ws` gives a Buffer unless it is told otherwise. */
function bytesOf(data: RawData): Buffer {
  if (Array.isArray(data)) return Buffer.concat(data)
  return data instanceof ArrayBuffer ? Buffer.from(data) : data
}
