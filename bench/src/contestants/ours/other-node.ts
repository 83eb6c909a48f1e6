/**
 * Starts the other nodes of the cluster: child processes of this one, which end when their stdin does, so with this process however it ends.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { nodeName, type NodeName } from '@pidmesh/runtime'
import { continueAtExit } from '../continue-at-exit.ts'

export interface OtherNode {
  readonly name: NodeName
  /** `host:port` */
  readonly address: string
  /** Of the operating system. */
  readonly pid: number
  /** Sends it a signal of the operating system, if it is still there. */
  readonly kill: (signal: NodeJS.Signals) => void
  /** Closes its stdin, of which it ends; resolves when it has. */
  readonly end: () => Promise<void>
}

export interface OtherNodeOptions {
  /** The built file beside this one that it runs. */
  readonly program: string
  readonly name: string
  readonly cookie: string
  readonly seeds: readonly string[]
  /** `undefined`: wherever it likes. */
  readonly core: number | undefined
}

/** Resolves when the node has written its address: when all that it has is there. */
export async function startOtherNode({
  program: file,
  name,
  cookie,
  seeds,
  core,
}: OtherNodeOptions): Promise<OtherNode> {
  const path = fileURLToPath(new URL(file, import.meta.url))
  const command = [process.execPath, ...process.execArgv, path, name, ...seeds]
  // taskset becomes what it starts: the pid is the node's.
  const [program = '', ...args] = core === undefined ? command : ['taskset', '-c', `${core}`, ...command]
  const child = spawn(program, args, {
    env: { ...process.env, BENCH_COOKIE: cookie },
    stdio: ['pipe', 'pipe', 'inherit'],
    detached: true,
  })
  continueAtExit(child)
  child.stdin.on('error', () => undefined) // Its end is told by `exit`.
  const lines = createInterface({ input: child.stdout })
  const ended = once(child, 'exit')
  const [address] = (await Promise.race([once(lines, 'line'), ended.then(() => [])])) as [string?]
  if (address === undefined || child.pid === undefined) throw new Error(`${name} did not start`)
  const end = async (): Promise<void> => {
    child.stdin.end()
    await ended
  }
  return { name: nodeName(name), address, pid: child.pid, kill: (signal) => void child.kill(signal), end }
}
