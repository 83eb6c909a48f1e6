/**
 * What a codec is, and the one for JSON. docs/gateway-protocol.md says what stands in a frame.
 *
 * Messages are encoded when they are sent, and not when they go out: what is changed afterwards doesn't matter, and what has no form is the caller's fault.
 */
import { ClientError } from './errors.ts'

/** Text, or bytes for a binary frame. */
export type Encoded = string | Uint8Array<ArrayBuffer>

export interface Codec {
  readonly subprotocol: string
  /** @throws ClientError `ERR_NOT_SENDABLE` if it has no form */
  readonly encode: (message: unknown) => Encoded
  /** A frame with these messages, which it has encoded itself. */
  readonly frame: (messages: readonly Encoded[]) => Encoded
  readonly control: (control: object) => Encoded
  /** May throw anything at what is none of its frames. `data`: text or an `ArrayBuffer`. */
  readonly decode: (data: unknown) => unknown
}

/** The default: text frames. */
export const json: Codec = {
  subprotocol: 'pidmesh.json.1',
  encode: (message) => {
    let text: string | undefined
    let cause: unknown
    try {
      text = JSON.stringify(message)
    } catch (error) {
      // A cycle, a BigInt, a toJSON that throws.
      cause = error
    }
    if (text === undefined) throw notSendable(cause)
    return text
  },
  frame: (messages) => `[${messages.join()}]`,
  control: (control) => JSON.stringify(control),
  decode: (data) => JSON.parse(data as string) as unknown,
}

export function notSendable(cause: unknown): ClientError {
  return new ClientError('ERR_NOT_SENDABLE', 'the message has no form in the codec', { cause })
}
