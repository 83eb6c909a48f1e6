/**
 * Frames without a subprotocol: JSON text, one message each, no controls.
 */
import { PidmeshError } from '@pidmesh/runtime'
import { malformed, type Codec, type Decoded } from './codec.ts'
import { jsonText, parseJson } from './json-text.ts'

export class BareCodec implements Codec {
  readonly name = 'bare'
  readonly isBinary = false

  encodeMessage(message: unknown): string | undefined {
    return jsonText(message)
  }

  encodeControl(_control: object): never {
    throw new PidmeshError('ERR_BAD_ARGUMENT', 'a client without a subprotocol knows no controls')
  }

  decode(data: Buffer): Decoded {
    const parsed = parseJson(data)
    return 'problem' in parsed ? malformed(parsed.problem) : { type: 'messages', messages: [parsed.value] }
  }
}
