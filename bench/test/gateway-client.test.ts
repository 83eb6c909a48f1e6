import { once } from 'node:events'
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Client, ReadBuffer, type Dialect } from '../src/contestants/gateway/client.ts'

const UPGRADED = 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n'

let server: Server
const clients: Client[] = []

beforeEach(async () => {
  server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
})

afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.end()))
  server.close()
})

/** The client's reports in their order, and the server's end of its socket. */
async function connected(dialect: Dialect) {
  const reports: string[] = []
  let wake = (): void => undefined
  const report = (text: string): void => {
    reports.push(text)
    wake()
  }
  const accepted = once(server, 'connection')
  const client = new Client(
    {
      port: (server.address() as AddressInfo).port,
      dialect,
      query: 'user=7',
      onReady: () => report('ready'),
      onMessage: (data, start, end) => report(data.toString('latin1', start, end)),
      onLost: (why) => report(`lost: ${why}`),
    },
    new ReadBuffer(),
  )
  clients.push(client)
  const [socket] = (await accepted) as [Socket]
  const [request] = (await once(socket, 'data')) as [Buffer]
  const reported = async (count: number): Promise<string[]> => {
    while (reports.length < count) await new Promise<void>((resolve) => (wake = resolve))
    return reports
  }
  return { socket, line: request.toString('latin1').split('\r\n')[0], reported }
}

/** As a server sends it. */
function text(payload: string): Buffer {
  return Buffer.concat([Buffer.from([0x81, payload.length]), Buffer.from(payload)])
}

describe('a client of the bench', () => {
  it('is ready with the first message, and takes those that follow, in the same chunk even', async () => {
    const { socket, line, reported } = await connected('bare')
    expect(line).toBe('GET /ws?user=7 HTTP/1.1')
    socket.write(Buffer.concat([Buffer.from(UPGRADED), text('welcome'), text('a'), text('b')]))
    expect(await reported(3)).toEqual(['ready', 'a', 'b'])
  })

  it('answers a ping with what was in it', async () => {
    const { socket } = await connected('bare')
    socket.write(Buffer.concat([Buffer.from(UPGRADED), Buffer.from('890141', 'hex')]))
    const [pong] = (await once(socket, 'data')) as [Buffer]
    expect(pong.toString('hex')).toBe('8a810000000041')
  })

  it('of Socket.IO joins when it is open, and counts events only', async () => {
    const { socket, line, reported } = await connected('socket.io')
    expect(line).toBe('GET /socket.io/?EIO=4&transport=websocket&user=7 HTTP/1.1')
    socket.write(Buffer.concat([Buffer.from(UPGRADED), text('0{"sid":"x"}')]))
    const [join] = (await once(socket, 'data')) as [Buffer]
    expect(join.subarray(6).toString()).toBe('40')
    socket.write(Buffer.concat([text('40{"sid":"y"}'), text('42["welcome"]'), text('2'), text('42["said"]')]))
    expect(await reported(2)).toEqual(['ready', '42["said"]'])
    const [pong] = (await once(socket, 'data')) as [Buffer]
    expect(pong.subarray(6).toString()).toBe('3')
  })

  it('says with which status it was refused, with which code it was closed, and that the server has gone', async () => {
    const refused = await connected('bare')
    refused.socket.write('HTTP/1.1 503 Service Unavailable\r\n\r\n')
    expect(await refused.reported(1)).toEqual(['lost: no upgrade: HTTP/1.1 503 Service Unavailable'])
    const closed = await connected('bare')
    closed.socket.write(Buffer.concat([Buffer.from(UPGRADED), Buffer.from('88020fa8', 'hex')]))
    expect(await closed.reported(1)).toEqual(['lost: frame 8 4008'])
    const gone = await connected('bare')
    gone.socket.end()
    expect(await gone.reported(1)).toEqual(['lost: closed by the server'])
  })
})
