/**
 * Starts the other nodes of the cluster: child processes of this one, which end when their stdin does, so with this process however it ends.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { nodeName, type NodeName } from '@pidmesh/runtime'

export interface OtherNode {
  readonly name: NodeName
  /** `host:port` */
  readonly address: string
  /** Of the operating system. */
  readonly pid: number
}

export interface OtherNodeOptions {
  readonly name: string
  readonly cookie: string
  readonly seeds: readonly string[]
  /** `undefined`: wherever it likes. */
  readonly core: number | undefined
}

/** Resolves when the node and its servers are there. */
export async function startOtherNode({ name, cookie, seeds, core }: OtherNodeOptions): Promise<OtherNode> {
  const file = fileURLToPath(new URL('distribution-far.js', import.meta.url))
  const command = [process.execPath, ...process.execArgv, file, name, ...seeds]
  // taskset becomes what it starts: the pid is the node's.
  const [program = '', ...args] = core === undefined ? command : ['taskset', '-c', `${core}`, ...command]
  const child = spawn(program, args, {
    env: { ...process.env, BENCH_COOKIE: cookie },
    stdio: ['pipe', 'pipe', 'inherit'],
    detached: true,
  })
  child.stdin.on('error', () => undefined) // Its end is told by `exit`.
  const lines = createInterface({ input: child.stdout })
  const ended = once(child, 'exit').then(() => [])
  const [address] = (await Promise.race([once(lines, 'line'), ended])) as [string?]
  if (address === undefined || child.pid === undefined) throw new Error(`${name} did not start`)
  return { name: nodeName(name), address, pid: child.pid }
}
