/** Frames as a program sends them that does not care what they should hold. */
import type { Slice } from '../../src/slice.ts'
import { pidmesh } from '../../src/wire/generated/dist.js'

export type RawSignal = pidmesh.Signal.$Properties

export function rawSignals(...signals: RawSignal[]): Uint8Array {
  return pidmesh.Envelope.encode({ data: { signals } }).finish()
}

/** As an array of their own class, which shares the bytes. */
export function viewOf({ bytes, start, end }: Slice): Uint8Array {
  return new Uint8Array(bytes.buffer, bytes.byteOffset + start, end - start)
}
