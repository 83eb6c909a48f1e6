/**
 * What is done with every gateway, whichever it is: the same clients, the same messages, the same turns. A contestant says how it sends.
 *
 *   this process: near server ⇄ far server (where there is one)        load-program: all clients
 */
import type { Awaitable } from '@pidmesh/runtime'
import type { Traffic } from '../linux.ts'
import { quantileOf, type Answer } from '../../figures.ts'
import { bytesOf, type Workload } from '../serve.ts'
import type { Dialect } from './client.ts'
import { monotonicUs } from './clock.ts'
import { Load } from './load.ts'

/** What clients are sent. */
export interface Said {
  readonly type: 'said'
  readonly from: string
  readonly text: string
  /** When it was sent, by the clock that all processes share. Last, so that the clients find it. */
  readonly at: number
}

/** A server: its clients register as `user:0`, `user:1`, …, and those that ask for it are in the room `all`. */
export interface Server {
  readonly port: number
  /** Registered, as far as the near server can know of it. */
  registered(): Awaitable<number>
}

/** The server of the contestant's own process, and what it takes to send from there. */
export interface NearServer extends Server {
  readonly dialect: Dialect
  /** To whoever has the name, on whatever server; what it returns is waited for. */
  push(name: string, message: Said): void | Promise<unknown>
  /** To all who are in the room `all`. */
  broadcast(message: Said): void
  /** Messages that clients have been sent so far, if that comes after `push` and `broadcast` have returned. */
  messagesOut?(): number
  /** The CPU time that pushes have taken so far, wherever it counts. @default that of this process */
  cpuMs?(): number
  /** What pushes have sent so far between servers, and to and from what is between them; absent if it can't be counted. */
  traffic?(): Traffic | undefined
  /** Starts the second server, connected with this one, unless it is there. */
  startFar?(): Promise<Server>
}

/** Connections in figures that are no count of connections. */
const CONNECTIONS = 1_000
/** Those that connect at a time. */
const AT_ONCE = 100
/** Pushes in a turn, when as many are sent as will go. */
const BURST = 100
const PACED_PUSHES = 500
const PACE_MS = 1
/** Connections before memory is looked at: code is compiled, pools are there. */
const FIRST_CONNECTIONS = 200
const SETTLE_MS = 1_000
const LOOK_AGAIN_MS = 5
const WITHIN_MS = 30_000
const TEXT = 'The quick brown fox jumps over the lazy dog.'

export function gatewayWorkloads(
  near: NearServer,
): Readonly<Record<'push' | 'connect' | 'fan-out' | 'idle', Workload>> {
  const load = new Load()
  return {
    push: (size) => pushAcross(near, load, size),
    connect: (size) => connect(near, load, size),
    'fan-out': (size) => fanOut(near, load, size),
    idle: (size) => idle(near, load, size),
  }
}

/**
 * Pushes from the near server to connections of the far one. In milliseconds: `deliveries` and `cpu` of this process from the first push until the clients
 * have all, and quantiles of a push that goes alone. Where it is counted, of a push: the bytes sent between servers, and the packets if it goes alone.
 */
async function pushAcross(near: NearServer, load: Load, size: number): Promise<Answer> {
  const far = await near.startFar?.()
  if (far === undefined) throw new Error('there is no second server')
  await opened(near.dialect, far, load, { count: CONNECTIONS, query: '' })

  await load.expect(size)
  const sentBefore = near.traffic?.()
  const cpuNowMs = (): number => near.cpuMs?.() ?? cpuMs()
  const [startUs, startCpuMs] = [monotonicUs(), cpuNowMs()]
  for (let n = 0; n < size; n++) {
    const waiting = near.push(`user:${n % CONNECTIONS}`, said())
    if (waiting !== undefined) await waiting
    if (n % BURST === BURST - 1) await nextTurn()
  }
  const deliveries = ((await load.received()).lastUs - startUs) / 1_000
  const cpu = cpuNowMs() - startCpuMs

  const sentInBulk = near.traffic?.()
  await load.expect(PACED_PUSHES, true)
  for (let n = 0; n < PACED_PUSHES; n++) {
    await new Promise((resolve) => setTimeout(resolve, PACE_MS))
    void near.push(`user:${n % CONNECTIONS}`, said())
  }
  const { latenciesMs } = await load.received()
  const sentAlone = near.traffic?.()
  await closed(far, load)
  const values = { deliveries, cpu, p50: quantileOf(latenciesMs, 0.5), p99: quantileOf(latenciesMs, 0.99) }
  if (sentBefore === undefined || sentInBulk === undefined || sentAlone === undefined)
    return { values, operations: size }
  const bytes = (sentInBulk.bytes - sentBefore.bytes) / size
  const packets = (sentAlone.packets - sentInBulk.packets) / PACED_PUSHES
  return { values: { ...values, bytes, packets }, operations: size }
}

