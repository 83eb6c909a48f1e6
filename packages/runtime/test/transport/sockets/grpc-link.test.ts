import { describe, expect, it } from 'vitest'
import { GrpcLink, inBrief } from '../../../src/transport/sockets/grpc-link.ts'

/** gRPC takes a message of that size. */
const BYTES = 60_000

it('a link that is over is none of those of its transport', async () => {
  const links = new Set<GrpcLink>()
  const link = new GrpcLink({ remoteAddress: '127.0.0.1:1', isTls: false, links })
  expect(links).toEqual(new Set([link]))
  link.finish({ type: 'closed' })
  await link.ended
  expect(links).toEqual(new Set())
})

describe('of what gRPC says of an error', () => {
  it.each([
    [
      'No connection established. Last error: Error: connect ECONNREFUSED 127.0.0.1:1 (2026-01-31T12:00:00.000Z). Resolution note: none',
      'connect ECONNREFUSED 127.0.0.1:1',
    ],
    [
      'No connection established. Last error: Error: certificate has expired. Resolution note: ',
      'certificate has expired',
    ],
    ['No connection established. Last error: Failed to connect. Resolution note: ', 'Failed to connect'],
    ['No connection established. Last error: null. Resolution note: ', 'null'],
    [
      'No connection established. Last error: a (b) (c). Resolution note: one. Last error: d. Resolution note: two',
      'a (b) (c)',
    ],
    ['14 UNAVAILABLE: Connection dropped', '14 UNAVAILABLE: Connection dropped'],
    ['Resolution note: first. Last error: then', 'Resolution note: first. Last error: then'],
  ])('%j what has happened is kept', (said, kept) => {
    expect(inBrief(said)).toBe(kept)
  })

  it('no more is kept than a log line takes', () => {
    expect(inBrief('x'.repeat(1_000))).toBe('x'.repeat(300))
  })

  it.each([
    ['with no end', ''],
    ['with an end', ' Resolution note:'],
  ])('what another program has chosen, %s, takes no time', (_what, end) => {
    const text = `${'Last error: '.repeat(BYTES / 24)}${' (2024-'.repeat(BYTES / 14)}${end}`
    const startMs = performance.now()
    inBrief(text)
    expect(performance.now() - startMs).toBeLessThan(1_000)
  })
})
