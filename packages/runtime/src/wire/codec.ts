/**
 * Frames from and to bytes: the only importer of the generated code. Whatever is malformed is `ERR_BAD_TERM`, which closes the connection.
 *
 * Frames of data are read by wire/signal-reader.ts, and made by the wire/signal-writer.ts of each connection.
 */
import { assertNever } from '../assert-never.ts'
import { PidmeshError } from '../errors.ts'
import { isAddress, isNodeName, isPositiveInteger } from '../ids.ts'
import type { Signal } from '../signals/signal.ts'
import { sliceOf } from '../slice.ts'
import type { ClaimedIdentity, ControlMessage, Frame, HandshakeMessage, PeerAddress } from './frame.ts'
import { pidmesh } from './generated/dist.js'
import { DATA_TAG } from './protobuf.ts'
import { SignalReader } from './signal-reader.ts'
import { SignalWriter } from './signal-writer.ts'
import type { TermCodec } from './term.ts'

/** Peers that one `peers` message may name. */
const MAX_PEERS = 1_024

/** A frame that this codec makes; those of data come from a `SignalWriter`. */
export type OwnFrame = Exclude<Frame, { readonly type: 'data' }>

export class FrameCodec {
  private readonly terms: TermCodec
  private readonly signals: SignalReader

  constructor(terms: TermCodec) {
    this.terms = terms
    this.signals = new SignalReader(terms)
  }

  signalWriter(): SignalWriter {
    return new SignalWriter(this.terms)
  }

  encode(frame: OwnFrame): Uint8Array {
    return pidmesh.Envelope.encode(toEnvelope(frame)).finish()
  }

  /** @throws PidmeshError `ERR_BAD_TERM` */
  decode(bytes: Uint8Array): Frame {
    if (bytes[0] === DATA_TAG) return { type: 'data', signals: this.signals.readFrame(bytes) }
    let envelope: pidmesh.Envelope
    try {
      envelope = pidmesh.Envelope.decode(bytes)
    } catch (cause) {
      throw bad('not an envelope', cause)
    }
    if (envelope.control != null) return { type: 'control', message: toControl(envelope.control) }
    if (envelope.handshake != null) return { type: 'handshake', message: toHandshake(envelope.handshake) }
    if (envelope.part != null) {
      const { transfer, bytes: part, last } = envelope.part
      return { type: 'part', transfer: transfer ?? 0, bytes: bytesOf(part), last: last ?? false }
    }
    throw bad('an envelope of an unknown layer')
  }

  /**
   * The signals of a large signal's parts, put together.
   * @throws PidmeshError `ERR_BAD_TERM`
   */
  decodeParts(data: Uint8Array): Signal[] {
    return this.signals.read(sliceOf(data))
  }
}

function toEnvelope(frame: OwnFrame): pidmesh.Envelope.$Properties {
  switch (frame.type) {
    case 'control':
      return { control: fromControl(frame.message) }
    case 'handshake':
      return { handshake: fromHandshake(frame.message) }
    case 'part': {
      const { transfer, bytes, last } = frame
      return { part: { transfer, bytes, last } }
    }
    default:
      return assertNever(frame)
  }
}

function fromHandshake(message: HandshakeMessage): pidmesh.Handshake.$Properties {
  switch (message.type) {
    case 'hello': {
      const { version, oldestVersion, node, nonce, address, isHidden, tickMs } = message
      const { name, incarnation } = node
      return { hello: { version, oldestVersion, name, incarnation, nonce, address, hidden: isHidden, tickMs } }
    }
    case 'challenge': {
      const { version, node, nonce } = message
      return { challenge: { version, name: node.name, incarnation: node.incarnation, nonce } }
    }
    case 'proof':
      return { proof: { mac: message.mac } }
    case 'accepted':
      return {
        accepted: { mac: message.mac, address: message.address, hidden: message.isHidden, tickMs: message.tickMs },
      }
    case 'refused':
      return {
        refused: {
          code: message.code,
          oldestVersion: message.versions?.oldest ?? 0,
          newestVersion: message.versions?.newest ?? 0,
        },
      }
    default:
      return assertNever(message)
  }
}

