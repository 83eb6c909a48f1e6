/** Frames as a program sends them that does not care what they should hold. */
import { pidmesh } from '../../src/wire/generated/dist.js'

export type RawSignal = pidmesh.Signal.$Properties

export function rawSignals(...signals: RawSignal[]): Uint8Array {
  return pidmesh.Envelope.encode({ data: { signals } }).finish()
}
