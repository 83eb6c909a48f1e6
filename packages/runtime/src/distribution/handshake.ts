/**
 * The handshake of two nodes as two pure state machines. Whatever is not expected closes the connection.
 *
 *   dialer                                   listener
 *     │ hello (name, incarnation, nonce d) ─────▶ │
 *     │ ◀───── challenge (name, incarnation, nonce l)
 *     │ proof  (HMAC as dialer) ────────────────▶ │  the dialer knows the cookie: may it be admitted?
 *     │ ◀──────────────── accepted (HMAC as listener) | refused (code)
 *   up                                          up
 *
 * Each HMAC-SHA256 is over the role, the protocol version, both names, both incarnations and both nonces, each with its length before it:
 * neither can be replayed on another connection, nor reflected to its sender. Comparison takes constant time.
 *
 * A node may know several cookies, so that a cluster can go from one to the next: it proves to know its first, and takes any of them for good.
 *
 * Until the proof has been checked the listener discloses its name and incarnation, nothing else.
 */
import { createHmac, timingSafeEqual } from 'node:crypto'
import { assertNever } from '../assert-never.ts'
import { sameIdentity, type NodeIdentity } from '../ids.ts'
import type { ClaimedIdentity, HandshakeMessage } from '../wire/frame.ts'

export const PROTOCOL_VERSION = 1
export const NONCE_BYTES = 32

/** Why a connection was refused; told to the peer. */
export type RefusalCode =
  /** The HMAC was wrong: another cookie. */
  | 'bad_cookie'
  /** The certificate of the other side, by its TLS connection, is not that of the node that it says it is. */
  | 'bad_certificate'
  /** The other side speaks another version of the protocol. */
  | 'version'
  /** There is a node of that name already, in another life. */
  | 'duplicate_name'
  /** The two are connected already. */
  | 'already_connected'
  /** Both dial each other: the dial of the node with the greater name wins. */
  | 'simultaneous'
  /** A node has dialed itself. */
  | 'self'
  /** Something else than what the handshake expects. */
  | 'protocol'

const REFUSAL_CODES: ReadonlySet<string> = new Set<RefusalCode>([
  'bad_cookie',
  'bad_certificate',
  'version',
  'duplicate_name',
  'already_connected',
  'simultaneous',
  'self',
  'protocol',
])

export interface HandshakeConfig {
  readonly self: NodeIdentity
  /** The first is what this node proves to know; each is good enough for a peer to know. */
  readonly cookies: readonly [string, ...string[]]
  readonly nonce: Uint8Array
  /** `host:port` at which this node wants to be dialed. */
  readonly address: string
  /**
   * Asked by the dialer before it proves anything: by now the other side may have dialed us. Two dials that are both let in would take each
   * other down.
   */
  readonly isConnected: (peer: ClaimedIdentity) => boolean
  /** Asked once the peer has proved that it knows the cookie. */
  readonly admit: (peer: NodeIdentity) => RefusalCode | 'admit'
}

export type HandshakeState =
  | { readonly type: 'dialer_awaits_challenge' }
  | { readonly type: 'dialer_awaits_answer'; readonly peer: NodeIdentity; readonly transcript: Transcript }
  | { readonly type: 'listener_awaits_hello' }
  | {
      readonly type: 'listener_awaits_proof'
      readonly peer: NodeIdentity
      readonly address: string
      readonly transcript: Transcript
    }
  | { readonly type: 'done' }

export type HandshakeEffect =
  | { readonly type: 'send'; readonly message: HandshakeMessage }
  /** The connection is up. */
  | { readonly type: 'up'; readonly peer: NodeIdentity; readonly address: string }
  /** Close the connection. `by` tells who refused; `peer` is who it was, as far as it said so. */
  | {
      readonly type: 'close'
      readonly code: RefusalCode
      readonly by: 'us' | 'peer'
      readonly peer: ClaimedIdentity | undefined
    }

export interface HandshakeStep {
  readonly state: HandshakeState
  readonly effects: readonly HandshakeEffect[]
}

interface Transcript {
  readonly version: number
  readonly dialer: ClaimedIdentity
  readonly listener: ClaimedIdentity
  readonly dialerNonce: Uint8Array
  readonly listenerNonce: Uint8Array
}

export function startDialer(config: HandshakeConfig): HandshakeStep {
  const { self, nonce, address } = config
  const hello: HandshakeMessage = { type: 'hello', version: PROTOCOL_VERSION, node: self, nonce, address }
  return { state: { type: 'dialer_awaits_challenge' }, effects: [{ type: 'send', message: hello }] }
}

export function startListener(): HandshakeState {
  return { type: 'listener_awaits_hello' }
}

