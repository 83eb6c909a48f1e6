import { json, type Codec } from '@pidmesh/client'
import { describe, expect, it, vi } from 'vitest'
import { bench, settled } from './fakes.ts'

const ack = (seq: number) => ({ type: 'ack', seq })

describe('a connection', () => {
  it('begins with hello, and acknowledges the welcome at once', () => {
    const { socket, told, client } = bench()
    expect(client.state).toBe('connecting')
    expect(socket.protocols).toEqual(['pidmesh.json.1'])
    socket.opens()
    expect(socket.sent).toEqual([{ type: 'hello' }])
    socket.welcomes()
    expect(socket.sent.at(-1)).toEqual(ack(0))
    expect(told).toEqual([['open', { isResumed: false }]])
    expect(client.state).toBe('open')
    expect(socket.binaryType).toBe('arraybuffer')
  })

  it('tells messages with their numbers, and acknowledges after `ackEvery`, or after a second', () => {
    const { socket, told, clock, client } = bench()
    socket.welcomes({ resume: { token: 't' }, ackEvery: 3 })
    socket.says(['a', 'b'])
    expect(told.slice(1)).toEqual([
      ['message', 'a', 1],
      ['message', 'b', 2],
    ])
    expect(socket.controls.at(-1)).toEqual(ack(0))
    clock.advance(1_000)
    expect(socket.controls.at(-1)).toEqual(ack(2))
    socket.says(['c'])
    socket.says(['d'])
    expect(socket.controls.at(-1)).toEqual(ack(2))
    socket.says(['e'])
    expect(socket.controls.at(-1)).toEqual(ack(5))
    expect(client.seq).toBe(5)
  })

  it.each([undefined, 0, -4, 1.5, '4'])('acknowledges after 16 where the gateway says `ackEvery` %j', (ackEvery) => {
    const { socket } = bench()
    socket.welcomes({ resume: { token: 't1' }, ackEvery })
    socket.says(Array.from({ length: 15 }, (_, message) => message))
    expect(socket.controls.at(-1)).toEqual(ack(0))
    socket.says(['the last'])
    expect(socket.controls.at(-1)).toEqual(ack(16))
  })

  it('goes on with its session after a loss, with the token and the number that it has', () => {
    const { socket, told, next } = bench()
    socket.welcomes()
    socket.says(['a'])
    socket.closes()
    const second = next()
    second.resumes(1, 0)
    expect(second.sent.slice(0, 2)).toEqual([{ type: 'hello', resume: { token: 't1', seq: 1 } }, ack(1)])
    second.says(['b'])
    expect(told.slice(2)).toEqual([
      ['close', { code: 1006, reason: '', retryInMs: 125 }],
      ['open', { isResumed: true }],
      ['message', 'b', 2],
    ])
  })

  it('acknowledges after a resume as after a welcome: not each message, because there were many before', () => {
    const { socket, clock, next } = bench()
    socket.welcomes()
    socket.says(Array.from({ length: 16 }, (_, message) => message))
    socket.closes()
    const second = next()
    second.resumes(16, 0)
    second.says(['next'])
    expect(second.controls.slice(1)).toEqual([ack(16)])
    clock.advance(1_000)
    expect(second.controls.slice(1)).toEqual([ack(16), ack(17)])
  })

  it('of which the codec fails is given up, and what it was to send goes over the next one', () => {
    const onError = vi.fn<(error: unknown) => void>()
    let fails = false
    const frame: Codec['frame'] = (messages) => {
      if (fails) throw new Error('not now')
      return json.frame(messages)
    }
    const { socket, client, next } = bench({ codec: { ...json, frame }, onError })
    socket.welcomes()
    fails = true
    client.send('a')
    expect(onError).toHaveBeenCalledTimes(1)
    expect(socket.closedWith).toBeDefined()
    fails = false
    socket.closes()
    const second = next()
    second.resumes(0, 0)
    expect(second.sent.at(-1)).toEqual(['a'])
  })

  it('that throws at a frame is given up, and takes none after it: the session would take a later one for that', () => {
    const { socket, client, next } = bench()
    socket.welcomes()
    const { send } = socket
    socket.send = () => {
      throw new Error('no room')
    }
    client.send('a')
    socket.send = send
    client.send('b')
    expect([socket.messages, socket.closedWith]).toEqual([[], []])
    socket.closes()
    const second = next()
    second.resumes(0, 0)
    expect(second.messages).toEqual(['a', 'b'])
  })

  it('that throws also when it is closed is given up when it has been silent for too long', () => {
    const { socket, client, clock, next } = bench()
    socket.welcomes()
    socket.send = socket.close = () => {
      throw new Error('it is broken')
    }
    expect(client.send('a')).toBe('sent')
    clock.advance(30_000)
    const second = next()
    second.resumes(0, 0)
    expect(second.messages).toEqual(['a'])
  })

  it('counts no message of a socket that it has given up', () => {
    const { socket, clock, told, client } = bench()
    socket.welcomes()
    clock.advance(30_000)
    expect(socket.closedWith).toEqual([undefined])
    socket.says(['late'])
    socket.closes()
    expect(client.seq).toBe(0)
    expect(told.filter(([name]) => name === 'message')).toEqual([])
  })

  it('tells of a gap once, and how many messages are not known to have arrived', () => {
    const { socket, told, next, client } = bench()
    socket.welcomes()
    for (const message of ['a', 'b', 'c']) client.send(message)
    socket.says({ type: 'received', received: 1 })
    socket.closes()
    client.send('d')
    const second = next()
    second.opens()
    second.says({ type: 'resume_failed', why: 'gone', seq: 7 })
    second.closes()
    const third = next()
    third.welcomes()
    expect(third.sent).toEqual([{ type: 'hello' }, ack(0), ['d']])
    expect(told.filter(([name]) => name === 'gap')).toEqual([['gap', { why: 'gone', seq: 7, unconfirmed: 2 }]])
  })

  it('tells of a gap when a session that can not be resumed is lost', () => {
    const { socket, told, next, client } = bench()
    socket.welcomes({ ackEvery: 16 })
    client.send('a')
    socket.closes()
    next().welcomes({ ackEvery: 16 })
    expect(told.slice(2)).toEqual([
      ['gap', { why: 'not_resumable', seq: 0, unconfirmed: 1 }],
      ['open', { isResumed: false }],
    ])
  })

  it('gives up a gateway that answers no ping, and not one that says anything', () => {
    const { socket, clock, told } = bench()
    socket.welcomes()
    clock.advance(20_000)
    expect(socket.controls.at(-1)).toEqual({ type: 'ping' })
    clock.advance(9_999)
    socket.says({ type: 'pong' })
    clock.advance(29_999)
    expect(told.at(-1)?.[0]).toBe('open')
    clock.advance(1)
    expect(told.at(-1)).toEqual(['close', { code: 1006, reason: 'no answer to a ping', retryInMs: 125 }])
  })

  it('asks again after a sleep, and does not blame the gateway for it', () => {
    const { socket, clock, client } = bench()
    socket.welcomes()
    clock.advance(20_000)
    clock.sleep(3_600_000)
    clock.advance(0)
    expect(client.state).toBe('open')
    expect(socket.controls.filter((control) => (control as { type: string }).type === 'ping')).toHaveLength(2)
    clock.advance(10_000)
    expect(client.state).toBe('waiting')
  })

  it('asks once more only: a page that is not seen has all its timers late, and the gateway may be gone', () => {
    const { socket, clock, told, client } = bench()
    const minute = (): void => {
      clock.sleep(60_000)
      clock.advance(0)
    }
    socket.welcomes()
    for (let round = 0; round < 10; round++) {
      minute()
      minute()
      socket.says({ type: 'pong' })
    }
    client.wake()
    minute()
    expect(client.state).toBe('open')
    minute()
    expect(told.at(-1)).toEqual(['close', { code: 1006, reason: 'no answer to a ping', retryInMs: 125 }])
  })

  it('gives a ping that is under way no more time because the page wakes', () => {
    const { socket, clock, client } = bench()
    socket.welcomes()
    clock.advance(20_000)
    clock.advance(9_999)
    client.wake()
    expect(client.state).toBe('open')
    clock.advance(1)
    expect(client.state).toBe('waiting')
  })

  it('tells why it came to nothing where the socket says so, and the reason of the close frame where there is one', () => {
    const shouldRetry = vi.fn<(code: number, reason: string) => undefined>()
    const { socket, told, next } = bench({ shouldRetry })
    socket.fails('connect ECONNREFUSED 127.0.0.1:1')
    const reason = 'connect ECONNREFUSED 127.0.0.1:1'
    expect(told).toEqual([['close', { code: 1006, reason, retryInMs: 125 }]])
    expect(shouldRetry).toHaveBeenCalledWith(1006, reason)
    next().closes(1011, 'internal_error')
    expect(told.at(-1)).toMatchObject(['close', { code: 1011, reason: 'internal_error' }])
  })

  it('that the client has given up is forgotten: nobody is asked what is to come of its end', () => {
    const shouldRetry = vi.fn<(code: number, reason: string) => undefined>()
    const { socket, clock, client } = bench({ shouldRetry })
    socket.welcomes()
    clock.advance(30_000)
    expect(client.state).toBe('waiting')
    socket.closes(1006)
    expect(shouldRetry).not.toHaveBeenCalled()
  })

  it('gives up an attempt that is not ready in time', () => {
    const { socket, clock, told } = bench()
    socket.opens()
    clock.advance(10_000)
    expect(socket.closedWith).toEqual([undefined])
    expect(told).toEqual([['close', { code: 1006, reason: 'no connection in time', retryInMs: 125 }]])
  })

  it('has its own time, after that for its token', async () => {
    const answers: ((token: string) => void)[] = []
    const { sockets, clock, told } = bench({ token: () => new Promise<string>((resolve) => answers.push(resolve)) })
    clock.advance(9_999)
    answers[0]?.('just in time')
    await settled()
    clock.advance(9_999)
    expect(sockets).toHaveLength(1)
    expect(told).toEqual([])
    clock.advance(1)
    expect(told).toMatchObject([['close', { reason: 'no connection in time' }]])
  })

  it.each([
    { what: 'no JSON', frame: '{' },
    { what: 'neither messages nor a control', frame: '7' },
    { what: 'a control without what it must have', frame: '{"type":"received","received":-1}' },
    { what: 'bytes', frame: new ArrayBuffer(2) },
  ])('goes on over another socket if a frame is $what', ({ frame }) => {
    const { socket, client, next } = bench()
    socket.welcomes()
    socket.saysText(frame)
    expect(client.state).toBe('waiting')
    next().opens()
    expect(socket.closedWith).toEqual([undefined])
  })

  it('passes over controls that it does not know', () => {
    const { socket, client } = bench()
    socket.welcomes()
    socket.says({ type: 'weather', is: 'fine' })
    expect(client.state).toBe('open')
  })

  it('ends with 1000 when it is closed, for good, and leaves no timer', () => {
    const { socket, client, told, clock } = bench()
    socket.welcomes()
    client.close()
    client.close()
    expect(socket.closedWith).toEqual([1000])
    expect(told.at(-1)).toEqual(['close', { code: 1000, reason: 'closed', retryInMs: undefined }])
    expect(told).toHaveLength(2)
    expect(client.send('a')).toBe('closed')
    expect(clock.pending).toBe(0)
  })
})

