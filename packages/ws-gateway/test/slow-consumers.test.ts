/**
 * A client that doesn't read costs what its limits say, and no more; what it is sent meanwhile is left out, merged, or kept, by its class.
 */
import { afterEach, describe, expect, it } from 'vitest'
import { SocketSession, type PushStatus } from '@pidmesh/ws-gateway'
import { Lab, type LabClient, type LabOptions, type Principal } from './lab.ts'

type Command =
  | { readonly type: 'fill'; readonly count: number }
  | { readonly type: 'many'; readonly count: number }
  | { readonly type: 'drop'; readonly message: string }
  | { readonly type: 'coalesce'; readonly key: string; readonly message: string }
  | { readonly type: 'echo'; readonly message: unknown }

const statuses: PushStatus[] = []
const CHUNK = 'x'.repeat(16 * 1024)

class Pusher extends SocketSession<Command, unknown, Principal> {
  override handleConnect() {
    return this.registerAs(this.principal.user)
  }

  override handleInfo(message: unknown) {
    const command = message as Command
    switch (command.type) {
      case 'fill':
        for (let index = 0; index < command.count; index++) statuses.push(this.push({ index, CHUNK }))
        return
      case 'many':
        for (let index = 0; index < command.count; index++) statuses.push(this.push(`message ${index}`))
        return
      case 'drop':
        statuses.push(this.push(command.message, { droppable: true }))
        return
      case 'coalesce':
        statuses.push(this.push(command.message, { coalesce: command.key }))
        return
      case 'echo':
        this.push(command.message)
    }
  }

  override handleMessage(message: Command) {
    return this.handleInfo(message)
  }
}

let lab: Lab
afterEach(() => lab.stop())

async function start(options: LabOptions = {}): Promise<LabClient> {
  statuses.length = 0
  lab = await Lab.start(1, { session: Pusher as never, ...options })
  return lab.connect(0, 'slow')
}

function tell(command: Command): void {
  lab.at(0).names.send('slow', command)
}

/** Sends until more than the soft limit waits in the process: what the system takes is its own affair. */
async function fillUp(client: LabClient, softBytes: number): Promise<void> {
  client.socket.pause()
  const { gateway } = lab.at(0)
  const waiting = () => gateway.stats.bufferedBytes.sum
  while (waiting() <= softBytes) {
    tell({ type: 'fill', count: 4 })
    await new Promise((resolve) => setImmediate(resolve))
  }
}

it('to a client for which nothing waits a message goes that is larger than the soft limit by itself, droppable or coalescible', async () => {
  const client = await start({ softBufferedBytes: 1_024 })
  const large = 'x'.repeat(2_000)
  tell({ type: 'drop', message: large })
  expect(await client.received(1)).toEqual([large])
  tell({ type: 'coalesce', key: 'a', message: large })
  expect(await client.received(2)).toEqual([large, large])
})

describe('above the soft limit', () => {
  const options: LabOptions = { softBufferedBytes: 64 * 1024, maxBufferedBytes: 16 * 1024 * 1024 }

  it('droppable messages are left out, and of coalescible ones the latest of each key comes when the client reads again', async () => {
    const client = await start(options)
    tell({ type: 'drop', message: 'not left out' })
    expect(await client.received(1)).toEqual(['not left out'])
    await fillUp(client, 64 * 1024)
    for (const [key, message] of [
      ['a', 'a1'],
      ['b', 'b1'],
      ['a', 'a2'],
    ] as const)
      tell({ type: 'coalesce', key, message })
    tell({ type: 'drop', message: 'left out' })
    await expect.poll(() => statuses.slice(-4)).toEqual(['held', 'held', 'held', 'dropped'])
    expect(lab.at(0).gateway.stats.dropped).toEqual(
      new Map([
        ['coalesced', 1],
        ['droppable', 1],
      ]),
    )
    client.socket.resume()
    const sent = statuses.filter((status) => status === 'sent').length
    const all = await client.received(sent + 2)
    expect(all.slice(-2)).toEqual(['b1', 'a2'])
    expect(all).not.toContain('left out')
    expect(client.seq).toBe(all.length)
  })

  it('for too long the socket is closed with 4008, and what the client has missed is told', async () => {
    const client = await start({ ...options, slowTimeoutMs: 1 })
    await fillUp(client, 64 * 1024)
    await expect.poll(() => lab.at(0).gateway.stats.closed.get(4008), { timeout: 5_000 }).toBe(1)
    client.socket.terminate()
    await client.closed
    const again = await lab.resume(0, 'slow', client.at)
    // More was under way than is kept: that is said.
    expect(await again.next('resume_failed')).toMatchObject({ why: 'gap', seq: statuses.length })
    await again.next('welcome')
  })
})

it('what is sent in the turn that comes to the hard limit is read before the close with 4008', async () => {
  const client = await start({ softBufferedBytes: 512, maxBufferedBytes: 1024 })
  tell({ type: 'many', count: 100 })
  expect(await client.closed).toEqual({ code: 4008, reason: 'slow_consumer' })
  const sent = statuses.filter((status) => status === 'sent').length
  expect(sent).toBeGreaterThan(10)
  expect(client.messages).toEqual(Array.from({ length: sent }, (_, index) => `message ${index}`))
})

