/**
 * What Linux can do with processes and sockets that Node.js can't: place them, and count what they took.
 */
import { execFileSync } from 'node:child_process'
import { closeSync, existsSync, openSync, readdirSync, readFileSync, readSync } from 'node:fs'

/** Moves a process, with all its threads, to a core. */
export function moveToCore(pid: number, core: number): void {
  execFileSync('taskset', ['-acp', `${core}`, `${pid}`], { stdio: ['ignore', 'ignore', 'inherit'] })
}

/** What TCP has carried, both ways, on all connections to a port of this machine so far, as the kernel counts it: payload, without headers. */
export function bytesOnConnectionsTo(port: number): number {
  const lines = execFileSync('ss', ['-tinH', 'state', 'established', 'dport', '=', `:${port}`], { encoding: 'utf8' })
  const counts = [...lines.matchAll(/\bbytes_(?:sent|received):(\d+)/g)].map(([, count]) => Number(count))
  if (counts.length === 0) throw new Error(`ss counts no bytes of a connection to port ${port}`)
  return counts.reduce((sum, count) => sum + count, 0)
}

/** The CPU time that the living threads of processes have taken so far, in user code and in the kernel. */
export function cpuMsOf(pids: readonly number[]): number {
  let nanoseconds = 0
  for (const pid of pids) {
    for (const thread of readdirSync(`/proc/${pid}/task`)) {
      const [onCpu = ''] = readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ')
      nanoseconds += Number(onCpu)
    }
  }
  return nanoseconds / 1e6
}

/** For how long this process's main thread has been ready to run, and had no core. Always 0 where the kernel doesn't say. */
export class CoreWait {
  private readonly file: number | undefined
  private readonly text = Buffer.alloc(128)

  constructor() {
    const path = `/proc/self/task/${process.pid}/schedstat`
    this.file = existsSync(path) ? openSync(path, 'r') : undefined
  }

  ms(): number {
    if (this.file === undefined) return 0
    const length = readSync(this.file, this.text, 0, this.text.length, 0)
    const [, waited = ''] = this.text.toString('latin1', 0, length).split(' ')
    return Number(waited) / 1e6
  }

  close(): void {
    if (this.file !== undefined) closeSync(this.file)
  }
}