export function stepHandshake(
  state: HandshakeState,
  message: HandshakeMessage,
  config: HandshakeConfig,
): HandshakeStep {
  if (state.type === 'done') return end([{ type: 'close', code: 'protocol', by: 'us', peer: undefined }])
  // Never answered: two sides that refuse each other's refusals would not come to an end.
  if (message.type === 'refused') {
    const code = REFUSAL_CODES.has(message.code) ? (message.code as RefusalCode) : 'protocol'
    return end([{ type: 'close', code, by: 'peer', peer: 'peer' in state ? state.peer : undefined }])
  }
  switch (state.type) {
    case 'listener_awaits_hello':
      return message.type === 'hello' ? onHello(message, config) : refuse('protocol', undefined)
    case 'dialer_awaits_challenge':
      return message.type === 'challenge' ? onChallenge(message, config) : refuse('protocol', undefined)
    case 'listener_awaits_proof':
      return message.type === 'proof' ? onProof(state, message.mac, config) : refuse('protocol', state.peer)
    case 'dialer_awaits_answer':
      return message.type === 'accepted' ? onAccepted(state, message, config) : refuse('protocol', state.peer)
    default:
      return assertNever(state)
  }
}

function onHello(hello: HandshakeMessage & { type: 'hello' }, config: HandshakeConfig): HandshakeStep {
  const { self, nonce } = config
  if (hello.version !== PROTOCOL_VERSION) return refuse('version', hello.node)
  if (hello.nonce.length !== NONCE_BYTES) return refuse('protocol', hello.node)
  if (sameIdentity(hello.node, self)) return refuse('self', hello.node)
  const challenge: HandshakeMessage = { type: 'challenge', version: PROTOCOL_VERSION, node: self, nonce }
  const transcript: Transcript = {
    version: PROTOCOL_VERSION,
    dialer: hello.node,
    listener: self,
    dialerNonce: hello.nonce,
    listenerNonce: nonce,
  }
  return {
    state: { type: 'listener_awaits_proof', peer: hello.node, address: hello.address, transcript },
    effects: [{ type: 'send', message: challenge }],
  }
}

function onChallenge(challenge: HandshakeMessage & { type: 'challenge' }, config: HandshakeConfig): HandshakeStep {
  const { self, nonce, cookies } = config
  if (challenge.version !== PROTOCOL_VERSION) return refuse('version', challenge.node)
  if (challenge.nonce.length !== NONCE_BYTES) return refuse('protocol', challenge.node)
  if (sameIdentity(challenge.node, self)) return refuse('self', challenge.node)
  if (config.isConnected(challenge.node)) return refuse('already_connected', challenge.node)
  const transcript: Transcript = {
    version: PROTOCOL_VERSION,
    dialer: self,
    listener: challenge.node,
    dialerNonce: nonce,
    listenerNonce: challenge.nonce,
  }
  return {
    state: { type: 'dialer_awaits_answer', peer: challenge.node, transcript },
    effects: [{ type: 'send', message: { type: 'proof', mac: authenticate(cookies[0], 'dialer', transcript) } }],
  }
}

function onProof(
  state: HandshakeState & { type: 'listener_awaits_proof' },
  mac: Uint8Array,
  config: HandshakeConfig,
): HandshakeStep {
  const { peer, address, transcript } = state
  const cookie = config.cookies.find((known) => sameBytes(mac, authenticate(known, 'dialer', transcript)))
  if (cookie === undefined) return refuse('bad_cookie', peer)
  const verdict = peer.name === config.self.name ? 'duplicate_name' : config.admit(peer)
  if (verdict !== 'admit') return refuse(verdict, peer)
  const accepted: HandshakeMessage = {
    type: 'accepted',
    // With the cookie that the dialer knows, which may not know the others.
    mac: authenticate(cookie, 'listener', transcript),
    address: config.address,
  }
  return end([
    { type: 'send', message: accepted },
    { type: 'up', peer, address },
  ])
}

function onAccepted(
  state: HandshakeState & { type: 'dialer_awaits_answer' },
  accepted: HandshakeMessage & { type: 'accepted' },
  config: HandshakeConfig,
): HandshakeStep {
  const { peer, transcript } = state
  if (!sameBytes(accepted.mac, authenticate(config.cookies[0], 'listener', transcript)))
    return refuse('bad_cookie', peer)
  const verdict = peer.name === config.self.name ? 'duplicate_name' : config.admit(peer)
  if (verdict !== 'admit') return refuse(verdict, peer)
  return end([{ type: 'up', peer, address: accepted.address }])
}

function refuse(code: RefusalCode, peer: ClaimedIdentity | undefined): HandshakeStep {
  return end([
    { type: 'send', message: { type: 'refused', code } },
    { type: 'close', code, by: 'us', peer },
  ])
}

function end(effects: readonly HandshakeEffect[]): HandshakeStep {
  return { state: { type: 'done' }, effects }
}

function authenticate(cookie: string, role: 'dialer' | 'listener', transcript: Transcript): Uint8Array {
  const hmac = createHmac('sha256', cookie)
  const add = (part: string | Uint8Array): void => {
    const bytes = typeof part === 'string' ? Buffer.from(part, 'utf8') : part
    const length = Buffer.alloc(4)
    length.writeUInt32BE(bytes.length)
    hmac.update(length).update(bytes)
  }
  add('pidmesh')
  add(role)
  add(String(transcript.version))
  for (const node of [transcript.dialer, transcript.listener]) {
    add(node.name)
    add(String(node.incarnation))
  }
  add(transcript.dialerNonce)
  add(transcript.listenerNonce)
  return hmac.digest()
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && timingSafeEqual(a, b)
}