it('above the hard limit the socket is closed at once with 4008, no more than it waits, and other sessions go on', async () => {
  const client = await start({ softBufferedBytes: 64 * 1024, maxBufferedBytes: 256 * 1024 })
  const other = await lab.connect(0, 'other')
  await fillUp(client, 64 * 1024)
  const { gateway } = lab.at(0)
  tell({ type: 'fill', count: 64 })
  await expect.poll(() => gateway.stats.closed.get(4008)).toBe(1)
  expect(gateway.stats.bufferedBytes.sum).toBeLessThan(300 * 1024)
  lab.at(0).names.send('other', { type: 'echo', message: 'unharmed' })
  expect(await other.received(1)).toEqual(['unharmed'])
})

it('the stats look at the sockets when their distributions are first read, and keep what they have seen', async () => {
  const client = await start({ softBufferedBytes: 64 * 1024, maxBufferedBytes: 16 * 1024 * 1024 })
  const { gateway } = lab.at(0)
  const [before, later] = [gateway.stats, gateway.stats]
  expect(before.bufferedBytes.sum).toBe(0)
  await fillUp(client, 64 * 1024)
  expect(before.bufferedBytes.sum).toBe(0)
  const { sum } = later.bufferedBytes
  expect(sum).toBeGreaterThan(64 * 1024)
  expect(later.mailboxMessages.count).toBe(1)
  client.socket.resume()
  await expect.poll(() => gateway.stats.bufferedBytes.sum).toBe(0)
  expect(later.bufferedBytes.sum).toBe(sum)
})

it('while there is no socket droppable messages are left out, and the latest of each key waits for the client', async () => {
  const client = await start()
  client.socket.terminate()
  await expect.poll(() => lab.at(0).gateway.stats.sessions.detached).toBe(1)
  tell({ type: 'drop', message: 'left out' })
  tell({ type: 'coalesce', key: 'a', message: 'a1' })
  tell({ type: 'coalesce', key: 'a', message: 'a2' })
  tell({ type: 'echo', message: 'kept' })
  const again = await lab.resume(0, 'slow', client.at)
  expect(await again.received(2)).toEqual(['kept', 'a2'])
  const { messagesOut, dropped } = lab.at(0).gateway.stats
  expect({ messagesOut, dropped }).toEqual({
    messagesOut: 2, // what was kept counts when it is sent
    dropped: new Map([
      ['droppable', 1],
      ['coalesced', 1],
    ]),
  })
})

it('a message that waits by its key counts as left out when a smaller one of that key finds room', async () => {
  const client = await start({ softBufferedBytes: 1_024 })
  tell({ type: 'echo', message: 'before' })
  tell({ type: 'coalesce', key: 'a', message: 'x'.repeat(2_000) })
  tell({ type: 'coalesce', key: 'a', message: 'small' })
  expect(await client.received(2)).toEqual(['before', 'small'])
  expect(statuses).toEqual(['held', 'sent'])
  expect(lab.at(0).gateway.stats.dropped).toEqual(new Map([['coalesced', 1]]))
})

it('of what waits by its key for a client there are 256 messages and 256 KiB at most: the oldest make room', async () => {
  const client = await start()
  client.socket.terminate()
  await expect.poll(() => lab.at(0).gateway.stats.sessions.detached).toBe(1)
  for (let index = 0; index < 257; index++) tell({ type: 'coalesce', key: `${index}`, message: `small ${index}` })
  await expect.poll(() => statuses.length).toBe(257)
  const { gateway } = lab.at(0)
  expect(gateway.stats.dropped).toEqual(new Map([['coalesced', 1]]))
  // The two are more bytes than may wait, and the last is so by itself.
  for (const key of ['a', 'b']) tell({ type: 'coalesce', key, message: key.repeat(130 * 1024) })
  await expect.poll(() => statuses.length).toBe(259)
  tell({ type: 'coalesce', key: 'c', message: 'c'.repeat(260 * 1024) })
  await expect.poll(() => statuses.at(-1)).toBe('dropped')
  tell({ type: 'coalesce', key: 'd', message: 'the last' })
  const again = await lab.resume(0, 'slow', client.at)
  expect(await again.received(1)).toEqual(['the last'])
  expect(gateway.stats.dropped).toEqual(new Map([['coalesced', 260]]))
})

describe('when the heap is nearly full', () => {
  it('new sockets are refused with 503, and the slowest are closed with 1013; others stay', async () => {
    let share = 0.1
    const client = await start({
      softBufferedBytes: 64 * 1024,
      maxBufferedBytes: 64 * 1024 * 1024,
      heapShare: () => share,
    })
    const other = await lab.connect(0, 'other')
    await fillUp(client, 64 * 1024)
    const { gateway } = lab.at(0)
    share = 0.97
    await expect.poll(() => gateway.stats.closed.get(1013), { timeout: 10_000 }).toBe(1)
    await expect(lab.open(0)).rejects.toThrow('503')
    lab.at(0).names.send('other', { type: 'echo', message: 'unharmed' })
    expect(await other.received(1)).toEqual(['unharmed'])
    share = 0.1
    await expect
      .poll(
        () =>
          lab.open(0).then(
            () => 'open',
            () => 'refused',
          ),
        { timeout: 5_000 },
      )
      .toBe('open')
  })
})
