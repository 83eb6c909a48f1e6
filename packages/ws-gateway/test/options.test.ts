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
