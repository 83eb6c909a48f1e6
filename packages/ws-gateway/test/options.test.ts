import { readFileSync } from 'node:fs'
import { SocketSession, type GatewayOptions } from '@pidmesh/ws-gateway'
import type { Via } from '@pidmesh/runtime'
import { expect, it } from 'vitest'
import { checkGatewayOptions } from '../src/options.ts'

type Options = GatewayOptions<unknown, unknown, string>

class Session extends SocketSession<unknown, unknown, string> {}

const none = () => undefined
const names = { registerName: none, send: none, whereisName: none } as unknown as Via
const required = { names, session: Session, authenticate: none, port: 0 }

it('an option that is undefined is one that was not given', () => {
  const unset: { readonly [Option in Exclude<keyof Options, keyof typeof required>]: undefined } = {
    groups: undefined,
    principalId: undefined,
    messages: undefined,
    host: undefined,
    server: undefined,
    path: undefined,
    origins: undefined,
    tokens: undefined,
    trustedProxies: undefined,
    metrics: undefined,
    resume: undefined,
    maxPayloadBytes: undefined,
    maxMessagesPerSecond: undefined,
    messageBurst: undefined,
    softBufferedBytes: undefined,
    maxBufferedBytes: undefined,
    slowTimeoutMs: undefined,
    maxPendingMessages: undefined,
    maxConnections: undefined,
    maxConnectionsPerAddress: undefined,
    maxAuthenticating: undefined,
    authenticateTimeoutMs: undefined,
    connectTimeoutMs: undefined,
    sessionEndTimeoutMs: undefined,
    pingIntervalMs: undefined,
    pingTimeoutMs: undefined,
    compression: undefined,
    heapThresholds: undefined,
    heapShare: undefined,
  }
  expect(checkGatewayOptions<unknown, unknown, string>({ ...required, ...unset })).toEqual(
    checkGatewayOptions<unknown, unknown, string>(required),
  )
})

it('the defaults are those that docs/gateway.md says', () => {
  const text = readFileSync(new URL('../../../docs/gateway.md', import.meta.url), 'utf8')
  const { rate, heartbeat, heapThresholds, resume, listen, ...options } = checkGatewayOptions<unknown, unknown, string>(
    required,
  )
  expect(options).toMatchObject({
    maxPayloadBytes: 64 * 1024,
    softBufferedBytes: 256 * 1024,
    slowTimeoutMs: 10_000,
    maxBufferedBytes: 1024 * 1024,
    maxPendingMessages: 64,
    maxConnections: 100_000,
    maxConnectionsPerAddress: 1_000,
    maxAuthenticating: 1_000,
    authenticateTimeoutMs: 5_000,
    connectTimeoutMs: 10_000,
    sessionEndTimeoutMs: 10_000,
    path: '/ws',
    origins: undefined,
    tokens: {},
    compression: false,
  })
  expect(rate).toEqual({ perSecond: 100, burst: 256 })
  expect(checkGatewayOptions({ ...required, maxMessagesPerSecond: 1_000 }).rate.burst).toBe(1_000)
  expect(heartbeat).toEqual({ pingIntervalMs: 25_000, pingTimeoutMs: 10_000 })
  expect(heapThresholds).toEqual({ refuseAt: 0.85, shedAt: 0.95, margin: 0.05 })
  expect(resume).toEqual({
    graceMs: 60_000,
    maxMessages: 64,
    maxBytes: 8 * 1024,
    maxDetached: 100_000,
    maxDetachedPerPrincipal: 16,
  })
  expect(listen).toMatchObject({ host: '127.0.0.1' })
  for (const row of [
    '`maxPayloadBytes` | 64 KiB',
    '`maxMessagesPerSecond`, `messageBurst` | 100 and 256, or as many as in a second, if that is more;',
    '`softBufferedBytes` | 256 KiB',
    '`slowTimeoutMs` | 10,000',
    '`maxBufferedBytes` | 1 MiB',
    '`maxPendingMessages` | 64',
    '`maxConnections` | 100,000',
    '`maxConnectionsPerAddress` | 1,000',
    '`maxAuthenticating` | 1,000',
    '`authenticateTimeoutMs` | 5,000',
    '`connectTimeoutMs` | 10,000',
    '`sessionEndTimeoutMs` | 10,000',
    '`pingIntervalMs`, `pingTimeoutMs` | 25,000 and 10,000',
    '`heapThresholds` | `{ refuseAt: 0.85, shedAt: 0.95, margin: 0.05 }`',
    '`graceMs` | 60,000',
    '`maxMessages`, `maxBytes` | 64 and 8 KiB',
    '`maxDetached` | as `maxConnections`',
    '`maxDetachedPerPrincipal` | 16',
  ])
    expect(text).toContain(`\n| ${row}`)
})