describe('messages of the client', () => {
  it('wait while there is no connection, and go out in order after the welcome', () => {
    const { socket, client } = bench()
    expect([client.send(1), client.send(2)]).toEqual(['queued', 'queued'])
    socket.welcomes()
    expect(client.send(3)).toBe('sent')
    expect(socket.sent).toEqual([{ type: 'hello' }, ack(0), [1, 2], [3]])
  })

  it('go out again after a resume if the session has not got them, before what was never sent', () => {
    const { socket, client, next } = bench()
    socket.welcomes()
    for (const message of [1, 2, 3]) client.send(message)
    socket.closes()
    client.send(4)
    const second = next()
    second.resumes(0, 2)
    expect(second.messages).toEqual([3, 4])
    client.send(5)
    second.closes()
    const third = next()
    third.resumes(0, 2)
    expect(third.messages).toEqual([3, 4, 5])
  })

  it('are refused beyond the bound, until the gateway has said what it has', () => {
    const { socket, client } = bench({ maxQueued: 16 })
    socket.welcomes()
    for (let message = 0; message < 16; message++) expect(client.send(message)).toBe('sent')
    expect(client.send(16)).toBe('full')
    socket.says({ type: 'received', received: 16 })
    expect(client.send(16)).toBe('sent')
  })

  it('are refused beyond so many bytes, but never before the gateway would say what it has', () => {
    const { socket, client } = bench({ maxQueuedBytes: 10 })
    socket.welcomes()
    for (let message = 0; message < 16; message++) expect(client.send('long enough')).toBe('sent')
    expect(client.send('long enough')).toBe('full')
  })

  it('are not kept for a session that can not be resumed', () => {
    const { socket, client } = bench({ maxQueued: 16 })
    socket.welcomes({ ackEvery: 16 })
    for (let message = 0; message < 50; message++) expect(client.send(message)).toBe('sent')
  })

  it('that were sent once count as such also when they wait to be sent again', () => {
    const { socket, client, told, next, clock } = bench({ maxMessagesPerSecond: 10 })
    socket.welcomes()
    for (let message = 0; message < 30; message++) client.send(message)
    clock.advance(2_000)
    socket.closes()
    const second = next()
    second.resumes(0, 0)
    expect(second.messages).toHaveLength(20)
    second.closes()
    const third = next()
    third.opens()
    third.says({ type: 'resume_failed', why: 'gone', seq: 0 })
    expect(told.at(-1)).toEqual(['gap', { why: 'gone', seq: 0, unconfirmed: 30 }])
    third.says({ type: 'welcome', seq: 0, received: 0 })
    client.send('next')
    expect(third.messages).toEqual(['next'])
  })

  it('are what they were when they were sent, or are refused at the caller', () => {
    const { socket, client } = bench()
    const message = { text: 'before' }
    client.send(message)
    message.text = 'after'
    socket.welcomes()
    expect(socket.messages).toEqual([{ text: 'before' }])
    const cycle: { self?: unknown } = {}
    cycle.self = cycle
    for (const bad of [undefined, cycle, 1n])
      expect(() => client.send(bad)).toThrow(expect.objectContaining({ code: 'ERR_NOT_SENDABLE' }))
  })

  it('go out no faster than the gateway takes them', () => {
    const { socket, client, clock } = bench({ maxMessagesPerSecond: 10 })
    socket.welcomes()
    const statuses = Array.from({ length: 25 }, (_, message) => client.send(message))
    expect(statuses.filter((status) => status === 'sent')).toHaveLength(20)
    expect(socket.messages).toHaveLength(20)
    clock.advance(200)
    expect(socket.messages).toHaveLength(22)
    clock.advance(1_000)
    expect(socket.messages).toEqual(Array.from({ length: 25 }, (_, message) => message))
  })

  it('leave an acknowledgement its turn, which is no frame too many, either', () => {
    const { socket, client, clock } = bench({ maxMessagesPerSecond: 10 })
    socket.welcomes()
    for (let message = 0; message < 25; message++) client.send(message)
    socket.says(Array.from({ length: 16 }, (_, message) => message))
    expect(socket.controls.at(-1)).toEqual(ack(0))
    clock.advance(100)
    expect(socket.controls.at(-1)).toEqual(ack(16))
    expect(socket.messages).toHaveLength(20)
  })

  it('are not put together to a frame that is too large for who takes each of them', () => {
    const { socket, client } = bench()
    const long = '€'.repeat(1_300)
    for (const message of [long, long, ...Array.from({ length: 40 }, () => '€'.repeat(40))]) client.send(message)
    socket.welcomes()
    const frames = socket.sent.filter((frame) => Array.isArray(frame))
    expect(frames.flat()).toHaveLength(42)
    expect(frames.length).toBeLessThan(10)
    for (const frame of frames) expect(Buffer.byteLength(JSON.stringify(frame))).toBeLessThan(4 * 1024)
  })

  it('are not more in a frame than the gateway takes, however small they are', () => {
    const { socket, client } = bench({ maxMessagesPerSecond: 1_000 })
    for (let message = 0; message < 600; message++) client.send(7)
    socket.welcomes()
    const frames = socket.sent.filter((frame) => Array.isArray(frame))
    expect(frames.flat()).toHaveLength(600)
    for (const frame of frames) expect(frame.length).toBeLessThanOrEqual(256)
  })

  it('are none the fewer if the gateway says once more what it has said before, or less', () => {
    const { socket, client, next } = bench()
    socket.welcomes()
    for (const message of ['a', 'b', 'c', 'd']) client.send(message)
    for (const received of [2, 2, 1]) socket.says({ type: 'received', received })
    socket.closes()
    const second = next()
    second.resumes(0, 2)
    expect(second.messages).toEqual(['c', 'd'])
  })

  it('are counted from what the session has got of the page before', () => {
    const memory = { load: () => ({ token: 't1', seq: 0 }), save: () => undefined }
    const { socket, client, next } = bench({ memory })
    socket.resumes(0, 5)
    for (const message of ['sixth', 'seventh']) client.send(message)
    socket.says({ type: 'received', received: 6 })
    socket.closes()
    const second = next()
    second.resumes(0, 6)
    expect(second.messages).toEqual(['seventh'])
  })

  it('stay in order if a listener sends while others go out', () => {
    const { socket, client } = bench()
    client.on('open', () => client.send('by the listener'))
    client.send('before')
    socket.welcomes()
    expect(socket.messages).toEqual(['before', 'by the listener'])
  })
})

