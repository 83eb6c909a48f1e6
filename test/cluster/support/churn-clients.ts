// Clients that come and go as fast as a machine can: TCP connections that speak as much of WebSocket as they need, each a life of one of four kinds.

import { connect } from 'node:net'
import type { Socket } from 'node:net'

import { HOST } from './demo-process.ts'

/** At once. */
const CLIENTS = 64

const UPGRADE = [
  'GET /ws HTTP/1.1',
  `Host: ${HOST}`,
  'Upgrade: websocket',
  'Connection: Upgrade',
  'Sec-WebSocket-Version: 13',
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
  'Sec-WebSocket-Protocol: pidmesh.json.1',
  '\r\n',
].join('\r\n')

/** 1000, with a mask of zeros. */
const CLOSE = Buffer.from([0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe8])

type Life = {
  /** After the request for a WebSocket. */
  says: (user: string) => readonly string[]
  /** When it has heard this, it goes. */
  until: string
  /** With a close frame; or its connection is torn off. */
  isPolite: boolean
}

const hello = (user: string): string => JSON.stringify({ type: 'hello', token: user })

const POLITE: Life = { says: (user) => [hello(user)], until: 'registered', isPolite: true }
const IN_A_ROOM: Life = { says: (user) => [hello(user), '[{"room":"all"}]'], until: 'joined', isPolite: true }
const TORN: Life = { ...POLITE, isPolite: false }
const TORN_EARLY: Life = { says: () => [], until: '\r\n\r\n', isPolite: false }
/** Before it is answered at all. */
const TORN_AT_ONCE: Life = { ...TORN_EARLY, until: '' }

/** Of ten clients. */
const LIVES: readonly Life[] = [
  POLITE,
  POLITE,
  POLITE,
  IN_A_ROOM,
  TORN,
  TORN,
  TORN_EARLY,
  TORN_EARLY,
  TORN_AT_ONCE,
  TORN_AT_ONCE,
]

/** So many clients, each of which is gone before the next one comes in its place. */
export async function churn(port: number, count: number, round: string): Promise<void> {
  let begun = 0
  const place = async (): Promise<void> => {
    while (begun < count) {
      const number = begun++
      await live(port, `${round}${number}`, LIVES[number % LIVES.length] as Life)
    }
  }
  await Promise.all(Array.from({ length: CLIENTS }, place))
}

function live(port: number, user: string, { says, until, isPolite }: Life): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: HOST, noDelay: true })
    let heard = ''
    let isGoing = false
    const hear = (chunk: string): void => {
      heard += chunk
      if (isGoing || !heard.includes(until)) return
      isGoing = true
      leave(socket, isPolite)
    }
    socket.on('error', reject)
    socket.on('close', () => (isGoing ? resolve() : reject(new Error(`${user} was closed after ${heard}`))))
    socket.on('data', (chunk: Buffer) => hear(chunk.toString('latin1')))
    socket.write(Buffer.concat([Buffer.from(UPGRADE), ...says(user).map(frame)]), () => hear(''))
  })
}

function leave(socket: Socket, isPolite: boolean): void {
  if (isPolite) socket.end(CLOSE)
  else socket.resetAndDestroy()
}

/** Of less than 126 bytes. */
function frame(text: string): Buffer {
  return Buffer.concat([Buffer.from([0x81, 0x80 | text.length, 0, 0, 0, 0]), Buffer.from(text)])
}
