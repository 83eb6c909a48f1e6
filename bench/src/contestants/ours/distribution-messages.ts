/**
 * Messages from the near node to the far one, and how they are counted.
 */
import type { Context, Node, Pid } from '@pidmesh/runtime'
import type { Answer } from '../../figures.ts'
import { bytesOnConnectionsTo } from '../linux.ts'
import { since } from '../serve.ts'
import type { Expect, Said } from './distribution-servers.ts'

const CONFIRMED_WITHIN_MS = 60_000
/** Between messages that are sent one by one. */
const PAUSE_MS = 1

/** From the first send until the receiver has confirmed the last: by a plain process, which waits when it is told that the connection is congested. */
export function send(node: Node, sink: Pid, size: number): Promise<Answer> {
  return inProcess(node, async (self) => {
    expect(self, sink, size)
    const startMs = performance.now()
    let isBusy = false
    for (let n = 0; n < size; n++) {
      if (isBusy) isBusy = (await self.sendOk(sink, said(n))) !== 'ok'
      else isBusy = self.send(sink, said(n)) === 'busy'
    }
    await confirmed(self)
    return since(startMs, size)
  })
}

/** What a message takes on the connection to the far node's port, when as many are sent as will go. */
export async function bulkBytes(node: Node, sink: Pid, port: number, size: number): Promise<Answer> {
  const before = bytesOnConnectionsTo(port)
  await send(node, sink, size)
  return { bytes: bytesOnConnectionsTo(port) - before, operations: size }
}

/** The same when nothing else is to be sent in the same turn, nor in the next millisecond. */
export async function singleBytes(node: Node, sink: Pid, port: number, size: number): Promise<Answer> {
  const before = bytesOnConnectionsTo(port)
  await inProcess(node, async (self) => {
    expect(self, sink, size)
    for (let n = 0; n < size; n++) {
      await self.receive({ timeoutMs: PAUSE_MS })
      self.send(sink, said(n))
    }
    await confirmed(self)
  })
  return { bytes: bytesOnConnectionsTo(port) - before, operations: size }
}

/** Runs `work` as a process. */
export function inProcess<T>(node: Node, work: (self: Context) => Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    node.spawn(async (self) => {
      try {
        resolve(await work(self))
      } catch (error) {
        reject(errorOf(error))
      }
    })
  })
}

export function errorOf(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown))
}

/** Of the numbers that CBOR writes in 3 bytes and Erlang's external term format in 5. */
function said(n: number): Said {
  return { type: 'said', from: 'alice', n: 10_000 + (n % 50_000) }
}

function expect(self: Context, sink: Pid, count: number): void {
  const message: Expect = { type: 'expect', count, from: self.pid }
  self.send(sink, message)
}

async function confirmed(self: Context): Promise<void> {
  const received = await self.receive('received', { timeoutMs: CONFIRMED_WITHIN_MS })
  if (received === undefined) throw new Error('messages are missing')
}
