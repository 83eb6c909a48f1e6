/**
 * Where sessions have gone to whose clients may not know it: they have lost the answer to their last resume, and come back with the token of a process that is no more.
 *
 *   moved here ─▶ add ─▶ the client acknowledges, or the session ends ─▶ forget
 *   a client comes with a token of nobody ─▶ find, here and on all nodes
 */
import type { Pid } from '@pidmesh/runtime'

export class Whereabouts {
  private readonly byNonce = new Map<string, Pid>()

  /** Of tokens that are good for a session here. */
  add(nonces: readonly Uint8Array[], session: Pid): void {
    for (const nonce of nonces) this.byNonce.set(keyOf(nonce), session)
  }

  /** Of that session: with the same token it may have come to another process here, and that has said so since. */
  forget(nonces: readonly Uint8Array[], session: Pid): void {
    for (const nonce of nonces) if (this.find(nonce)?.equals(session) === true) this.byNonce.delete(keyOf(nonce))
  }

  find(nonce: Uint8Array): Pid | undefined {
    return this.byNonce.get(keyOf(nonce))
  }
}

function keyOf(nonce: Uint8Array): string {
  return Buffer.from(nonce.buffer, nonce.byteOffset, nonce.byteLength).toString('base64')
}
