import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { afterEach, describe, expect, it, onTestFinished, vi } from 'vitest'
import { hostOf, portOf } from '../../../src/address.ts'
import { Acceptor, connectionOf } from '../../../src/transport/sockets/acceptor.ts'

it('an address that is none of this machine can not be listened on', async () => {
  // It is kept for documents.
  const listening = new Acceptor(() => undefined).listen('192.0.2.1:0')
  await expect(listening).rejects.toMatchObject({ code: 'ERR_LISTEN' })
})

describe('connections that open no stream', () => {
  let acceptor: Acceptor
  const clients: Socket[] = []
  let accepted: string[]
  /** Their sockets, on the listener's side. */
  let taken: Socket[]
  /** Of which of them the end has been told; that `closed` is true comes before. */
  let over: Set<number>
  let strangers: string[]

  async function listen(
    limits?: { streamWithinMs: number; maxWaiting: number },
    where = '127.0.0.1:0',
  ): Promise<string> {
    accepted = []
    taken = []
    over = new Set()
    strangers = []
    acceptor = new Acceptor(
      (socket) => {
        accepted.push(connectionOf(socket))
        const at = taken.push(socket) - 1
        socket.once('close', () => over.add(at))
        socket.resume()
      },
      (from) => strangers.push(from),
      limits,
    )
    return acceptor.listen(where)
  }

  async function dial(address: string, localPort = 0): Promise<Socket> {
    // Bound before it connects, so that another one may have the same port.
    const client = connect({ port: portOf(address), host: hostOf(address), localPort, localAddress: '127.0.0.1' })
    client.on('error', () => undefined)
    client.resume()
    clients.push(client)
    const before = accepted.length
    await once(client, 'connect')
    await expect.poll(() => accepted.length).toBeGreaterThan(before)
    return client
  }

  /** From one port, the first time in vain. */
  async function dialTwice(address: string): Promise<Socket> {
    const reset = await dial(address)
    const { localPort } = reset
    reset.resetAndDestroy()
    return dial(address, localPort)
  }

  afterEach(async () => {
    for (const client of clients.splice(0)) client.destroy()
    await acceptor.stop()
  })

  it('are closed when their time is over, and one that has opened a stream is not', async () => {
    const address = await listen({ streamWithinMs: 100, maxWaiting: 10 })
    const mute = await dial(address)
    const good = await dial(address)
    acceptor.onStream(accepted[1] ?? '')
    await once(mute, 'close')
    expect(good.readyState).toBe('open')
  })

  it('are told apart though they come from one port of a host, to two addresses of this one', async () => {
    const port = portOf(await listen({ streamWithinMs: 100, maxWaiting: 10 }, '0.0.0.0:0'))
    const good = await dial(`127.0.0.1:${port}`)
    const mute = await dial(`127.0.0.2:${port}`, good.localPort)
    acceptor.onStream(accepted[0] ?? '')
    await once(mute, 'close')
    expect(good.readyState).toBe('open')
  })

  it('are told of if they have said something', async () => {
    const address = await listen({ streamWithinMs: 60_000, maxWaiting: 10 })
    const knock = await dial(address)
    knock.destroy()
    const stranger = await dial(address)
    stranger.end('GET / HTTP/1.1\r\n\r\n')
    await expect.poll(() => strangers).toEqual([accepted[1]?.split(' ')[0]])
  })

  it('are bounded in number: the oldest gives way', async () => {
    const address = await listen({ streamWithinMs: 60_000, maxWaiting: 3 })
    for (let n = 0; n < 5; n++) await dial(address)
    expect(taken.map(({ destroyed }) => destroyed)).toEqual([true, true, false, false, false])
  })

  it('are counted while they are there and have opened none: neither one that has, nor one after others that are over, gives way', async () => {
    const address = await listen({ streamWithinMs: 60_000, maxWaiting: 2 })
    await dial(address)
    acceptor.onStream(accepted[0] ?? '')
    await dial(address)
    for (const at of [2, 3]) {
      const knock = await dial(address)
      knock.destroy()
      await expect.poll(() => over.has(at)).toBe(true)
    }
    await dial(address)
    expect(taken.map(({ destroyed }) => destroyed)).toEqual([false, false, true, true, false])
    await dial(address)
    expect(taken.map(({ destroyed }) => destroyed)).toEqual([false, true, true, true, false, false])
  })

  it('have each a time of its own, though one comes from the port of another whose end we have not been told of', async () => {
    const address = await listen({ streamWithinMs: 100, maxWaiting: 10 })
    const mute = await dialTwice(address)
    expect(accepted).toHaveLength(2)
    expect(accepted[1]).toBe(accepted[0])
    await once(mute, 'close')
  })

  it('are known when the listener stops, though one comes from the port of another whose end we have not been told of', async () => {
    const address = await listen({ streamWithinMs: 60_000, maxWaiting: 10 })
    const mute = await dialTwice(address)
    await expect.poll(() => over.has(0)).toBe(true)
    await acceptor.stop()
    await expect.poll(() => mute.closed).toBe(true)
  })

  it('are kept for five seconds if nothing else is said', async () => {
    const address = await listen()
    vi.useFakeTimers({ toFake: ['setTimeout'] })
    onTestFinished(() => void vi.useRealTimers())
    await dial(address)
    vi.advanceTimersByTime(4_999)
    expect(taken[0]?.destroyed).toBe(false)
    vi.advanceTimersByTime(1)
    expect(taken[0]?.destroyed).toBe(true)
  })

  it('are 256 at most if nothing else is said', async () => {
    const address = await listen()
    for (let n = 0; n < 257; n++) await dial(address)
    expect(taken.flatMap(({ destroyed }, n) => (destroyed ? [n] : []))).toEqual([0])
  })

  it('are none of one that has opened a stream, though another whose end we are told of later had its port', async () => {
    const address = await listen({ streamWithinMs: 60_000, maxWaiting: 1 })
    await dialTwice(address)
    await expect.poll(() => over.has(0)).toBe(true)
    acceptor.onStream(accepted[1] ?? '')
    await dial(address)
    expect(taken[1]?.destroyed).toBe(false)
  })

  it('are not those that are destroyed for a link whose connection came from the same port before', async () => {
    const address = await listen({ streamWithinMs: 60_000, maxWaiting: 3 })
    const reset = await dial(address)
    const { localPort } = reset
    const destroy = acceptor.destroyerOf(accepted[0] ?? '')
    reset.resetAndDestroy()
    await dial(address, localPort)
    destroy()
    expect(taken.map(({ destroyed }) => destroyed)).toEqual([true, false])
  })

  it('are cut off at once when the listener stops', async () => {
    const address = await listen({ streamWithinMs: 60_000, maxWaiting: 3 })
    const client = connect({ port: portOf(address), host: hostOf(address), allowHalfOpen: true })
    clients.push(client)
    await expect.poll(() => accepted.length).toBe(1)
    vi.useFakeTimers({ toFake: ['setTimeout'] })
    onTestFinished(() => void vi.useRealTimers())
    await expect(acceptor.stop()).resolves.toBeUndefined()
  })

  it('do not keep the listener from stopping, nor does one that never closes its half', async () => {
    const address = await listen({ streamWithinMs: 60_000, maxWaiting: 3 })
    const stubborn = connect({ port: portOf(address), host: hostOf(address), allowHalfOpen: true })
    stubborn.on('error', () => undefined)
    stubborn.resume()
    clients.push(stubborn)
    await expect.poll(() => accepted.length).toBe(1)
    acceptor.onStream(accepted[0] ?? '')
    await acceptor.stop()
    await expect.poll(() => stubborn.readableEnded || stubborn.destroyed).toBe(true)
  })
})
