/**
 * The client and real gateways, over real sockets.
 */
import { msgpack } from '@pidmesh/client/msgpack'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Lab } from './lab.ts'

let lab: Lab

beforeAll(async () => {
  lab = await Lab.start(2)
})
afterAll(() => lab.stop())

describe.each([
  { name: 'JSON', options: {} },
  { name: 'MessagePack', options: { codec: msgpack } },
])('with $name', ({ name, options }) => {
  it('a session goes on at another gateway after a cut, and each message of either side has come once', async () => {
    const user = `resumes-with-${name}`
    const { client, messages, told, cut } = lab.connect(user, options)
    client.send({ type: 'register' })
    client.send({ type: 'echo', value: 1 })
    await expect.poll(() => messages).toEqual([{ type: 'registered' }, { type: 'echo', value: 1 }])
    client.send({ type: 'echo', value: 2 })
    cut()
    expect(lab.at(0).names.send(user, { type: 'echo', value: 'pushed' })).toBe('ok')
    for (const value of [3, 4]) expect(client.send({ type: 'echo', value })).not.toBe('full')
    client.send({ type: 'count' })
    await expect.poll(() => messages.at(-1)?.type).toBe('count')
    expect(messages.at(-1)).toEqual({ type: 'count', count: 4, node: 'n1@127.0.0.1' })
    const values = messages.flatMap((message) => (message.type === 'echo' ? [message.value] : []))
    expect(values.filter((value) => value !== 'pushed')).toEqual([1, 2, 3, 4])
    expect(values.filter((value) => value === 'pushed')).toHaveLength(1)
    expect(client.seq).toBe(messages.length)
    expect(told).toMatchObject([
      ['open', { isResumed: false }],
      ['close', { code: 1006 }],
      ['open', { isResumed: true }],
    ])
    client.close()
  })
})

it('a session that is lost is a gap, with what may not have been handled, and the next one begins', async () => {
  const { client, messages, told } = lab.connect('crashes')
  client.send({ type: 'echo', value: 1 })
  await expect.poll(() => messages.length).toBe(1)
  client.send({ type: 'crash' })
  await expect.poll(() => told.length).toBe(4)
  expect(told).toMatchObject([
    ['open', { isResumed: false }],
    ['close', { code: 1011, reason: 'internal_error' }],
    ['gap', { why: 'gone', unconfirmed: 2 }],
    ['open', { isResumed: false }],
  ])
  client.send({ type: 'count' })
  await expect.poll(() => messages.at(-1)).toEqual({ type: 'count', count: 0, node: 'n1@127.0.0.1' })
  expect(client.seq).toBe(1)
  client.close()
})

it('many messages go out without being too many for the gateway, and are confirmed', async () => {
  const { client, messages, told } = lab.connect('talks', { maxQueued: 150 })
  const statuses = Array.from({ length: 150 }, (_, value) => client.send({ type: 'echo', value }))
  expect(statuses).not.toContain('full')
  expect(client.send({ type: 'echo', value: 'one more' })).toBe('full')
  await expect.poll(() => messages.length, { timeout: 10_000 }).toBe(150)
  expect(client.send({ type: 'echo', value: 'again' })).toBe('sent')
  expect(told).toEqual([['open', { isResumed: false }]])
  client.close()
})

it('the page after a reload goes on with the session of the page before', async () => {
  let kept: { readonly token: string; readonly seq: number } | undefined
  const memory = { load: () => kept, save: (state: typeof kept) => void (kept = state) }
  const before = lab.connect('reloads', { memory })
  before.client.send({ type: 'echo', value: 1 })
  await expect.poll(() => before.messages.length).toBe(1)
  // The page is gone: nothing of it comes back.
  const after = lab.connect('reloads', { memory: { load: () => kept, save: () => undefined } })
  after.client.send({ type: 'count' })
  await expect.poll(() => after.messages).toEqual([{ type: 'count', count: 1, node: 'n0@127.0.0.1' }])
  expect(after.client.seq).toBe(2)
  await expect
    .poll(() => before.told.at(-1))
    .toEqual(['close', { code: 4014, reason: 'resumed_elsewhere', retryInMs: undefined }])
  after.client.close()
})

it('who is not let in is told so, and does not come again', async () => {
  const { client, told } = lab.connect('nobody')
  await expect.poll(() => client.state).toBe('closed')
  expect(told).toEqual([['close', { code: 4003, reason: 'not_authenticated', retryInMs: undefined }]])
})
