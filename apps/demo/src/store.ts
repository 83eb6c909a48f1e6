// The store of a way that wants one: a server of the demo's own, on a free port, in a temporary folder; or one that is there already.
//
//   own:   is it installed? ─ no ─▶ StoreMissing, or its jars are fetched first (Kafka) ─▶ start ─▶ … ─▶ stop: its process and its folder are gone
//   given: does anybody answer there? ─▶ does the driver take it? It is asked here, once, and not by each node ─▶ is it still there? (store-watch.ts)
//
// A server of the demo's own ends with this process, however that ends: dev-services sees to it.

import { spawn } from 'node:child_process'
import { connect } from 'node:net'
import { fileURLToPath } from 'node:url'

import type { NamesDriver } from './drivers.ts'
import { remediesFor } from './remedies.ts'
import { watchStore } from './store-watch.ts'
import type { StorePlace, StoreWay } from './ways.ts'

/** It can't be started here; says how to get it. */
export class StoreMissing extends Error {}

/** It was tried, in vain. */
export class StoreFailed extends Error {}

export type Store = {
  /** As `--store` takes it. For the environment: it may have a password in it. */
  address: string
  isRunning(): boolean
  stop(): Promise<void>
}

type StartOptions = {
  /** Tells the user what is going on. */
  tell: (line: string) => void
  /** The end of the demo. */
  signal: AbortSignal
}

/** What dev-services has of a server. */
type Kit = {
  server: string
  lasts: string
  missing: () => string | undefined
  start: () => Promise<Store & { port: number }>
}

const ROOT = fileURLToPath(new URL('../../..', import.meta.url))
const ANSWERS_WITHIN_MS = 3000
const LOOK_EVERY_MS = 1000

/** @throws StoreFailed by rejection */
async function checkAnswers({ host, port }: StorePlace): Promise<void> {
  const socket = connect(port, host)
  const problem = await new Promise<string | undefined>((resolve) => {
    socket.once('connect', () => resolve(undefined))
    socket.on('error', ({ message }) => resolve(message))
    socket.setTimeout(ANSWERS_WITHIN_MS, () => resolve(`no answer within ${ANSWERS_WITHIN_MS / 1000} s`))
  })
  socket.destroy()
  if (problem !== undefined) throw new StoreFailed(`no store at ${host}:${port} (--store): ${problem}`)
}

/**
 * Somebody else's: started as a node would, and looked at until the demo ends.
 * @throws StoreFailed by rejection
 */
export async function useGiven(way: StoreWay, place: StorePlace, { tell, signal }: StartOptions): Promise<void> {
  await checkAnswers(place)
  const { driver, look } = await startFit(way, place)
  const { host, port } = place
  void watchStore({ place: `${host}:${port}`, look, tell, signal }).then(() => driver.stop())
}

/** @throws StoreFailed by rejection */
async function startFit(way: StoreWay, { address, host, port }: StorePlace): Promise<NamesDriver> {
  const { driverFor } = await import('./drivers.ts')
  try {
    const names = await driverFor(way, address)
    try {
      await names.driver.start(() => undefined)
    } catch (error) {
      await names.driver.stop()
      throw error
    }
    return names
  } catch (error) {
    // What these say has no address and no password in it.
    if (!(error instanceof Error) || !['StoreError', 'PidmeshError'].includes(error.name)) throw error
    const problem = `the store at ${host}:${port} (--store) can't be used: ${error.message}`
    throw new StoreFailed([problem, ...remediesFor(way, error.message)].join('. '), { cause: error })
  }
}

/** @throws StoreMissing, StoreFailed by rejection */
export async function startStore(way: StoreWay, { tell, signal }: StartOptions): Promise<Store> {
  const kit = await kitOf(way)
  await orFetched(kit, { tell, signal })
  if (signal.aborted) throw new StoreFailed('the demo ends')
  tell(`${kit.server} starts, in a temporary folder; that takes ${kit.lasts}`)
  const startMs = performance.now()
  try {
    const store = await kit.start()
    tell(`${kit.server} runs on 127.0.0.1:${store.port}, after ${((performance.now() - startMs) / 1000).toFixed(1)} s`)
    tellOfItsEnd(store, kit.server, { tell, signal })
    return store
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new StoreFailed(`${kit.server} could not be started: ${reason}`, { cause: error })
  }
}

/** Once, if it ends before the demo does. */
function tellOfItsEnd(store: Store, server: string, { tell, signal }: StartOptions): void {
  const timer = setInterval(() => {
    if (store.isRunning()) return
    clearInterval(timer)
    tell(`${server} has ended, and is not started again: pushes to other nodes fail from now on. Start the demo anew`)
  }, LOOK_EVERY_MS)
  signal.addEventListener('abort', () => clearInterval(timer), { once: true })
}

/** Loaded by who starts one: without it the launcher needs nothing but Node. */
async function kitOf(way: StoreWay): Promise<Kit> {
  const services = await import('@pidmesh/dev-services')
  switch (way) {
    case 'redis':
    case 'redis-pubsub':
      return {
        server: 'Redis',
        lasts: 'a moment',
        missing: services.redisMissing,
        start: async () => stoppable(await services.startRedis(), ({ url }) => url),
      }
    case 'mysql':
      return {
        server: 'MariaDB',
        lasts: 'some seconds',
        missing: services.mariadbMissing,
        start: async () => stoppable(await services.startMariadb(), ({ url }) => url),
      }
    case 'kafka':
      return {
        server: 'Kafka',
        lasts: 'some seconds',
        missing: services.kafkaMissing,
        start: async () => stoppable(await services.startKafka(), ({ bootstrap }) => bootstrap),
      }
  }
}

function stoppable<Service extends { readonly port: number; readonly isRunning: boolean; stop(): Promise<void> }>(
  service: Service,
  addressOf: (service: Service) => string,
): Store & { port: number } {
  return {
    address: addressOf(service),
    port: service.port,
    isRunning: () => service.isRunning,
    stop: () => service.stop(),
  }
}

/** What is missing can be fetched if the sentence that says so names the command for it. */
const FETCH = 'fetch:kafka'

async function orFetched({ server, missing }: Kit, { tell, signal }: StartOptions): Promise<void> {
  let problem = missing()
  if (problem?.includes(FETCH) === true) {
    tell(`The jars of ${server} are fetched, once, by Maven; that takes a minute or so`)
    await fetchJars(signal)
    problem = missing()
  }
  if (problem !== undefined) throw new StoreMissing(`${problem}; or give a server that runs: --store`)
}

/** In a process group of its own: Maven, which it starts, ends with it. */
function fetchJars(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, ['scripts/fetch-kafka.mjs'], {
      cwd: ROOT,
      stdio: ['ignore', 'inherit', 'inherit'],
      detached: true,
    })
    const end = (): void => {
      if (child.pid !== undefined) process.kill(-child.pid, 'SIGTERM')
    }
    signal.addEventListener('abort', end, { once: true })
    const settle = (): void => {
      signal.removeEventListener('abort', end)
      resolve()
    }
    child.once('error', settle)
    child.once('exit', settle)
  })
}
