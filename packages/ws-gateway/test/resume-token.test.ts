/**
 * PURPOSE: nobody has a token that a gateway hasn't made for them. Made, forged, broken, stolen, and while the cluster's cookie changes.
 */
import fc from 'fast-check'
import { nodeName, Pid, startNode } from '@pidmesh/runtime'
import { describe, expect, it } from 'vitest'
import { hashOfNode, NONCE_BYTES, openToken, sealToken, sessionOf } from '../src/resume-token.ts'

const PURPOSE = 'resume tokens of gateways'
const key = Buffer.alloc(32, 1)
const node = nodeName('n1@127.0.0.1')
const session = new Pid({ name: node, incarnation: 1_700_000_000_123 }, 4_711)
const nonce = Buffer.from('twelve bytes')
const token = sealToken(key, session, nonce, 'ann')

describe('a token', () => {
  it('says where the session is, and its nonce, to who has the key', () => {
    const ticket = openToken([key], token, 'ann')
    expect(ticket).toEqual({ nodeHash: hashOfNode(node), incarnation: 1_700_000_000_123, id: 4_711, nonce })
    expect(nonce).toHaveLength(NONCE_BYTES)
  })

  it('is brought back whatever is in it', () => {
    fc.assert(
      fc.property(
        fc.maxSafeNat(),
        fc.maxSafeNat(),
        fc.uint8Array({ minLength: 12, maxLength: 12 }),
        fc.string(),
        (...given) => {
          const [incarnation, id, bytes, principal] = given
          const sealed = sealToken(key, new Pid({ name: node, incarnation }, id), bytes, principal)
          expect(openToken([key], sealed, principal)).toMatchObject({ incarnation, id, nonce: Buffer.from(bytes) })
        },
      ),
    )
  })

  it("is its own principal's only", () => {
    for (const other of ['', 'an', 'anna', 'Ann', 'ann\0']) expect(openToken([key], token, other)).toBeUndefined()
  })

  it('is nothing to who has another key, or none', () => {
    expect(openToken([Buffer.alloc(32, 2)], token, 'ann')).toBeUndefined()
    expect(openToken([], token, 'ann')).toBeUndefined()
  })

  it('is worth nothing with any bit of it changed', () => {
    const bytes = Buffer.from(token, 'base64url')
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const changed = Buffer.from(bytes)
      changed.writeUInt8(changed.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3)
      expect(openToken([key], changed.toString('base64url'), 'ann'), `bit ${bit}`).toBeUndefined()
    }
  })

  it('is worth nothing with a piece of it missing, or with more to it', () => {
    for (let length = 0; length < token.length; length++)
      expect(openToken([key], token.slice(0, length), 'ann')).toBeUndefined()
    for (const more of ['A', '=', '\n', ' ', token]) expect(openToken([key], token + more, 'ann')).toBeUndefined()
  })

  it('is not made of the pieces of two others', () => {
    const other = sealToken(key, session, Buffer.from('other twelve'), 'ann')
    const mixed = Array.from({ length: token.length }, (_, at) => token.slice(0, at) + other.slice(at))
    const opened = mixed.filter(
      (text) => text !== token && text !== other && openToken([key], text, 'ann') !== undefined,
    )
    expect(opened).toEqual([])
  })

  it('is nothing that comes by chance, and nothing throws', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.string({ minLength: token.length, maxLength: token.length })), (text) => {
        expect(openToken([key], text, 'ann')).toBeUndefined()
      }),
    )
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 65, maxLength: 65 }), (bytes) => {
        expect(openToken([key], Buffer.from(bytes).toString('base64url'), 'ann')).toBeUndefined()
      }),
    )
  })

  it('tells a client nothing of the name and the address of the node', () => {
    const told = Buffer.from(token, 'base64url').toString('latin1')
    for (const piece of [node, 'n1', '127.0.0.1']) expect(told).not.toContain(piece)
  })
})

describe('the session of a ticket', () => {
  const ticket = openToken([key], token, 'ann')
  if (ticket === undefined) throw new Error('the token is genuine')
  const self = { name: nodeName('n2@127.0.0.1'), incarnation: 5 }

  it('is found on this node and on others', () => {
    expect(sessionOf(ticket, self, [nodeName('n3@127.0.0.1'), node])?.equals(session)).toBe(true)
    expect(sessionOf(ticket, session.origin, [])?.equals(session)).toBe(true)
  })

  it('is nowhere if its node is not there', () => {
    expect(sessionOf(ticket, self, [nodeName('n3@127.0.0.1')])).toBeUndefined()
  })

  it('is of that very life of the node: one that was started again is another', () => {
    const again = sessionOf(ticket, { name: node, incarnation: 6 }, [])
    expect(again?.equals(new Pid({ name: node, incarnation: 6 }, session.id))).toBe(false)
    expect(again?.incarnation).toBe(session.incarnation)
  })
})

describe('the keys of a cluster', () => {
  async function keysOf(...cookie: readonly [string, ...string[]]): Promise<readonly Uint8Array[]> {
    const started = await startNode({ name: 'keys@127.0.0.1', cookie, logLevel: 'silent' })
    const keys = started.deriveKeys(PURPOSE)
    await started.stop()
    return keys
  }

  it('open the tokens of all nodes in each of the three rounds of a change of the cookie', async () => {
    const [a, b] = ['the former cookie', 'the next cookie']
    const rounds = [await keysOf(a), await keysOf(a, b), await keysOf(b, a), await keysOf(b)]
    for (let round = 0; round + 1 < rounds.length; round++) {
      for (const [from, to] of [
        [round, round + 1],
        [round + 1, round],
      ] as const) {
        // A node seals with the first of its keys.
        const [first] = rounds[from] ?? []
        const sealed = sealToken(first ?? key, session, nonce, 'ann')
        expect(openToken(rounds[to] ?? [], sealed, 'ann'), `of round ${from} in round ${to}`).toBeDefined()
      }
    }
  })

  it('that nobody has any more open nothing', async () => {
    const [former] = await keysOf('the former cookie')
    const sealed = sealToken(former ?? key, session, nonce, 'ann')
    expect(openToken(await keysOf('the next cookie'), sealed, 'ann')).toBeUndefined()
  })

  it('are no keys of anything else that has been derived from the same cookie', async () => {
    const started = await startNode({ name: 'keys@127.0.0.1', cookie: 'one cookie', logLevel: 'silent' })
    const [other] = started.deriveKeys('something else')
    const own = started.deriveKeys(PURPOSE)
    await started.stop()
    expect(openToken(own, sealToken(other ?? key, session, nonce, 'ann'), 'ann')).toBeUndefined()
  })
})
