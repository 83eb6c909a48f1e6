/**
 * What a client says beside its messages: each control, read from what was in a frame. Pure. docs/gateway-protocol.md lists them.
 */

/** A client's first frame. */
export interface Hello {
  readonly token: string | undefined
  readonly resume: { readonly token: string; readonly seq: number } | undefined
}

/** Any other. */
export type ClientControl =
  /** It has all messages up to this number. */
  | { readonly type: 'ack'; readonly seq: number }
  /** A fresh token. */
  | { readonly type: 'auth'; readonly token: string }
  | { readonly type: 'ping' }
  /** A few words for the log. */
  | { readonly type: 'malformed'; readonly problem: string }

type Fields = Readonly<Record<string, unknown>>

export function helloOf({ type, token, resume }: Fields): Hello | undefined {
  if (type !== 'hello' || (token !== undefined && typeof token !== 'string')) return undefined
  if (resume === undefined || resume === null) return { token, resume: undefined }
  if (typeof resume !== 'object') return undefined
  const { token: ticket, seq } = resume as { readonly token?: unknown; readonly seq?: unknown }
  if (typeof ticket !== 'string' || typeof seq !== 'number') return undefined
  return { token, resume: { token: ticket, seq } }
}

export function controlOf({ type, seq, token }: Fields): ClientControl {
  switch (type) {
    case 'ack':
      return typeof seq === 'number' ? { type, seq } : malformed('an ack of what was not sent')
    case 'auth':
      return typeof token === 'string' ? { type, token } : malformed('auth without a token')
    case 'ping':
      return { type }
    default:
      return malformed('an unknown control')
  }
}

function malformed(problem: string): ClientControl {
  return { type: 'malformed', problem }
}
