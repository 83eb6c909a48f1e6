import { ClientError, connect, type ClientOptions } from '@pidmesh/client'
import { afterEach, expect, it, vi } from 'vitest'
import { checkOptions } from '../src/options.ts'
import { FakeClock, FakeSocket } from './fakes.ts'

const good = { urls: 'ws://a/', WebSocket: FakeSocket, clock: new FakeClock() }

afterEach(() => {
  vi.unstubAllGlobals()
})

it.each([
  { urls: [] },
  { urls: 'a' },
  { urls: ['ws://a/', 'ftp://b/'] },
  { urls: [7] },
  { url: 'ws://a/' },
  { token: 7 },
  { codec: {} },
  { WebSocket: {} },
  { memory: {} },
  { clock: {} },
  { random: 1 },
  { shouldRetry: true },
  { onError: null },
  { maxQueued: 15 },
  { maxQueued: 16.5 },
  { pingAfterMs: 0 },
  { pingTimeoutMs: Number.NaN },
  { connectTimeoutMs: 2 ** 31 },
  { minRetryMs: 1_000, maxRetryMs: 999 },
])('%j is refused', (options: object) => {
  const all: ClientOptions = { ...good, ...options }
  expect(() => connect(all)).toThrow(expect.objectContaining({ code: 'ERR_BAD_OPTION', name: 'ClientError' }))
})

it('what is no object at all is refused', () => {
  expect(() => void Reflect.apply(connect, undefined, [undefined])).toThrow(ClientError)
})

it('an option that is undefined is one that was not given', () => {
  const unset: { readonly [Option in Exclude<keyof ClientOptions, keyof typeof good>]: undefined } = {
    token: undefined,
    codec: undefined,
    shouldRetry: undefined,
    memory: undefined,
    onError: undefined,
    maxQueued: undefined,
    maxQueuedBytes: undefined,
    maxMessagesPerSecond: undefined,
    connectTimeoutMs: undefined,
    pingAfterMs: undefined,
    pingTimeoutMs: undefined,
    minRetryMs: undefined,
    maxRetryMs: undefined,
    random: undefined,
  }
  expect(checkOptions({ ...good, ...unset })).toEqual(checkOptions(good))
})

it('what is not given is what docs/client.md says', () => {
  expect(checkOptions({ urls: 'ws://a/', WebSocket: FakeSocket }).settings).toEqual({
    urls: ['ws://a/'],
    asksForTokens: false,
    maxQueued: 1_000,
    maxQueuedBytes: 1024 * 1024,
    maxMessagesPerSecond: 50,
    connectTimeoutMs: 10_000,
    pingAfterMs: 20_000,
    pingTimeoutMs: 10_000,
    minRetryMs: 250,
    maxRetryMs: 30_000,
  })
})

it('where there is no WebSocket, it says whose can be passed', () => {
  vi.stubGlobal('WebSocket', undefined)
  const { urls, clock } = good
  expect(() => connect({ urls, clock })).toThrow(
    expect.objectContaining({ code: 'ERR_NO_WEBSOCKET', message: expect.stringContaining('package ws') as unknown }),
  )
})

it('the WebSocket of the platform is used if there is one', () => {
  const urls: string[] = []
  class Socket extends FakeSocket {
    constructor(url: string, protocols: string[]) {
      super(url, protocols)
      urls.push(url)
    }
  }
  vi.stubGlobal('WebSocket', Socket)
  connect({ urls: 'https://a/ws?x=1#top', clock: new FakeClock() }).close()
  expect(urls).toEqual(['wss://a/ws?x=1'])
})

it('a WebSocket that refuses the address is a gateway that can not be reached, and who listens hears of it', () => {
  class Refusing extends FakeSocket {
    constructor(url: string, protocols: string[]) {
      super(url, protocols)
      throw new Error('mixed content')
    }
  }
  const clock = new FakeClock()
  const client = connect({ ...good, clock, WebSocket: Refusing, random: () => 0.5 })
  const told: unknown[] = []
  client.on('close', (close) => told.push(close))
  clock.advance(0)
  expect(told).toEqual([{ code: 1006, reason: 'Error: mixed content', retryInMs: 125 }])
  expect(client.state).toBe('waiting')
  client.close()
})
