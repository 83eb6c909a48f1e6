/**
 * The runtime on one node, beside nact used as it is meant to be used.
 */
import { call, GenServer, start as startServer, type Call } from '@pidmesh/gen-server'
import { handler, startNode, type Pid } from '@pidmesh/runtime'
import { dispatch, query, spawn, start, stop, type Ref } from 'nact'
import type { Workload } from './measure.ts'

const SENDS = 200_000
const ROUND_TRIPS = 50_000
const CALLS = 20_000

class Echo extends GenServer<Call<{ type: 'echo'; n: number }, number>> {
  override handleCall(request: Call<{ type: 'echo'; n: number }, number>) {
    return this.reply(request, request.n)
  }
}

export async function runtimeWorkloads(): Promise<{ workloads: Workload[]; end: () => Promise<void> }> {
  const node = await startNode({ name: 'bench@127.0.0.1', cookie: 'bench cookie', logLevel: 'silent' })
  const system = start('bench')
  let actors = 0
  const actor = <T>(handle: (message: T) => void): Ref<T> =>
    spawn(system, (_state: undefined, message: T) => handle(message), `actor-${++actors}`)

  const send: Workload = {
    name: 'send, one producer to one consumer',
    unit: 'messages/s',
    contestants: [
      {
        name: 'ours',
        run: () =>
          new Promise((resolve) => {
            let left = SENDS
            const consumer = node.spawn(handler((self) => () => (--left === 0 ? finish(self.pid) : undefined)))
            const finish = (pid: Pid): void => {
              resolve(SENDS)
              node.exit(pid, 'kill')
            }
            node.spawn((self) => {
              for (let i = 0; i < SENDS; i++) self.send(consumer, i)
            })
          }),
      },
      {
        name: 'nact',
        run: () =>
          new Promise((resolve) => {
            let left = SENDS
            const consumer = actor<number>(() => {
              if (--left === 0) resolve(SENDS)
            })
            for (let i = 0; i < SENDS; i++) dispatch(consumer, i)
          }),
      },
    ],
  }

  const pingPong: Workload = {
    name: 'ping-pong round trips, one pair',
    unit: 'round trips/s',
    contestants: [
      {
        name: 'ours',
        run: () =>
          new Promise((resolve) => {
            const pong = node.spawn(handler((self) => (from) => void self.send(from as Pid, 'pong')))
            node.spawn(
              handler((self) => {
                let left = ROUND_TRIPS
                self.send(pong, self.pid)
                return () => {
                  if (--left > 0) self.send(pong, self.pid)
                  else resolve(ROUND_TRIPS)
                }
              }),
            )
          }),
      },
      {
        name: 'nact',
        run: () =>
          new Promise((resolve) => {
            let left = ROUND_TRIPS
            const pong = actor<Ref<string>>((from) => dispatch(from, 'pong'))
            const ping: Ref<string> = actor<string>(() => {
              if (--left > 0) dispatch(pong, ping)
              else resolve(ROUND_TRIPS)
            })
            dispatch(pong, ping)
          }),
      },
    ],
  }

  const echo = await startServer(node, Echo, [])
  const echoActor = spawn(
    system,
    (_state: undefined, message: { from: Ref<number>; n: number }) => dispatch(message.from, message.n),
    'echo',
  )
  const calls: Workload = {
    name: 'call with its timeout, sequential',
    unit: 'calls/s',
    contestants: [
      {
        name: 'ours',
        run: () =>
          new Promise((resolve, reject) => {
            node.spawn(async (self) => {
              try {
                for (let n = 0; n < CALLS; n++) await call(self, echo, { type: 'echo', n })
                resolve(CALLS)
              } catch (error) {
                reject(error instanceof Error ? error : new Error(String(error)))
              }
            })
          }),
      },
      {
        name: 'nact',
        run: async () => {
          for (let n = 0; n < CALLS; n++) await query(echoActor, (from: Ref<number>) => ({ from, n }), 5_000)
          return CALLS
        },
      },
    ],
  }

  return {
    workloads: [send, pingPong, calls],
    end: async () => {
      stop(system)
      await node.stop()
    },
  }
}
