/**
 * Where the token of an upgrade stands. Of several places the first in this order counts:
 *
 *   header        Authorization: Bearer <token>                       programs; browsers can't set it
 *   subprotocol   Sec-WebSocket-Protocol: pidmesh.json.1, pidmesh.token.<token>
 *                                                                      browsers: `new WebSocket(url, ['pidmesh.json.1', 'pidmesh.token.' + token])`
 *   cookie        Cookie: <name>=<token>, if a name is configured     browsers, by themselves
 *   query         ?<name>=<token>, if a name is configured            what can do nothing else
 *
 * A cookie comes with every upgrade that a browser makes, also for a page of somebody else: whoever takes it must hold the `Origin` against a list (RFC 6455
 * section 10.2), or any page opens a socket as its visitor. `SameSite=Strict` or `Lax` helps, and does not do it alone.
 *
 * A token in a query ends up in the logs of every proxy on the way (RFC 6750 sections 2.3 and 5.3): without the opt-in one that is there is told, so that
 * it is refused in words rather than passed over; `redactQuery` is for lines about URLs.
 *
 * A token is text of at most 8 KiB as it stands, without blanks; a longer one is none. Not here: whether it is good.
 */
import type { IncomingHttpHeaders } from 'node:http'
import { PidmeshError, shown } from '@pidmesh/runtime'

export interface CredentialOptions {
  /** The cookie that may have the token. Needs a check of the Origin. @default none */
  readonly cookie?: string | undefined
  /** The parameter of the URL's query that may have the token. @default none */
  readonly queryParameter?: string | undefined
}

export interface FoundToken {
  readonly token: string
  readonly from: 'header' | 'subprotocol' | 'cookie' | 'query'
}

const TOKEN_SUBPROTOCOL = 'pidmesh.token.'
const MAX_TOKEN_LENGTH = 8 * 1024
const MAX_SUBPROTOCOLS = 16
/** What a token is called in a query (RFC 6750 section 2.3), or often. */
const QUERY_TOKENS = ['access_token', 'token']

/** @throws PidmeshError `ERR_BAD_OPTION` */
export function checkCredentialOptions({ cookie, queryParameter }: CredentialOptions): CredentialOptions {
  // The names that a cookie may have: RFC 6265 section 4.1.1.
  if (cookie !== undefined && (typeof cookie !== 'string' || !/^[\w!#$%&'*+.^`|~-]{1,128}$/.test(cookie)))
    throw new PidmeshError(
      'ERR_BAD_OPTION',
      `the name of a cookie is letters, digits, _ and the like, not ${shown(cookie)}`,
    )
  if (queryParameter !== undefined && (typeof queryParameter !== 'string' || !/^[\w.-]{1,128}$/.test(queryParameter)))
    throw new PidmeshError(
      'ERR_BAD_OPTION',
      `the name of a query parameter is letters, digits, _, . and -, not ${shown(queryParameter)}`,
    )
  return { cookie, queryParameter }
}

/** The token of an upgrade, if it has one. */
export function findToken(
  headers: IncomingHttpHeaders,
  query: URLSearchParams,
  { cookie, queryParameter }: CredentialOptions,
): FoundToken | undefined {
  return (
    found('header', bearerOf(headers.authorization)) ??
    found('subprotocol', subprotocolToken(headers['sec-websocket-protocol'])) ??
    found('cookie', cookie === undefined ? undefined : cookieOf(headers.cookie, cookie)) ??
    found('query', queryParameter === undefined ? undefined : onlyOne(query.getAll(queryParameter)))
  )
}

/** The name of a parameter that looks like a token, and isn't the one that is configured: an upgrade with it is to be refused. */
export function unwantedQueryToken(query: URLSearchParams, { queryParameter }: CredentialOptions): string | undefined {
  return QUERY_TOKENS.find((name) => name !== queryParameter && query.has(name))
}

/** What a client offers, in its order, but not its token: for `chooseProtocol`. At most 16. */
export function offeredSubprotocols(header: string | undefined): string[] {
  return protocolsOf(header).filter((one) => !one.startsWith(TOKEN_SUBPROTOCOL))
}

/** Whether it is one at all, wherever it stands. */
export function isToken(text: string): boolean {
  return text.length <= MAX_TOKEN_LENGTH && /^[!-~]+$/.test(text)
}

function found(from: FoundToken['from'], token: string | undefined): FoundToken | undefined {
  return token !== undefined && isToken(token) ? { token, from } : undefined
}

function bearerOf(header: string | undefined): string | undefined {
  // The scheme in any case (RFC 9110 section 11.1).
  return header === undefined ? undefined : /^bearer +(\S+) *$/i.exec(header)?.[1]
}

function subprotocolToken(header: string | undefined): string | undefined {
  const tokens = protocolsOf(header).filter((one) => one.startsWith(TOKEN_SUBPROTOCOL))
  return onlyOne(tokens)?.slice(TOKEN_SUBPROTOCOL.length)
}

function protocolsOf(header: string | undefined): string[] {
  return header === undefined ? [] : header.split(',', MAX_SUBPROTOCOLS).map((one) => one.trim())
}

/** Two cookies of a name with different values: one of them may have been put there from a neighbouring host, and it can't be told which. */
function cookieOf(header: string | undefined, name: string): string | undefined {
  if (header === undefined) return undefined
  const values = header.split(';').flatMap((pair) => {
    const equals = pair.indexOf('=')
    if (equals < 0 || pair.slice(0, equals).trim() !== name) return []
    return pair
      .slice(equals + 1)
      .trim()
      .replace(/^"(.*)"$/, '$1')
  })
  return onlyOne([...new Set(values)])
}

function onlyOne(values: readonly string[]): string | undefined {
  return values.length === 1 ? values[0] : undefined
}
