/**
 * The processes of the far node, and what is said to them.
 */
import { GenServer, start, type Call, type ServerPid } from '@pidmesh/gen-server'
import { handler, type Node, type Pid, type Ref } from '@pidmesh/runtime'

/** The name of the process that knows the pids of the others. */
export const DIRECTORY = 'directory'

export interface Servers {
  readonly echo: ServerPid<EchoCall, never>
  /** Answers an `Ask` with its number. */
  readonly answerer: Pid
  /** Takes a `SinkMessage`. */
  readonly sink: Pid
}

export type EchoCall = Call<{ type: 'echo'; n: number }, number>

export interface Ask {
  readonly type: 'ask'
  readonly replyTo: Ref
  readonly n: number
}

/** The small message that is sent in bulk. */
export interface Said {
  readonly type: 'said'
  readonly from: string
  readonly n: number
}

/** `from` is told `received` when so many have been. */
export interface Expect {
  readonly type: 'expect'
  readonly count: number
  readonly from: Pid
}

export type SinkMessage = Said | Expect

class Echo extends GenServer<EchoCall> {
  override handleCall(request: EchoCall) {
    return this.reply(request, request.n)
  }
}

export async function startServers(node: Node): Promise<void> {
  const echo = await start(node, Echo, [])
  const answerer = node.spawn(
    handler(
      (self) =>
        ({ replyTo, n }: Ask) =>
          void self.send(replyTo, n),
    ),
  )
  const sink = node.spawn(
    handler((self) => {
      let left = 0
      let teller: Pid | undefined
      return (message: SinkMessage) => {
        if (message.type === 'expect') {
          left = message.count
          teller = message.from
        } else if (--left === 0 && teller !== undefined) {
          self.send(teller, { type: 'received' })
        }
      }
    }),
  )
  const servers: Servers = { echo, answerer, sink }
  const directory = node.spawn(
    handler(
      (self) =>
        ({ replyTo }: Ask) =>
          void self.send(replyTo, servers),
    ),
  )
  node.register(DIRECTORY, directory)
}

export async function serversOf(node: Node, far: Node['name']): Promise<Servers> {
  const ask = (replyTo: Ref): Ask => ({ type: 'ask', replyTo, n: 0 })
  const outcome = await node.request({ name: DIRECTORY, node: far }, ask, 5_000)
  if (outcome.type !== 'reply') throw new Error(`${far} has no servers: ${outcome.type}`)
  return outcome.value as Servers
}
