/**
 * The handshake of two nodes as two pure state machines. Whatever is not expected closes the connection.
 *
 *   dialer                                   listener
 *     │ hello (versions, name, incarnation, nonce d) ▶ │
 *     │ ◀─ challenge (version, name, incarnation, nonce l)       is the name free, as far as the dialer knows?
 *     │ proof  (HMAC as dialer) ────────────────▶ │  the dialer knows the cookie: may it be admitted?
 *     │ ◀──────────────── accepted (HMAC as listener) | refused (code)
 *   up                                          up
 *
 * Each HMAC-SHA256 is over the role, the versions that the dialer speaks and the one that was chosen, both names, incarnations and nonces, and what the
 * one who proves has said of itself, each with its length before it: neither can be replayed on another connection, nor reflected to its sender, and
 * who stands between the two can't talk them into an older version. Comparison takes constant time.
 *
 * Each node speaks a range of versions of the protocol. They take the newest that both speak; if there is none, the refusal says what the other one speaks.
 *
 * A node may know several cookies, so that a cluster can go from one to the next: it proves to know its first, and takes any of them for good.
 *
 * Until the proof has been checked the listener discloses its name and incarnation, and to one whose versions it doesn't speak its own; nothing else.
 */
import { createHmac, timingSafeEqual } from 'node:crypto'
import { assertNever } from '../assert-never.ts'
import { sameIdentity, type NodeIdentity } from '../ids.ts'
import type { ClaimedIdentity, HandshakeMessage, VersionRange } from '../wire/frame.ts'
import type { Cookies } from './cookies.ts'

/** The versions of the protocol that this code speaks. 2: pids of the sender go as their ids (docs/adr/0100). */
export const PROTOCOL_VERSIONS: VersionRange = { oldest: 2, newest: 2 }
export const NONCE_BYTES = 32

/** Why a connection was refused; told to the peer. */
export type RefusalCode =
  /** The HMAC was wrong: another cookie. */
  | 'bad_cookie'
  /** The certificate of the other side, by its TLS connection, is not that of the node that it says it is. */
  | 'bad_certificate'
  /** There is no version of the protocol that both sides speak. */
  | 'version'
  /** There is a node of that name already, in another life. */
  | 'duplicate_name'
  /** The two are connected already, or were disconnected on purpose: no dial is wanted. */
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
  readonly cookies: Cookies
  readonly nonce: Uint8Array
  /** `host:port` at which this node wants to be dialed. */
  readonly address: string
  readonly versions: VersionRange
  /** This node is a hidden one. */
  readonly isHidden: boolean
  /** Milliseconds between its ticks. */
  readonly tickMs: number
  /**
   * Asked by the dialer before it proves anything, of one who has proved nothing either. By now the other side may have dialed us: two dials that
   * are both let in would take each other down. And who is refused only later has been up until then.
   */
  readonly prove: (peer: ClaimedIdentity) => RefusalCode | 'prove'
  /** Asked once the peer has proved that it knows the cookie. */
  readonly admit: (peer: NodeIdentity) => RefusalCode | 'admit'
}

/** What a node says of itself. */
interface Said {
  /** `host:port` at which it wants to be dialed. */
  readonly address: string
  readonly isHidden: boolean
  /** Milliseconds between its ticks. */
  readonly tickMs: number
}

/** Who the other side has turned out to be. */
export interface Introduced extends Said {
  readonly identity: NodeIdentity
  /** Of the protocol: what the two speak. */
  readonly version: number
}

export type HandshakeState =
  | { readonly type: 'dialer_awaits_challenge' }
  | { readonly type: 'dialer_awaits_answer'; readonly peer: NodeIdentity; readonly transcript: Transcript }
  | { readonly type: 'listener_awaits_hello' }
  | {
      readonly type: 'listener_awaits_proof'
      readonly peer: NodeIdentity
      readonly said: Said
      readonly transcript: Transcript
    }
  | { readonly type: 'done' }

export type HandshakeEffect =
  | { readonly type: 'send'; readonly message: HandshakeMessage }
  /** The connection is up. */
  | { readonly type: 'up'; readonly peer: Introduced }
  /** Close the connection. `by` tells who refused; `peer` is who it was, as far as it said so. */
  | {
      readonly type: 'close'
      readonly code: RefusalCode
      readonly by: 'us' | 'peer'
      readonly peer: ClaimedIdentity | undefined
      /** What the other side speaks, if that is the reason, and it has said so. */
      readonly versions: VersionRange | undefined
    }

export interface HandshakeStep {
  readonly state: HandshakeState
  readonly effects: readonly HandshakeEffect[]
}

interface Transcript {
  readonly offered: VersionRange
  readonly version: number
  readonly dialer: Side
  readonly listener: Side
}

interface Side {
  readonly node: ClaimedIdentity
  readonly nonce: Uint8Array
}

