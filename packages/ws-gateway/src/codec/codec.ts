/**
 * What a codec is: frames to messages and controls, and back. docs/gateway-protocol.md says what stands in a frame.
 *
 *   message ─▶ encodeMessage ─▶ one payload, the same bytes for every socket of the codec
 *   payload ─▶ decode ─▶ messages | a control | malformed
 *
 * Invariants: `decode` never throws, and what it costs is in proportion to the payload, whatever that declares; what it gives has no key `__proto__`, and is
 * nested MAX_DEPTH levels deep at most. A message that has no form is `undefined`, no error: what is pushed may be anything.
 *
 * Not here: which client speaks which codec (protocols.ts), how large a payload may be (`maxPayloadBytes`), what a control or a message must look like.
 */

/** In one frame from a client. */
export const MAX_MESSAGES = 256

/**
 * How deep a message or a control from a client may be nested: a value that holds nothing has no level, `[]` has one. Messages to other nodes may have 100
 * levels: what a session wraps a client's message in has room.
 */
export const MAX_DEPTH = 64

export type CodecName = 'bare' | 'json' | 'msgpack'

export type Decoded =
  | { readonly type: 'messages'; readonly messages: unknown[] }
  | { readonly type: 'control'; readonly control: Record<string, unknown> }
  /** What is wrong with it: a few words for the log, nothing of what the client sent in them. */
  | { readonly type: 'malformed'; readonly problem: string }

/** What stands in a frame: text for a text frame, bytes for a binary one. */
export type Payload = string | Uint8Array

export interface Codec {
  readonly name: CodecName
  /** Whether its frames are binary ones. A client's frame of the other kind is not for `decode`. */
  readonly isBinary: boolean
  /** A WebSocket payload with exactly this message; `undefined` if the message has no form. */
  encodeMessage(message: unknown): Payload | undefined
  /**
   * A WebSocket payload with this control.
   * @throws PidmeshError `ERR_BAD_ARGUMENT` if it has no form, or the codec no controls
   */
  encodeControl(control: object): Payload
  decode(data: Buffer): Decoded
}

export function malformed(problem: string): Decoded {
  return { type: 'malformed', problem }
}

/** What a frame of a codec with controls holds, once it is a value. */
export function contentsOf(value: unknown): Decoded {
  if (Array.isArray(value)) {
    if (value.length === 0) return malformed('a frame without a message')
    if (value.length > MAX_MESSAGES) return malformed(`more than ${MAX_MESSAGES} messages in a frame`)
    return { type: 'messages', messages: value }
  }
  if (isObject(value)) return { type: 'control', control: value }
  return malformed('neither messages nor a control')
}

function isObject(value: unknown): value is Record<string, unknown> {
  // Of all that a decoder makes, bytes and dates are objects, too.
  return typeof value === 'object' && value !== null && !(value instanceof Uint8Array) && !(value instanceof Date)
}