describe('retries', () => {
  it('come later and later, up to a limit, and soon again after a good connection', () => {
    const { socket, told, next, clock } = bench()
    socket.closes()
    for (let attempt = 0; attempt < 9; attempt++) next().closes()
    const waits = told.map(([, close]) => (close as { retryInMs: number }).retryInMs)
    expect(waits).toEqual([125, 250, 500, 1_000, 2_000, 4_000, 8_000, 15_000, 15_000, 15_000])
    const good = next()
    good.welcomes()
    clock.advance(5_000)
    good.closes()
    expect(told.at(-1)).toEqual(['close', { code: 1006, reason: '', retryInMs: 125 }])
  })

  it('do not hammer a gateway that welcomes and closes', () => {
    const { socket, told, next } = bench()
    socket.welcomes()
    socket.closes(1011)
    const second = next()
    second.welcomes()
    second.closes(1011)
    expect(told.at(-1)).toEqual(['close', { code: 1011, reason: '', retryInMs: 250 }])
  })

  it('wait at least as long as the gateway says, and a little more', () => {
    const { socket, told, client, clock, sockets } = bench()
    socket.welcomes()
    socket.closes(1012, 'service_restart;retry_after_ms=5000')
    expect(told.at(-1)).toMatchObject(['close', { retryInMs: 5_125 }])
    client.wake()
    clock.advance(4_999)
    expect(sockets).toHaveLength(1)
    clock.advance(1)
    expect(sockets).toHaveLength(2)
  })

  it('go from gateway to gateway, beginning at any', () => {
    const { socket, next } = bench({ urls: ['ws://a/', 'http://b/', 'wss://c/'] })
    expect(socket.url).toBe('ws://b/')
    socket.closes()
    const second = next()
    second.closes()
    expect([second.url, next().url]).toEqual(['wss://c/', 'ws://a/'])
  })

  it('come at once when the page wakes', () => {
    const { socket, client, sockets } = bench()
    socket.closes()
    client.wake()
    expect(sockets).toHaveLength(2)
  })

  it('come to nothing after a code that ends it, unless the application says otherwise', () => {
    const ended = bench()
    ended.socket.welcomes()
    ended.socket.closes(4013, 'replaced')
    expect(ended.told.at(-1)).toEqual(['close', { code: 4013, reason: 'replaced', retryInMs: undefined }])
    const retried = bench({ shouldRetry: (code) => (code === 4013 ? true : undefined) })
    retried.socket.closes(4013, 'replaced')
    expect(retried.client.state).toBe('waiting')
  })
})

