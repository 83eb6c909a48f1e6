/**
 * What a client may send: what each of its messages costs, and when it is not read.
 */
import { expect, it } from 'vitest'
import type { SimMessage } from './simulation/sim-lab.ts'
import { hello, labOf, tell, tokenOf, typesOf } from './simulation/steps.ts'

const message: SimMessage = { type: 'watch', room: 'hall' }
const messages = (count: number): SimMessage[] => Array.from({ length: count }, () => message)

/** While time stands still nothing comes back. */
const rate = { maxMessagesPerSecond: 10, messageBurst: 10 }

it.each([
  ['10 in one frame', [10], undefined],
  ['11 in one frame', [11], 4005],
  ['10 in frames of several', [3, 1, 6], undefined],
  ['11 in frames of several', [3, 2, 6], 4005],
])('of a burst of 10 each message is one, however they come: %s', async (_what, frames, closed) => {
  const lab = await labOf(1, rate)
  const socket = await hello(lab, 0)
  for (const count of frames) await tell(lab, socket, ...messages(count))
  expect(socket.closed).toBe(closed)
})

it('those of a frame that is more than the client may send are not handled, not even the first', async () => {
  const lab = await labOf(1, rate)
  const socket = await hello(lab, 0)
  await tell(lab, socket, ...messages(11))
  expect(lab.at(0).gateway.stats.messagesIn).toBe(0)
})

it('messages that come before the session is there are paid for as those that come after', async () => {
  const lab = await labOf(1, rate)
  const socket = lab.open(lab.at(0))
  await lab.cluster.settle()
  // The hello is one of the ten.
  socket.send({ type: 'hello', token: 'ann' })
  socket.send(messages(4))
  socket.send(messages(6))
  await lab.cluster.advance(1_000)
  expect([socket.closed, lab.at(0).gateway.stats.messagesIn]).toEqual([4005, 4])
})

it.each([
  ['here', 0],
  ['on another node', 1],
])(
  'who goes on with a session %s has acknowledged what it says that it has: to do so again is not free',
  async (_where, index) => {
    const lab = await labOf(2, rate)
    const first = await hello(lab, 0)
    await tell(lab, first, { type: 'register', name: 'ann', policy: 'unique' })
    for (let n = 1; n <= 30; n++) void lab.at(0).names.send('ann', n)
    await lab.cluster.advance(1_000)
    expect(first.messages).toHaveLength(30)
    first.cut()
    const again = await hello(lab, index, { token: tokenOf(first), seq: 30 })
    expect(typesOf(again)).toEqual(['resumed'])
    for (let seq = 20; seq <= 30; seq++) again.send({ type: 'ack', seq })
    await lab.cluster.settle()
    expect(again.closed).toBe(4005)
  },
)

it('a pong is free that was asked for', async () => {
  const lab = await labOf(1, { maxMessagesPerSecond: 1, messageBurst: 1, pingIntervalMs: 5_000 })
  const socket = await hello(lab, 0)
  // By beats: the message comes at the moment of the pong, before anything comes back.
  while (socket.pings === 0) await lab.cluster.advance(1_000)
  await tell(lab, socket, message)
  expect([socket.closed, lab.at(0).gateway.stats.messagesIn]).toEqual([undefined, 1])
})

it('a client is not read as soon as so many of its messages wait as may, and is read again when half of them are handled', async () => {
  const lab = await labOf(1, { maxPendingMessages: 4 })
  const socket = await hello(lab, 0)
  const { gateway } = lab.at(0)
  await tell(lab, socket, ...Array.from({ length: 4 }, (): SimMessage => ({ type: 'busy', ms: 1_000 })))
  await tell(lab, socket, message)
  const read: number[] = []
  for (let second = 0; second < 4; second++) {
    read.push(gateway.stats.messagesIn)
    await lab.cluster.advance(1_000)
  }
  expect(read).toEqual([4, 4, 5, 5])
})