function toHandshake(wire: pidmesh.Handshake.$Properties): HandshakeMessage {
  if (wire.hello != null) {
    const { version, oldestVersion, nonce, address, hidden, tickMs } = wire.hello
    return {
      type: 'hello',
      version: version ?? 0,
      oldestVersion: oldestVersion || (version ?? 0),
      isHidden: hidden ?? false,
      tickMs: tickOf(tickMs),
      node: claimed(wire.hello),
      nonce: bytesOf(nonce),
      address: addressOf(address),
    }
  }
  if (wire.challenge != null) {
    const { version, nonce } = wire.challenge
    return { type: 'challenge', version: version ?? 0, node: claimed(wire.challenge), nonce: bytesOf(nonce) }
  }
  if (wire.proof != null) return { type: 'proof', mac: bytesOf(wire.proof.mac) }
  if (wire.accepted != null) {
    const { mac, address, hidden, tickMs } = wire.accepted
    return {
      type: 'accepted',
      mac: bytesOf(mac),
      address: addressOf(address),
      isHidden: hidden ?? false,
      tickMs: tickOf(tickMs),
    }
  }
  if (wire.refused != null) {
    const { code, oldestVersion, newestVersion } = wire.refused
    const versions = newestVersion ? { oldest: oldestVersion ?? 0, newest: newestVersion } : undefined
    return { type: 'refused', code: code ?? '', versions }
  }
  throw bad('an unknown step of the handshake')
}

function fromControl(message: ControlMessage): pidmesh.Control.$Properties {
  switch (message.type) {
    case 'tick':
      return { tick: { heardAgeMs: message.heardAgeMs } }
    case 'goodbye':
      return { goodbye: { reason: message.reason } }
    case 'peers':
      return { peers: { peers: message.peers.slice(0, MAX_PEERS).map(({ name, address }) => ({ name, address })) } }
    default:
      return assertNever(message)
  }
}

function toControl(wire: pidmesh.Control.$Properties): ControlMessage {
  if (wire.tick != null) {
    const heardAgeMs = wire.tick.heardAgeMs ?? 0
    if (!(heardAgeMs >= 0)) throw bad('a tick with a negative age')
    return { type: 'tick', heardAgeMs }
  }
  if (wire.goodbye != null)
    return { type: 'goodbye', reason: wire.goodbye.reason === 'shutdown' ? 'shutdown' : 'disconnect' }
  if (wire.peers != null) {
    const peers = wire.peers.peers ?? []
    if (peers.length > MAX_PEERS) throw bad('too many peers')
    return { type: 'peers', peers: peers.map(toPeerAddress) }
  }
  throw bad('an unknown control message')
}

function toPeerAddress({ name, address }: pidmesh.PeerAddress.$Properties): PeerAddress {
  if (!isNodeName(name)) throw bad('a peer without a name')
  return { name, address: addressOf(address) }
}

function claimed({ name, incarnation }: { name?: string | null; incarnation?: number | null }): ClaimedIdentity {
  if (!isNodeName(name) || !isPositiveInteger(incarnation)) throw bad('a malformed node identity')
  return { name, incarnation }
}

/** A day at most: a node that says more would never be found silent. */
const MAX_TICK_MS = 86_400_000

function tickOf(tickMs: number | null | undefined): number {
  const ms = tickMs ?? 0
  if (!(ms >= 0 && ms <= MAX_TICK_MS)) throw bad('a malformed tick')
  return ms
}

function addressOf(text: string | null | undefined): string {
  if (!isAddress(text)) throw bad('a malformed address')
  return text
}

function bytesOf(bytes: Uint8Array | null | undefined): Uint8Array {
  return bytes ?? new Uint8Array(0)
}

function bad(problem: string, cause?: unknown): PidmeshError {
  return new PidmeshError('ERR_BAD_TERM', `undecodable frame: ${problem}`, { cause })
}
