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

/** What `ss` says of all sockets: some hundred bytes of each. */
const SOCKETS_BYTES = 256 * 1024 * 1024

export interface Traffic {
  /** Packets of TCP with something in them: what goes alone is one, and what goes with others a part of one. */
  readonly packets: number
  /** Payload, without headers. */
  readonly bytes: number
}

/** What processes have sent over the TCP connections that they have now, to each other or to others, as the kernel counts it; but for connections to some of their ports. */
export function sentBy(pids: readonly number[], exceptTo: readonly number[]): Traffic {
  const lines = execFileSync('ss', ['-tinHpO', 'state', 'established'], {
    encoding: 'utf8',
    maxBuffer: SOCKETS_BYTES,
  }).split('\n')
  const ours = new Set(pids)
  const except = new Set(exceptTo)
  let packets = 0
  let bytes = 0
  for (const line of lines) {
    const [, , local = ''] = line.trim().split(/\s+/)
    const owners = [...line.matchAll(/\bpid=(\d+)/g)].map(([, pid]) => Number(pid))
    if (except.has(Number(/:(\d+)$/.exec(local)?.[1])) || !owners.some((pid) => ours.has(pid))) continue
    packets += countIn(line, 'data_segs_out')
    bytes += countIn(line, 'bytes_sent')
  }
  return { packets, bytes }
}

/** What is not there is none. */
function countIn(line: string, name: string): number {
  return Number(new RegExp(`\\b${name}:(\\d+)`).exec(line)?.[1] ?? 0)
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

/** A tick of the kernel's clock for processes: 100 a second on all machines that matter. */
const CLOCK_TICK_MS = 10

/** As `cpuMsOf`, with the threads that have ended meanwhile, to a tick of 10 ms a process. */
export function cpuMsInTicksOf(pids: readonly number[]): number {
  let ticks = 0
  for (const pid of pids) {
    const fields = statOf(pid)
    // utime and stime: the 14th and 15th field, of which the first two are the pid and the name.
    ticks += Number(fields[11]) + Number(fields[12])
  }
  return ticks * CLOCK_TICK_MS
}

/** The processes that children of a process have started. */
export function grandchildrenOf(pid: number): number[] {
  const parents = new Map<number, number>()
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue
    try {
      parents.set(Number(entry), Number(statOf(Number(entry))[1]))
    } catch {
      // It has ended.
    }
  }
  return [...parents].filter(([, parent]) => parents.get(parent) === pid).map(([child]) => child)
}

/** What stands behind the name, in which anything may be: state, parent, … */
function statOf(pid: number): readonly string[] {
  const text = readFileSync(`/proc/${pid}/stat`, 'latin1')
  return text.slice(text.lastIndexOf(')') + 2).split(' ')
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