/** From the first connect until the last client is told that it is registered; on one of two servers, where there can be two. */
async function connect(near: NearServer, load: Load, size: number): Promise<Answer> {
  await near.startFar?.()
  const ms = await opened(near.dialect, near, load, { count: size, query: '' })
  await closed(near, load)
  return { ms, operations: size }
}

/** On one server, one or four messages to each connection a turn, each its own or all the same. In milliseconds, until the clients have all. */
async function fanOut(near: NearServer, load: Load, size: number): Promise<Answer> {
  await opened(near.dialect, near, load, { count: CONNECTIONS, query: '&room=all' })
  const unicast = (): void => {
    for (let n = 0; n < CONNECTIONS; n++) void near.push(`user:${n}`, said())
  }
  const broadcast = (): void => near.broadcast(said())
  const passes = Math.max(4, Math.round(size / CONNECTIONS / 4) * 4)
  const take = async (pass: () => void, perTurn: 1 | 4): Promise<number> => {
    await load.expect(passes * CONNECTIONS)
    let out = near.messagesOut?.()
    const startUs = monotonicUs()
    for (let n = 1; n <= passes; n++) {
      pass()
      if (out !== undefined) out += CONNECTIONS
      if (n % perTurn > 0) continue
      // A turn is over when what was sent in it has gone to the sockets: what queues for longer would be more than so many messages a turn.
      do await nextTurn()
      while (out !== undefined && (near.messagesOut?.() ?? out) < out)
    }
    return ((await load.received()).lastUs - startUs) / 1_000
  }
  const values = {
    unicast: await take(unicast, 1),
    unicastOf4: await take(unicast, 4),
    broadcast: await take(broadcast, 1),
    broadcastOf4: await take(broadcast, 4),
  }
  await closed(near, load)
  return { values, operations: passes * CONNECTIONS }
}

/** What so many connections add to this process, in bytes: to its resident set, and to its heap. It has no second server, and a process to itself. */
async function idle(near: NearServer, load: Load, size: number): Promise<Answer> {
  await opened(near.dialect, near, load, { count: FIRST_CONNECTIONS, query: '' })
  await closed(near, load)
  const [rssBefore, heapBefore] = await settledBytes()
  await opened(near.dialect, near, load, { count: size, query: '' })
  const [rss, heap] = await settledBytes()
  await closed(near, load)
  return { values: { rss: rss - rssBefore, heap: heap - heapBefore }, operations: size }
}

async function opened(
  dialect: Dialect,
  server: Server,
  load: Load,
  { count, query }: { readonly count: number; readonly query: string },
): Promise<number> {
  const ms = await load.open({ port: server.port, dialect, count, atOnce: AT_ONCE, query })
  await untilRegistered(server, count)
  return ms
}

async function closed(server: Server, load: Load): Promise<void> {
  await load.close()
  await untilRegistered(server, 0)
}

async function untilRegistered(server: Server, count: number): Promise<void> {
  const deadlineMs = performance.now() + WITHIN_MS
  for (;;) {
    const registered = await server.registered()
    if (registered === count) return
    if (performance.now() > deadlineMs) throw new Error(`${registered} clients are registered, not ${count}`)
    await new Promise((resolve) => setTimeout(resolve, LOOK_AGAIN_MS))
  }
}

/** Resident set and heap when the garbage of what was before is collected, and pages that V8 frees behind that are given back. */
async function settledBytes(): Promise<readonly [number, number]> {
  bytesOf('heap')
  await new Promise((resolve) => setTimeout(resolve, SETTLE_MS))
  const heap = bytesOf('heap')
  return [bytesOf('rss'), heap]
}

function said(): Said {
  return { type: 'said', from: 'alice', text: TEXT, at: monotonicUs() }
}

/** Of this process, all its threads, in user code and in the kernel. */
function cpuMs(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1_000
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve)
  })
}
