/**
 * What a way keeps its names in, or sends over: a server of its own, started for the contestant and gone with it.
 */
import { startKafka, startMariadb, startRedis } from '@pidmesh/dev-services'
import { assertNever } from '@pidmesh/runtime'
import { createConnection } from 'mysql2/promise'
import { grandchildrenOf } from '../linux.ts'
import type { Way } from './way-names.ts'

export interface Store {
  /** A URL, or a broker's host and port. */
  readonly place: string
  /** Of its processes. */
  readonly pids: readonly number[]
  /** It stands still: a cut between it and all nodes. */
  pause(): void
  resume(): void
  /** What it holds, as it counts that itself; absent where it has nothing of names. */
  bytes?(): Promise<number>
}

/** What a way without a store has. */
const NONE: Store = { place: '', pids: [], pause: () => undefined, resume: () => undefined, bytes: async () => 0 }

/** To be started before any other process of this one. */
export async function startStore(way: Way): Promise<Store> {
  const service = await startService(way)
  if (service === undefined) return NONE
  return {
    place: service.place,
    // Each has a guard between it and this process: see ServerProcess.
    pids: grandchildrenOf(process.pid),
    pause: () => service.server.pause(),
    resume: () => service.server.resume(),
    ...(service.bytes === undefined ? {} : { bytes: service.bytes }),
  }
}

interface Service {
  readonly place: string
  readonly server: { pause(): void; resume(): void }
  readonly bytes?: () => Promise<number>
}

async function startService(way: Way): Promise<Service | undefined> {
  switch (way) {
    case 'global-ets':
      return undefined
    case 'mysql-location': {
      const server = await startMariadb()
      return { place: server.url, server, bytes: () => bytesOfTable(server.url) }
    }
    case 'redis-location':
    case 'redis-pubsub':
    case 'redis-channel-per-name': {
      const server = await startRedis()
      return { place: server.url, server, bytes: async () => usedMemory(await server.command('INFO', 'memory')) }
    }
    case 'kafka': {
      const server = await startKafka()
      return { place: server.bootstrap, server }
    }
    default:
      return assertNever(way)
  }
}

function usedMemory(info: string): number {
  const used = /^used_memory:(\d+)/m.exec(info)?.[1]
  if (used === undefined) throw new Error('Redis does not say how much memory it uses')
  return Number(used)
}

/** The pages of the table and of its indexes. */
async function bytesOfTable(url: string): Promise<number> {
  const connection = await createConnection({ uri: url, rowsAsArray: true })
  try {
    await connection.query('ANALYZE TABLE pidmesh_names')
    const [rows] = await connection.query(
      "SELECT CAST(data_length + index_length AS CHAR) FROM information_schema.tables WHERE table_name = 'pidmesh_names'",
    )
    const bytes = Number((rows as readonly (readonly unknown[])[])[0]?.[0])
    if (!Number.isFinite(bytes)) throw new Error('MariaDB does not say how large the table is')
    return bytes
  } finally {
    await connection.end()
  }
}