export function startDialer(config: HandshakeConfig): HandshakeStep {
  const { self, nonce, address, versions, isHidden, tickMs } = config
  const hello: HandshakeMessage = {
    type: 'hello',
    version: versions.newest,
    oldestVersion: versions.oldest,
    node: self,
    nonce,
    address,
    isHidden,
    tickMs,
  }
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
  if (state.type === 'done')
    return end([{ type: 'close', code: 'protocol', by: 'us', peer: undefined, versions: undefined }])
  // Never answered: two sides that refuse each other's refusals would not come to an end.
  if (message.type === 'refused') {
    const code = REFUSAL_CODES.has(message.code) ? (message.code as RefusalCode) : 'protocol'
    const peer = 'peer' in state ? state.peer : undefined
    return end([{ type: 'close', code, by: 'peer', peer, versions: message.versions }])
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
  const { self, nonce, versions } = config
  const offered: VersionRange = { oldest: hello.oldestVersion, newest: hello.version }
  const version = Math.min(offered.newest, versions.newest)
  if (version < Math.max(offered.oldest, versions.oldest)) return refuseVersions(offered, hello.node, versions)
  if (hello.nonce.length !== NONCE_BYTES) return refuse('protocol', hello.node)
  if (sameIdentity(hello.node, self)) return refuse('self', hello.node)
  const challenge: HandshakeMessage = { type: 'challenge', version, node: self, nonce }
  const transcript: Transcript = {
    offered,
    version,
    dialer: { node: hello.node, nonce: hello.nonce },
    listener: { node: self, nonce },
  }
  return {
    state: { type: 'listener_awaits_proof', peer: hello.node, said: hello, transcript },
    effects: [{ type: 'send', message: challenge }],
  }
}

function onChallenge(challenge: HandshakeMessage & { type: 'challenge' }, config: HandshakeConfig): HandshakeStep {
  const { self, nonce, cookies, versions } = config
  const { version } = challenge
  if (!(version >= versions.oldest && version <= versions.newest))
    return refuseVersions({ oldest: version, newest: version }, challenge.node, versions)
  if (challenge.nonce.length !== NONCE_BYTES) return refuse('protocol', challenge.node)
  if (sameIdentity(challenge.node, self)) return refuse('self', challenge.node)
  const verdict = config.prove(challenge.node)
  if (verdict !== 'prove') return refuse(verdict, challenge.node)
  const transcript: Transcript = {
    offered: versions,
    version,
    dialer: { node: self, nonce },
    listener: { node: challenge.node, nonce: challenge.nonce },
  }
  return {
    state: { type: 'dialer_awaits_answer', peer: challenge.node, transcript },
    effects: [
      { type: 'send', message: { type: 'proof', mac: authenticate(cookies.first(), 'dialer', transcript, config) } },
    ],
  }
}

function onProof(
  state: HandshakeState & { type: 'listener_awaits_proof' },
  mac: Uint8Array,
  config: HandshakeConfig,
): HandshakeStep {
  const { peer, said, transcript } = state
  const cookie = config.cookies.all().find((known) => sameBytes(mac, authenticate(known, 'dialer', transcript, said)))
  if (cookie === undefined) return refuse('bad_cookie', peer)
  const verdict = peer.name === config.self.name ? 'duplicate_name' : config.admit(peer)
  if (verdict !== 'admit') return refuse(verdict, peer)
  const accepted: HandshakeMessage = {
    type: 'accepted',
    // With the cookie that the dialer knows, which may not know the others.
    mac: authenticate(cookie, 'listener', transcript, config),
    address: config.address,
    isHidden: config.isHidden,
    tickMs: config.tickMs,
  }
  return end([
    { type: 'send', message: accepted },
    { type: 'up', peer: introduced(peer, said, transcript) },
  ])
}

function onAccepted(
  state: HandshakeState & { type: 'dialer_awaits_answer' },
  accepted: HandshakeMessage & { type: 'accepted' },
  config: HandshakeConfig,
): HandshakeStep {
  const { peer, transcript } = state
  if (!sameBytes(accepted.mac, authenticate(config.cookies.first(), 'listener', transcript, accepted)))
    return refuse('bad_cookie', peer)
  const verdict = peer.name === config.self.name ? 'duplicate_name' : config.admit(peer)
  if (verdict !== 'admit') return refuse(verdict, peer)
  return end([{ type: 'up', peer: introduced(peer, accepted, transcript) }])
}

function introduced(identity: NodeIdentity, { address, isHidden, tickMs }: Said, { version }: Transcript): Introduced {
  return { identity, address, isHidden, tickMs, version }
}

function refuse(code: RefusalCode, peer: ClaimedIdentity | undefined): HandshakeStep {
  return end([
    { type: 'send', message: { type: 'refused', code, versions: undefined } },
    { type: 'close', code, by: 'us', peer, versions: undefined },
  ])
}

function refuseVersions(theirs: VersionRange, peer: ClaimedIdentity, ours: VersionRange): HandshakeStep {
  return end([
    { type: 'send', message: { type: 'refused', code: 'version', versions: ours } },
    { type: 'close', code: 'version', by: 'us', peer, versions: theirs },
  ])
}

function end(effects: readonly HandshakeEffect[]): HandshakeStep {
  return { state: { type: 'done' }, effects }
}

function authenticate(cookie: string, role: 'dialer' | 'listener', transcript: Transcript, said: Said): Uint8Array {
  const hmac = createHmac('sha256', cookie)
  const add = (part: string | Uint8Array): void => {
    const bytes = typeof part === 'string' ? Buffer.from(part, 'utf8') : part
    const length = Buffer.alloc(4)
    length.writeUInt32BE(bytes.length)
    hmac.update(length).update(bytes)
  }
  add('pidmesh')
  add(role)
  add(String(transcript.offered.oldest))
  add(String(transcript.offered.newest))
  add(String(transcript.version))
  for (const { node, nonce } of [transcript.dialer, transcript.listener]) {
    add(node.name)
    add(String(node.incarnation))
    add(nonce)
  }
  add(said.address)
  add(said.isHidden ? 'hidden' : 'visible')
  add(String(said.tickMs))
  return hmac.digest()
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && timingSafeEqual(a, b)
}
