/**
 * Frames from and to bytes: the only importer of the generated code. Whatever is malformed is `ERR_BAD_TERM`, which closes the connection.
 */
import { assertNever } from '../assert-never.ts'
import { PidmeshError } from '../errors.ts'
import { isAddress, isNodeName } from '../ids.ts'
import { isExitReason, trimReason, type ExitReason } from '../reasons.ts'
import { MAX_REASON_BYTES, type Signal } from '../signals/signal.ts'
import type { ClaimedIdentity, ControlMessage, Frame, HandshakeMessage, PeerAddress } from './frame.ts'
import { pidmesh } from './generated/dist.js'
import { isPositiveInteger, type TermCodec } from './term.ts'

/** Peers that one `peers` message may name. */
const MAX_PEERS = 1_024

export class FrameCodec {
  private readonly terms: TermCodec

  constructor(terms: TermCodec) {
    this.terms = terms
  }

  encode(frame: Frame): Uint8Array {
    return pidmesh.Envelope.encode(this.toEnvelope(frame)).finish()
  }

  /** @throws PidmeshError `ERR_BAD_TERM` */
  decode(bytes: Uint8Array): Frame {
    let envelope: pidmesh.Envelope
    try {
      envelope = pidmesh.Envelope.decode(bytes)
    } catch (cause) {
      throw bad('not an envelope', cause)
    }
    if (envelope.data != null) {
      return { type: 'data', signals: (envelope.data.signals ?? []).map((signal) => this.toSignal(signal)) }
    }
    if (envelope.control != null) return { type: 'control', message: toControl(envelope.control) }
    if (envelope.handshake != null) return { type: 'handshake', message: toHandshake(envelope.handshake) }
    throw bad('an envelope of an unknown layer')
  }

  private toEnvelope(frame: Frame): pidmesh.Envelope.$Properties {
    switch (frame.type) {
      case 'data':
        return { data: { signals: frame.signals.map((signal) => this.fromSignal(signal)) } }
      case 'control':
        return { control: fromControl(frame.message) }
      case 'handshake':
        return { handshake: fromHandshake(frame.message) }
      default:
        return assertNever(frame)
    }
  }

  private fromSignal(signal: Signal): pidmesh.Signal.$Properties {
    switch (signal.type) {
      case 'send':
        return { send: { from: signal.from, to: signal.to, payload: signal.payload } }
      case 'send_name':
        return { sendName: { from: signal.from, name: signal.name, payload: signal.payload } }
      case 'send_alias':
        return { sendAlias: { from: signal.from, to: signal.to, payload: signal.payload } }
      case 'exit':
        return { exit: { from: signal.from, to: signal.to, reason: this.encodeReason(signal.reason) } }
      case 'link':
        return { link: { from: signal.from, to: signal.to } }
      case 'link_exit':
        return { linkExit: { from: signal.from, to: signal.to, reason: this.encodeReason(signal.reason) } }
      case 'unlink':
        return { unlink: { from: signal.from, to: signal.to, id: signal.id } }
      case 'unlink_ack':
        return { unlinkAck: { from: signal.from, to: signal.to, id: signal.id } }
      case 'monitor': {
        const target = typeof signal.to === 'string' ? { name: signal.to } : { id: signal.to }
        return { monitor: { from: signal.from, ref: signal.ref, ...target } }
      }
      case 'demonitor':
        return { demonitor: { ref: signal.ref } }
      case 'down':
        return { down: { ref: signal.ref, reason: this.encodeReason(signal.reason) } }
      default:
        return assertNever(signal)
    }
  }

  private toSignal(wire: pidmesh.Signal.$Properties): Signal {
    if (wire.send != null)
      return { type: 'send', from: id(wire.send.from), to: id(wire.send.to), payload: bytesOf(wire.send.payload) }
    if (wire.sendName != null) {
      const { from, name, payload } = wire.sendName
      return { type: 'send_name', from: id(from), name: name ?? '', payload: bytesOf(payload) }
    }
    if (wire.sendAlias != null) {
      const { from, to, payload } = wire.sendAlias
      return { type: 'send_alias', from: id(from), to: id(to), payload: bytesOf(payload) }
    }
    if (wire.exit != null) return { type: 'exit', ...pair(wire.exit), reason: this.decodeReason(wire.exit.reason) }
    if (wire.link != null) return { type: 'link', ...pair(wire.link) }
    if (wire.linkExit != null)
      return { type: 'link_exit', ...pair(wire.linkExit), reason: this.decodeReason(wire.linkExit.reason) }
    if (wire.unlink != null) return { type: 'unlink', ...pair(wire.unlink), id: id(wire.unlink.id) }
    if (wire.unlinkAck != null) return { type: 'unlink_ack', ...pair(wire.unlinkAck), id: id(wire.unlinkAck.id) }
    if (wire.monitor != null) {
      const { from, ref, id: to, name } = wire.monitor
      return { type: 'monitor', from: id(from), ref: id(ref), to: name ?? id(to) }
    }
    if (wire.demonitor != null) return { type: 'demonitor', ref: id(wire.demonitor.ref) }
    if (wire.down != null) return { type: 'down', ref: id(wire.down.ref), reason: this.decodeReason(wire.down.reason) }
    throw bad('an unknown signal')
  }

  /** An exit reason that can't be sent, or is very large, must not keep a `DOWN` from being sent. */
  private encodeReason(reason: ExitReason): Uint8Array {
    try {
      const bytes = isExitReason(reason) ? this.terms.encode(trimReason(reason)) : undefined
      if (bytes !== undefined && bytes.length <= MAX_REASON_BYTES) return bytes
    } catch {
      // Told below.
    }
    return this.terms.encode('unsendable_reason')
  }

  private decodeReason(bytes: Uint8Array | null | undefined): ExitReason {
    const reason = this.terms.decode(bytesOf(bytes))
    if (isExitReason(reason)) return reason
    throw bad('an exit reason that is neither a text nor an object')
  }
}

function fromHandshake(message: HandshakeMessage): pidmesh.Handshake.$Properties {
  switch (message.type) {
    case 'hello': {
      const { version, node, nonce, address } = message
      return { hello: { version, name: node.name, incarnation: node.incarnation, nonce, address } }
    }
    case 'challenge': {
      const { version, node, nonce } = message
      return { challenge: { version, name: node.name, incarnation: node.incarnation, nonce } }
    }
    case 'proof':
      return { proof: { mac: message.mac } }
    case 'accepted':
      return { accepted: { mac: message.mac, address: message.address } }
    case 'refused':
      return { refused: { code: message.code } }
    default:
      return assertNever(message)
  }
}

function toHandshake(wire: pidmesh.Handshake.$Properties): HandshakeMessage {
  if (wire.hello != null) {
    const { version, nonce, address } = wire.hello
    return {
      type: 'hello',
      version: version ?? 0,
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
  if (wire.accepted != null)
    return { type: 'accepted', mac: bytesOf(wire.accepted.mac), address: addressOf(wire.accepted.address) }
  if (wire.refused != null) return { type: 'refused', code: wire.refused.code ?? '' }
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

function pair({ from, to }: { from?: number | null; to?: number | null }): { from: number; to: number } {
  return { from: id(from), to: id(to) }
}

function id(value: number | null | undefined): number {
  if (!isPositiveInteger(value)) throw bad('a malformed id')
  return value
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