describe('a token', () => {
  const expiring = { type: 'expiring', inMs: 60_000 }

  it('that is text stands in every hello, and no other is shown', () => {
    const { socket, next } = bench({ token: 'alice' })
    socket.welcomes()
    socket.says(expiring)
    expect(socket.sent).toEqual([{ type: 'hello', token: 'alice' }, ack(0)])
    socket.closes(4001, 'token_expired')
    const second = next()
    second.opens()
    expect(second.sent).toEqual([{ type: 'hello', token: 'alice', resume: { token: 't1', seq: 0 } }])
  })

  it('of a function is another one for each connection, and when it expires', async () => {
    let count = 0
    const { sockets, clock } = bench({ token: async () => `alice${++count}` })
    await settled()
    expect(sockets).toHaveLength(1)
    sockets[0]?.welcomes()
    sockets[0]?.says(expiring)
    await settled()
    expect(sockets[0]?.sent).toEqual([{ type: 'hello', token: 'alice1' }, ack(0), { type: 'auth', token: 'alice2' }])
    sockets[0]?.closes(4001)
    clock.advance(250)
    await settled()
    expect(sockets).toHaveLength(2)
    sockets[1]?.opens()
    expect(sockets[1]?.sent[0]).toMatchObject({ type: 'hello', token: 'alice3' })
  })

  it('that is refused is followed by a fresh one, once', async () => {
    const { sockets, clock, client } = bench({ token: () => 'refused' })
    await settled()
    expect(sockets).toHaveLength(1)
    sockets[0]?.closes(4003, 'not_authenticated')
    expect(client.state).toBe('waiting')
    clock.advance(250)
    await settled()
    expect(sockets).toHaveLength(2)
    sockets[1]?.closes(4003, 'not_authenticated')
    expect(client.state).toBe('closed')
    const fixed = bench({ token: 'refused' })
    fixed.socket.closes(4003)
    expect(fixed.client.state).toBe('closed')
  })

  it('that is refused again ends it, also if an attempt between the two came to nothing', async () => {
    const { sockets, clock, client } = bench({ token: () => 'refused' })
    for (const code of [4003, 1006, 4003]) {
      await settled()
      expect(client.state).toBe('connecting')
      sockets.at(-1)?.closes(code)
      clock.advance(1_000)
    }
    expect(sockets).toHaveLength(3)
    expect(client.state).toBe('closed')
  })

  it('that is refused after one was taken is followed by a fresh one again', async () => {
    const { sockets, clock, client } = bench({ token: async () => 'alice' })
    await settled()
    sockets[0]?.closes(4003)
    clock.advance(250)
    await settled()
    sockets[1]?.welcomes()
    sockets[1]?.closes(4003)
    expect(client.state).toBe('waiting')
    clock.advance(500)
    await settled()
    expect(sockets).toHaveLength(3)
  })

  it('that is no text is none', async () => {
    const token = (): unknown => 7
    const { sockets } = bench({ token: token as () => string })
    await settled()
    sockets[0]?.opens()
    expect(sockets[0]?.sent).toEqual([{ type: 'hello' }])
  })

  it('that can not be had is told of, and asked for again later', async () => {
    const onError = vi.fn<(error: unknown) => void>()
    let isDown = true
    const token = () => (isDown ? Promise.reject(new Error('down')) : 'alice')
    const { sockets, clock, told } = bench({ token, onError })
    await settled()
    expect(told).toEqual([['close', { code: 1006, reason: 'no token', retryInMs: 125 }]])
    expect(onError).toHaveBeenCalledTimes(1)
    isDown = false
    clock.advance(125)
    await settled()
    expect(sockets).toHaveLength(1)
  })

  it('that can not be had when it expires is told of, and the connection is good as long as the gateway says so', async () => {
    const onError = vi.fn<(error: unknown) => void>()
    const answers = ['alice', undefined]
    const token = async (): Promise<string> => {
      const answer = answers.shift()
      if (answer === undefined) throw new Error('no token now')
      return answer
    }
    const { sockets, client } = bench({ token, onError })
    await settled()
    sockets[0]?.welcomes()
    sockets[0]?.says(expiring)
    await settled()
    expect(onError.mock.calls).toEqual([[new Error('no token now')]])
    expect(client.state).toBe('open')
    expect(sockets[0]?.sent).toEqual([{ type: 'hello', token: 'alice' }, ack(0)])
  })

  it('that comes too late is not used', async () => {
    const answers: ((token: string) => void)[] = []
    const { sockets, clock } = bench({ token: () => new Promise<string>((resolve) => answers.push(resolve)) })
    clock.advance(10_000 + 125)
    expect(answers).toHaveLength(2)
    answers[0]?.('late')
    answers[1]?.('in time')
    await settled()
    expect(sockets).toHaveLength(1)
    sockets[0]?.opens()
    expect(sockets[0]?.sent).toEqual([{ type: 'hello', token: 'in time' }])
  })
})

