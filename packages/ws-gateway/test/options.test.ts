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

it('what is undefined within an option is not given, too', () => {
  const limits = { maxMessages: undefined, maxBytes: undefined, maxDetached: undefined }
  const resume = { graceMs: undefined, maxDetachedPerPrincipal: undefined, ...limits }
  const tokens = { cookie: undefined, queryParameter: undefined }
  expect(checkGatewayOptions<unknown, unknown, string>({ ...required, resume, tokens })).toEqual(
    checkGatewayOptions<unknown, unknown, string>({ ...required, tokens: {} }),
  )
})

it('a threshold of the heap that is undefined is one that was not given, too', () => {
  const heapThresholds = { refuseAt: undefined, shedAt: 0.9, margin: undefined }
  expect(checkGatewayOptions<unknown, unknown, string>({ ...required, heapThresholds })).toMatchObject({
    heapThresholds: { refuseAt: 0.85, shedAt: 0.9, margin: 0.05 },
  })
})

it.each<[string, Partial<Options>, object]>([
  ['no more waits softly than may wait', { maxBufferedBytes: 1_000 }, { softBufferedBytes: 1_000 }],
  ['a second may be a burst', { maxMessagesPerSecond: 1_000 }, { rate: { perSecond: 1_000, burst: 1_000 } }],
  ['a burst may be more than a second', { maxMessagesPerSecond: 10 }, { rate: { perSecond: 10, burst: 256 } }],
  ['all sessions may wait', { maxConnections: 50 }, { resume: { maxDetached: 50 } }],
])('what is not said follows what is: %s', (_what, options, checked) => {
  expect(checkGatewayOptions<unknown, unknown, string>({ ...required, ...options })).toMatchObject(checked)
})

it.each<[string, unknown]>([
  ['heapThresholds', null],
  ['heapThresholds', { refusedAt: 0.5 }],
  ['heapThresholds', { refuseAt: 0.96 }],
  ['heapThresholds', { shedAt: 1.01 }],
  ['heapThresholds', { shedAt: Number.NaN }],
  ['heapThresholds', { margin: -0.01 }],
  ['heapThresholds', { margin: 0.85 }],
  ['heapShare', 0.5],
  ['compression', 'yes'],
  ['principalId', 'user'],
  ['metrics', {}],
  ['groups', {}],
  ['resume', null],
  ['resume', { grace: 1 }],
  ['resume', { graceMs: 0 }],
  ['tokens', null],
  ['tokens', { cookies: 'sid' }],
  ['messageBurst', 0.5],
  ['slowTimeoutMs', Infinity],
])('%s is told to be wrong where it is %j', (name, value) => {
  expect(() => checkGatewayOptions<unknown, unknown, string>({ ...required, [name]: value })).toThrow(
    expect.objectContaining({ code: 'ERR_BAD_OPTION', message: expect.stringContaining(name) as string }),
  )
})

it('the thresholds of the heap may be one, and all of it', () => {
  const heapThresholds = { refuseAt: 1, shedAt: 1, margin: 0 }
  expect(checkGatewayOptions<unknown, unknown, string>({ ...required, heapThresholds })).toMatchObject({
    heapThresholds,
  })
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
