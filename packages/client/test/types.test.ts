/**
 * What doesn't compile. The code is never run: each line with an `@ts-expect-error` is an error of the types, or the check of the types fails.
 */
import { connect, type Client, type ClientOptions, type SendStatus } from '@pidmesh/client'
import { msgpack } from '@pidmesh/client/msgpack'
import { expect, expectTypeOf, it } from 'vitest'
import { WebSocket as WsWebSocket } from 'ws'

type ToServer = { type: 'say'; text: string } | { type: 'leave' }
type FromServer = { type: 'said'; text: string }

function typesOf(client: Client<ToServer, FromServer>): void {
  expectTypeOf(client.send({ type: 'leave' })).toEqualTypeOf<SendStatus>()
  // @ts-expect-error no such message
  client.send({ type: 'shout' })
  // @ts-expect-error a part is missing
  client.send({ type: 'say' })
  const stop = client.on('message', (message, seq) => {
    expectTypeOf(message).toEqualTypeOf<FromServer>()
    expectTypeOf(seq).toEqualTypeOf<number>()
  })
  expectTypeOf(stop).toEqualTypeOf<() => void>()
  client.on('gap', ({ why, unconfirmed }) => {
    expectTypeOf(why).toEqualTypeOf<'gap' | 'gone' | 'refused' | 'not_resumable'>()
    expectTypeOf(unconfirmed).toEqualTypeOf<number>()
  })
  client.on('close', ({ retryInMs }) => expectTypeOf(retryInMs).toEqualTypeOf<number | undefined>())
  client.on('state', (state) => expectTypeOf(state).toEqualTypeOf<'connecting' | 'open' | 'waiting' | 'closed'>())
  // @ts-expect-error no such event
  client.on('opened', () => undefined)
  // @ts-expect-error it is read only
  client.state = 'open'
}

function placesOf(client: Client<ToServer, FromServer>): readonly unknown[] {
  const less: Client<{ type: 'leave' }, FromServer | { type: 'other' }> = client
  // @ts-expect-error the gateway doesn't take it
  const sendsMore: Client<ToServer | { type: 'shout' }, FromServer> = client
  // @ts-expect-error others may come
  const getsLess: Client<ToServer, { type: 'said'; text: 'hello' }> = client
  return [less, sendsMore, getsLess]
}

function options(): readonly ClientOptions[] {
  return [
    { urls: 'ws://a/', WebSocket: WsWebSocket, codec: msgpack },
    { urls: ['ws://a/'], WebSocket: globalThis.WebSocket, token: async () => 'alice' },
    // @ts-expect-error no such option
    { urls: 'ws://a/', url: 'ws://b/' },
    // @ts-expect-error there must be a gateway
    { token: 'alice' },
    // @ts-expect-error a token is text
    { urls: 'ws://a/', token: () => 7 },
  ]
}

it('compiles as it says', () => {
  expect([typesOf, placesOf, options, connect]).toHaveLength(4)
})
