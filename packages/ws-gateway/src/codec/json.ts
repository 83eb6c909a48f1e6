/**
 * `pidmesh.json.1`: JSON text, an array of messages or a control. What JSON.stringify makes of a message is its form: a Date is text, and what it leaves out
 * (functions and `undefined` in objects) is left out.
 */
import { PidmeshError } from '@pidmesh/runtime'
import { contentsOf, malformed, MAX_DEPTH, type Codec, type Decoded } from './codec.ts'
import { jsonText, parseJson } from './json-text.ts'

export class JsonCodec implements Codec {
  readonly name = 'json'
  readonly isBinary = false

  encodeMessage(message: unknown): string | undefined {
    // By itself first: within an array a function would become null.
    const text = jsonText(message)
    return text === undefined ? undefined : `[${text}]`
  }

  encodeControl(control: object): string {
    const text = jsonText(control)
    if (text === undefined) throw new PidmeshError('ERR_BAD_ARGUMENT', 'a control that has no form in JSON')
    return text
  }

  decode(data: Buffer): Decoded {
    const parsed = parseJson(data, MAX_DEPTH + 1)
    return 'problem' in parsed ? malformed(parsed.problem) : contentsOf(parsed.value)
  }
}
