/**
 * Ports of loopback for servers that are started in a moment, or started again later.
 *
 * They are below those that the system gives to whoever connects, or listens on "any" port (from 32768 on, on macOS and Windows from 49152): such
 * a one may be anybody's by the time the server listens, and who asks whether the server is there then talks to a stranger, who may say nothing, ever.
 */
import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import { connect, createServer, type Server } from 'node:net'

const HOST = '127.0.0.1'
const FIRST = 10_000
/** Not itself. */
const END = 32_000
/** A machine on which so many at random are all taken has none left. */
const TRIES = 200

/**
 * Ports on which nobody listens: all are held at once and let go, so they differ.
 * @throws Error by rejection if there are none
 */
export async function freePorts(count: number): Promise<readonly number[]> {
  const held: Held[] = []
  try {
    while (held.length < count) held.push(await hold())
  } finally {
    await Promise.all(held.map(({ server }) => once(server.close(), 'close')))
  }
  return held.map(({ port }) => port)
}

/** The same, one. */
export async function freePort(): Promise<number> {
  const [port = 0] = await freePorts(1)
  return port
}

export function isListening(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, HOST)
    socket.on('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.on('error', () => resolve(false))
  })
}

export interface IsAnsweringOptions {
  /** What is said first. @default nothing: it speaks first */
  readonly hello?: string
  /** @default 1,000 ms */
  readonly withinMs?: number
}

/** Whether somebody says anything there, in time: not every port at which connections are taken is that of who is asked for. */
export function isAnswering(port: number, { hello = '', withinMs = 1_000 }: IsAnsweringOptions = {}): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, HOST, () => socket.write(hello))
    const end = (answered: boolean): void => {
      socket.destroy()
      resolve(answered)
    }
    socket.setTimeout(withinMs, () => end(false))
    socket.once('data', () => end(true))
    socket.on('error', () => end(false))
    socket.on('close', () => end(false))
  })
}

interface Held {
  readonly port: number
  readonly server: Server
}

async function hold(): Promise<Held> {
  for (let tries = 0; tries < TRIES; tries++) {
    const port = randomInt(FIRST, END)
    const server = createServer()
    try {
      await once(server.listen(port, HOST), 'listening')
      return { port, server }
    } catch {
      // Somebody's.
    }
  }
  throw new Error(`no port of ${HOST} from ${FIRST} to ${END - 1} is free`)
}
