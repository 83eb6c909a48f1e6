/**
 * The token with which a client goes on with its session: where the session is, and a nonce that the session knows.
 *
 *   base64url( version 1 │ node 4 │ incarnation 8 │ process 8 │ nonce 12 │ HMAC-SHA256 32 )
 *
 * The MAC is over all of it and the principal's id, by a key that all gateways of the cluster with the same class of sessions have: nobody else can make one, and no other
 * principal can use it. That it is
 * used once only is for the session to see, which changes its nonce. Of the node's name there are four bytes of its hash: clients learn no addresses.
 */
import { createHash, createHmac, timingSafeEqual } from 'node:crypto'
import { Pid, type NodeIdentity, type NodeName } from '@pidmesh/runtime'

export const NONCE_BYTES = 12
const VERSION = 1
const BODY_BYTES = 1 + 4 + 8 + 8 + NONCE_BYTES
const TOKEN_BYTES = BODY_BYTES + 32
/** The token's text: 65 bytes in base64url. */
const TOKEN_LENGTH = Math.ceil((TOKEN_BYTES * 4) / 3)
const FORM = /^[A-Za-z0-9_-]+$/

/** What the keys of a class of sessions are derived for: gateways of other sessions, with other principals, are in the same cluster perhaps, and theirs are not for these. */
export function keyPurpose({ name }: { readonly name: string }): string {
  return `resume tokens of gateways, ${name}`
}

/** What a token says that is genuine. */
export interface ResumeTicket {
  readonly nodeHash: number
  readonly incarnation: number
  readonly id: number
  readonly nonce: Buffer
}

export function sealToken(key: Uint8Array, session: Pid, nonce: Uint8Array, principalId: string): string {
  const token = Buffer.alloc(TOKEN_BYTES)
  token.writeUInt8(VERSION, 0)
  token.writeUInt32BE(hashOfNode(session.node), 1)
  token.writeDoubleBE(session.incarnation, 5)
  token.writeDoubleBE(session.id, 13)
  token.set(nonce, 21)
  token.set(macOf(key, token.subarray(0, BODY_BYTES), principalId), BODY_BYTES)
  return token.toString('base64url')
}

/** `undefined` for what is no token of ours, or another principal's. Never throws. */
export function openToken(keys: readonly Uint8Array[], token: string, principalId: string): ResumeTicket | undefined {
  if (token.length !== TOKEN_LENGTH || !FORM.test(token)) return undefined
  const bytes = Buffer.from(token, 'base64url')
  if (bytes.length !== TOKEN_BYTES || bytes.readUInt8(0) !== VERSION) return undefined
  const body = bytes.subarray(0, BODY_BYTES)
  const mac = bytes.subarray(BODY_BYTES)
  if (!keys.some((key) => timingSafeEqual(mac, macOf(key, body, principalId)))) return undefined
  const [incarnation, id] = [bytes.readDoubleBE(5), bytes.readDoubleBE(13)]
  return { nodeHash: bytes.readUInt32BE(1), incarnation, id, nonce: Buffer.from(bytes.subarray(21, BODY_BYTES)) }
}

/** The process that a ticket is of, if its node is one of these. */
export function sessionOf(ticket: ResumeTicket, self: NodeIdentity, others: readonly NodeName[]): Pid | undefined {
  const name = [self.name, ...others].find((node) => hashOfNode(node) === ticket.nodeHash)
  return name === undefined ? undefined : new Pid({ name, incarnation: ticket.incarnation }, ticket.id)
}

export function hashOfNode(node: NodeName): number {
  return createHash('sha256').update(node).digest().readUInt32BE(0)
}

function macOf(key: Uint8Array, body: Uint8Array, principalId: string): Buffer {
  return createHmac('sha256', key).update(body).update(principalId, 'utf8').digest()
}
