/**
 * What a client must pass before it gets a socket: path, origin, limits, authentication. A refusal is an HTTP status and one line.
 */
import type { IncomingMessage } from 'node:http'
import { STATUS_CODES } from 'node:http'
import type { Duplex } from 'node:stream'
import type { UpgradeRequest } from './options.ts'

export interface Refusal {
  readonly status: 400 | 401 | 403 | 404 | 408 | 503
  readonly text: string
}

/** The request's parts that authentication may use; `undefined` if its URL is none. */
export function parseUpgrade(request: IncomingMessage): UpgradeRequest | undefined {
  // The host plays no part: it only makes the path a URL.
  const base = 'http://gateway'
  if (request.url === undefined || !URL.canParse(request.url, base)) return undefined
  return {
    url: new URL(request.url, base),
    headers: request.headers,
    remoteAddress: request.socket.remoteAddress ?? '',
  }
}

/** Whether a page of this origin may connect. Programs that aren't browsers send no Origin. */
export function isOriginAllowed(
  origin: string | undefined,
  host: string | undefined,
  allowed: readonly string[] | '*' | undefined,
): boolean {
  if (origin === undefined || allowed === '*') return true
  if (allowed !== undefined) return allowed.includes(origin)
  return URL.canParse(origin) && new URL(origin).host === host
}

/** Ends a connection that asked for an upgrade. */
export function refuse(socket: Duplex, { status, text }: Refusal): void {
  if (socket.destroyed) return
  const body = `${text}\n`
  const lines = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}`,
    'Connection: close',
    'Content-Type: text/plain; charset=utf-8',
    `Content-Length: ${Buffer.byteLength(body)}`,
  ]
  socket.end(`${lines.join('\r\n')}\r\n\r\n${body}`, () => socket.destroy())
}
