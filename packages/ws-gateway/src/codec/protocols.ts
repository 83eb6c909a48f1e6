/**
 * The subprotocols that a client may ask for, and the codec of each, in one table.
 */
import { BareCodec } from './bare.ts'
import type { Codec, CodecName } from './codec.ts'
import { JsonCodec } from './json.ts'
import { MsgpackCodec } from './msgpack.ts'

export interface Protocol {
  /** What stands in `Sec-WebSocket-Protocol` of the answer; `undefined`: no such header. */
  readonly subprotocol: string | undefined
  readonly codec: CodecName
}

export const PROTOCOLS: readonly Protocol[] = [
  { subprotocol: 'pidmesh.json.1', codec: 'json' },
  { subprotocol: 'pidmesh.msgpack.1', codec: 'msgpack' },
]

const BARE: Protocol = { subprotocol: undefined, codec: 'bare' }

/**
 * The first of the client's that is known, as it lists them in the order of its preference (RFC 6455 section 4.1); the bare one if none is. Browsers, and `ws`,
 * fail a connection for which they have offered something and are answered nothing: a page that brings its token as a subprotocol offers one of the table, too.
 */
export function chooseProtocol(offered: Iterable<string>): Protocol {
  for (const one of offered) {
    const known = PROTOCOLS.find(({ subprotocol }) => subprotocol === one)
    if (known !== undefined) return known
  }
  return BARE
}

/** One of each: a gateway needs no more. */
export function createCodecs(): Readonly<Record<CodecName, Codec>> {
  return { bare: new BareCodec(), json: new JsonCodec(), msgpack: new MsgpackCodec() }
}
