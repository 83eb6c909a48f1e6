/**
 * The WebSocket that a gateway's `WebSocketServer` makes: it tells its connection what happens, which is the only one that listens. So it has no table of listeners, not even an empty one: that would be 184 bytes a socket, and a quarter of a kilobyte more in use.
 */
import { WebSocket, type RawData } from 'ws'

/** What a socket tells. */
export interface SocketListener {
  onMessage(data: Buffer, isBinary: boolean): void
  onPing(): void
  onPong(): void
  /** A close frame with this code is about to be written; `undefined`: with none. */
  onClosing(code: number | undefined): void
  onError(error: Error): void
  onClosed(code: number, reason: string): void
}

export class GatewaySocket extends WebSocket {
  /** Of Node.js: the table of listeners. Where there is none it makes one when somebody listens. */
  protected _events: object | undefined = undefined
  private listener: SocketListener | undefined = undefined

  /** From now on it is told what happens on the socket. */
  tell(listener: SocketListener): void {
    this.listener = listener
  }

  /** `ws` calls it, too, when it answers the client's close frame or refuses what the client has sent. */
  override close(code?: number, reason?: string | Buffer): void {
    this.listener?.onClosing(code)
    super.close(code, reason)
  }

  /** `ws` says with it what happens; nobody else does. */
  override emit(event: string | symbol, ...told: unknown[]): boolean {
    const { listener } = this
    if (listener === undefined) return super.emit(event, ...told)
    switch (event) {
      case 'message':
        listener.onMessage(bytesOf(told[0] as RawData), told[1] as boolean)
        return true
      case 'ping':
        listener.onPing()
        return true
      case 'pong':
        listener.onPong()
        return true
      case 'error':
        listener.onError(told[0] as Error)
        return true
      case 'close':
        listener.onClosed(told[0] as number, (told[1] as Buffer).toString('utf8'))
        return true
      default:
        return super.emit(event, ...told)
    }
  }
}

/** `ws` gives a Buffer unless it is told otherwise. */
function bytesOf(data: RawData): Buffer {
  if (Array.isArray(data)) return Buffer.concat(data)
  return data instanceof ArrayBuffer ? Buffer.from(data) : data
}
