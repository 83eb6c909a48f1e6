/**
 * What a client must pass before it gets a socket: path, origin, limits, authentication. A refusal is an HTTP status and one line.
 */
import type { IncomingMessage } from 'node:http'
import { STATUS_CODES } from 'node:http'
import type { Duplex } from 'node:stream'
import type { BlockList } from 'node:net'
import { clientAddress } from './client-address.ts'
import { findToken, unwantedQueryToken, type CredentialOptions } from './credentials.ts'
import type { UpgradeRequest } from './options.ts'

export interface Refusal {
  readonly status: 400 | 401 | 403 | 404 | 405 | 408 | 429 | 503
  readonly text: string
  /** Seconds after which to come again. */
  readonly retryAfterS?: number
  /** Further lines of the head. */
  readonly headers?: readonly string[]
}

/** The URL that is asked for; `undefined` if it is none. */
export function urlOf(request: IncomingMessage): URL | undefined {
  // The host plays no part: it only makes the path a URL.
  const base = 'http://gateway'
  return request.url === undefined || !URL.canParse(request.url, base) ? undefined : new URL(request.url, base)
}

/** An absolute URL is asked for by who takes the gateway for a proxy, and is to be answered (RFC 9112 section 3.2.2). */
const TARGET = /^(?:https?:\/\/[^/\\?#]+)?([^?#]*)/i

/**
 * The path as it stands in the request. That of the URL is another one: `/ws/../metrics` and `//ws/metrics` are `/metrics` there, and a proxy that lets `/ws` through
 * may have gone by what stands here.
 */
export function pathOf({ url = '' }: IncomingMessage): string {
  return TARGET.exec(url)?.[1] ?? ''
}

/** The request's parts that authentication may use; or why it is refused. */
export function parseUpgrade(
  request: IncomingMessage,
  url: URL,
  { tokens, trustedProxies }: { readonly tokens: CredentialOptions; readonly trustedProxies: BlockList },
): UpgradeRequest | Refusal {
  if (unwantedQueryToken(url.searchParams, tokens) !== undefined)
    return { status: 400, text: 'a token in the URL ends up in logs: send it in a header, a subprotocol or a message' }
  const found = findToken(request.headers, url.searchParams, tokens)
  const forwardedFor = request.headers['x-forwarded-for']
  return {
    url,
    headers: request.headers,
    remoteAddress: clientAddress(
      request.socket.remoteAddress,
      typeof forwardedFor === 'string' ? forwardedFor : forwardedFor?.join(','),
      trustedProxies,
    ),
    token: found?.token,
    tokenFrom: found?.from,
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

/** An origin, or a host, for a log line, if it is one that a browser may send: of whatever else a client sends nothing stands there. */
export function shownAddress(text: string | undefined): string {
  const isOfBrowser = text !== undefined && /^([a-z][a-z0-9+-]{0,20}:\/\/)?[a-z0-9.:[\]-]{1,260}$/.test(text)
  return isOfBrowser ? text : '(none that a browser sends)'
}

/** Ends a connection that asked for an upgrade. */
export function refuse(socket: Duplex, { status, text, retryAfterS, headers = [] }: Refusal): void {
  if (socket.destroyed) return
  const body = `${text}\n`
  const lines = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}`,
    'Connection: close',
    'Content-Type: text/plain; charset=utf-8',
    `Content-Length: ${Buffer.byteLength(body)}`,
    ...(retryAfterS === undefined ? [] : [`Retry-After: ${retryAfterS}`]),
    ...headers,
  ]
  socket.end(`${lines.join('\r\n')}\r\n\r\n${body}`, () => socket.destroy())
}