describe('a memory', () => {
  it('lets the next page go on with the session', () => {
    const saved: unknown[] = []
    const memory = { load: () => undefined, save: (state: unknown) => void saved.push(state) }
    const first = bench({ memory })
    first.socket.welcomes()
    first.socket.says(['a', 'b'])
    expect(saved).toEqual([
      { token: 't1', seq: 0 },
      { token: 't1', seq: 2 },
    ])
    const second = bench({ memory: { ...memory, load: () => ({ token: 't1', seq: 2 }) } })
    second.client.send('x')
    second.socket.resumes(2, 5)
    expect(second.socket.sent).toEqual([{ type: 'hello', resume: { token: 't1', seq: 2 } }, ack(2), ['x']])
    second.socket.says({ type: 'received', received: 6 })
    second.client.close()
    expect(saved.at(-1)).toBeUndefined()
  })

  it('has the number of a message, and the next token, before they are acknowledged', () => {
    const saved: unknown[] = []
    const { socket } = bench({
      memory: {
        load: () => undefined,
        save: (state) => void saved.push([state, socket.controls.at(-1)]),
      },
    })
    socket.welcomes({ resume: { token: 't' }, ackEvery: 1 })
    socket.says(['a'])
    expect(saved).toEqual([
      [{ token: 't', seq: 0 }, { type: 'hello' }],
      [{ token: 't', seq: 1 }, ack(0)],
    ])
  })

  it('has the number of a message once it has been told, and not before: the next page gets what this one was not told', () => {
    const order: unknown[] = []
    const memory = { load: () => undefined, save: (state?: { readonly seq: number }) => void order.push(state?.seq) }
    const { socket, client } = bench({ memory })
    client.on('message', (message) => order.push(message))
    socket.welcomes()
    socket.says(['a', 'b'])
    expect(order).toEqual([0, 'a', 'b', 2])
  })

  it.each([undefined, null, 7, { token: 1, seq: 0 }, { token: 't', seq: -1 }, { token: 't' }])(
    'that holds %j holds nothing',
    (kept) => {
      const { socket } = bench({ memory: { load: () => kept as undefined, save: () => undefined } })
      socket.opens()
      expect(socket.sent).toEqual([{ type: 'hello' }])
    },
  )

  it('that throws is as good as none', () => {
    const onError = vi.fn<(error: unknown) => void>()
    const fails = () => {
      throw new Error('no storage')
    }
    const { socket, client } = bench({ memory: { load: fails, save: fails }, onError })
    socket.welcomes()
    expect(client.state).toBe('open')
    expect(onError).toHaveBeenCalledTimes(2)
  })
})

describe('a listener', () => {
  it('that listens twice is called twice, and once when one of the two has ended', () => {
    const { socket, client } = bench()
    const listener = vi.fn<(message: unknown) => void>()
    const stop = client.on('message', listener)
    client.on('message', listener)
    socket.welcomes()
    socket.says(['a'])
    expect(listener).toHaveBeenCalledTimes(2)
    stop()
    socket.says(['b'])
    expect(listener).toHaveBeenCalledTimes(3)
  })

  it('hears of everything in the order in which it has happened, whatever another does meanwhile', () => {
    const { socket, client } = bench()
    const heard: unknown[] = []
    client.on('message', () => client.close())
    client.on('message', (message) => heard.push(message))
    client.on('close', () => heard.push('closed'))
    socket.welcomes()
    socket.says(['a', 'b'])
    expect(heard).toEqual(['a', 'closed'])
  })

  it('that is async and rejects is told of, as one that throws', async () => {
    const onError = vi.fn<(error: unknown) => void>(() => {
      throw new Error('not even that')
    })
    const { socket, client } = bench({ onError })
    const rejects = (): unknown => Promise.reject(new Error('mine'))
    client.on('message', rejects)
    socket.welcomes()
    socket.says(['a', 'b'])
    await settled()
    expect(onError.mock.calls).toEqual([[new Error('mine')], [new Error('mine')]])
  })

  it('that throws is told to an onError that may be async, and may reject: nobody else is told of that', () => {
    const rejected = Promise.reject(new Error('not even that'))
    const caught = vi.spyOn(rejected, 'catch')
    const onError = (): unknown => rejected
    const { socket, client } = bench({ onError })
    client.on('open', () => {
      throw new Error('mine')
    })
    socket.welcomes()
    expect(caught).toHaveBeenCalledTimes(1)
  })

  it('that throws is told of, and harms nothing else', () => {
    const onError = vi.fn<(error: unknown) => void>()
    const { socket, client, told, next } = bench({ onError })
    const stop = client.on('open', () => {
      throw new Error('mine')
    })
    client.on('open', () => told.push(['second']))
    socket.welcomes()
    expect(onError).toHaveBeenCalledTimes(1)
    expect(told).toEqual([['open', { isResumed: false }], ['second']])
    expect(socket.sent).toEqual([{ type: 'hello' }, ack(0)])
    stop()
    socket.closes()
    next().resumes(0, 0)
    expect(onError).toHaveBeenCalledTimes(1)
  })
})
