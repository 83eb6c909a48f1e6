/**
 * A server of somebody else's as a process of ours: on a free port of loopback, in a folder of its own, and gone with us, however we end.
 *
 *   start ─▶ guard (sh) ─▶ server        stop(): the guard is told to end the server, and does, by its pid; the folder is removed by who has made it
 *                                      our end, kill -9 as well: the guard's stdin ends, it ends the server, and removes the folder
 *
 * Several of them at once are none of each other's business: nothing here is shared.
 */
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** Tells the server's pid, and ends the server when it is told to, by a line; or when stdin ends, as who has started it does: then it removes the folder as well. */
const GUARD = `
  "$@" >"$PIDMESH_SERVICE_LOG" 2>&1 &
  echo "$!"
  read -r _ && isTold=yes
  kill -CONT "$!"; kill "$!"; wait "$!"
  if [ -z "$isTold" ] && [ -n "$PIDMESH_SERVICE_TEMPORARY" ]; then rm -rf "$PIDMESH_SERVICE_TEMPORARY"; fi`
/** Of what ends by itself, a group of processes: ends it, and removes the folder, if stdin ends before it is told that there is nothing left to do. */
const RUN_GUARD = `
  read -r _ && exit
  kill -KILL -- "-$1"
  rm -rf "$2" || { sleep 1; rm -rf "$2"; }`
const LOOK_AGAIN_MS = 20
/** A server that is told to end, and doesn't, is killed. */
const END_WITHIN_MS = 15_000

/** A thread that waits for a disk stops after that. */
const STOP_WITHIN_MS = 1_000

/** Of the log of a server that did not start. */
const SHOWN_LINES = 10

/** A server can't be started here. Its message says what is missing and how to get it. */
export class ServiceMissing extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'ServiceMissing'
  }
}

export interface ServerStart {
  /** For messages. */
  readonly name: string
  /** What is run. */
  readonly command: readonly [string, ...string[]]
  readonly folder: string
  /** The folder goes with who has started the server, however that ends. */
  readonly isTemporary: boolean
  readonly env?: Readonly<Record<string, string>>
  /** Whether it can be used: is asked until it is, and answers in time, whoever is there. */
  readonly isReady: () => Promise<boolean>
  readonly withinMs: number
}

/** A server that runs. */
export class ServerProcess {
  private readonly guard: ChildProcess
  private readonly start: ServerStart
  readonly pid: number

  private constructor(start: ServerStart, guard: ChildProcess, pid: number) {
    this.start = start
    this.guard = guard
    this.pid = pid
  }

  /**
   * Resolves when the server can be used.
   * @throws Error by rejection, with the last lines of its log, if that does not come in time, or it has ended
   */
  static async start(start: ServerStart): Promise<ServerProcess> {
    const { name, command, folder, isTemporary, env, isReady, withinMs } = start
    const log = join(folder, 'server.log')
    // What a former life has said tells nothing of this one.
    rmSync(log, { force: true })
    const guard = spawn('sh', ['-c', GUARD, 'guard', ...command], {
      // What the shell says of ends and kills is nobody's business.
      stdio: ['pipe', 'pipe', 'ignore'],
      // Out of reach of a terminal's Ctrl-C, which would end the guard, and of some servers only their guard.
      detached: true,
      env: {
        ...process.env,
        ...env,
        PIDMESH_SERVICE_LOG: log,
        PIDMESH_SERVICE_TEMPORARY: isTemporary ? folder : '',
      },
    })
    guard.stdin?.on('error', () => undefined)
    const [line] = (await once(guard.stdout, 'data')) as [Buffer]
    const server = new ServerProcess(start, guard, Number(line.toString()))
    const deadlineMs = performance.now() + withinMs
    while (!(await isReady())) {
      const isOver = performance.now() > deadlineMs
      if (isOver || !server.isRunning) {
        await server.stop()
        const how = isOver ? `is not ready after ${withinMs} ms` : 'has ended'
        throw new Error(`${name} ${how}; its log ends with:\n${lastLinesOf(log)}`)
      }
      await new Promise((resolve) => setTimeout(resolve, LOOK_AGAIN_MS))
    }
    return server
  }

  get isRunning(): boolean {
    try {
      return process.kill(this.pid, 0) && !hasEnded(this.pid)
    } catch {
      return false
    }
  }

  /** It stands still, and answers nobody, from when this returns. */
  pause(): void {
    process.kill(this.pid, 'SIGSTOP')
    // Each thread by itself, and not at once: one that still runs would answer.
    const deadlineMs = performance.now() + STOP_WITHIN_MS
    while (!threadsOf(this.pid).every(standsStill) && performance.now() < deadlineMs);
  }

  resume(): void {
    process.kill(this.pid, 'SIGCONT')
  }

  /** As `kill -9`. */
  async kill(): Promise<void> {
    if (this.isRunning) process.kill(this.pid, 'SIGKILL')
    await this.stop()
  }

  /** Resolves when it has ended. */
  async stop(): Promise<void> {
    const { guard } = this
    if (guard.exitCode !== null || guard.signalCode !== null) return
    const ended = once(guard, 'close')
    guard.stdin?.end('end\n')
    const timer = setTimeout(() => {
      if (this.isRunning) process.kill(this.pid, 'SIGKILL')
    }, END_WITHIN_MS)
    await ended
    clearTimeout(timer)
  }

  /** The same server again, with what is in its folder. */
  startAgain(): Promise<ServerProcess> {
    return ServerProcess.start(this.start)
  }
}

/** Its guard waits for it only when it is told to: until then it is a zombie. Where there is no /proc nobody can tell. */
function hasEnded(pid: number): boolean {
  const stat = `/proc/${pid}/stat`
  return existsSync(stat) && stateIn(stat) === 'Z'
}

/** Where there is no /proc nobody can tell. */
function threadsOf(pid: number): readonly string[] {
  const folder = `/proc/${pid}/task`
  return existsSync(folder) ? readdirSync(folder).map((thread) => join(folder, thread, 'stat')) : []
}

function standsStill(stat: string): boolean {
  try {
    return stateIn(stat) === 'T'
  } catch {
    // It has ended meanwhile.
    return true
  }
}

/** See proc(5). The name before it may have anything in it. */
function stateIn(stat: string): string {
  const text = readFileSync(stat, 'latin1')
  return text.charAt(text.lastIndexOf(')') + 2)
}

function lastLinesOf(log: string): string {
  return readFileSync(log, 'utf8').trimEnd().split('\n').slice(-SHOWN_LINES).join('\n')
}

/**
 * Runs what ends by itself, before a server is started: what makes its data. It is gone with us, and the folder too, however we end.
 * @throws Error by rejection, with the last lines that it has said, if it fails
 */
export async function runToEnd([program, ...args]: readonly [string, ...string[]], folder: string): Promise<void> {
  const log = join(folder, 'run.log')
  const output = openSync(log, 'w')
  // Detached, as a server is; and a group of its own, which ends as a whole: it may be a script.
  const child = spawn(program, args, { stdio: ['ignore', output, output], detached: true })
  closeSync(output)
  const guard = spawn('sh', ['-c', RUN_GUARD, 'guard', String(child.pid), folder], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  })
  guard.stdin?.on('error', () => undefined)
  try {
    const [code, signal] = (await once(child, 'exit')) as [number | null, NodeJS.Signals | null]
    if (code !== 0) throw new Error(`${program} has ended with ${code ?? signal}; it has said:\n${lastLinesOf(log)}`)
  } finally {
    guard.stdin?.end('done\n')
  }
}

/** A folder of its own for a server; removed by who has made it, or by the guard. */
export function makeFolder(name: string): { readonly folder: string; readonly remove: () => void } {
  const folder = mkdtempSync(join(tmpdir(), `pidmesh-${name}-`))
  return { folder, remove: () => rmSync(folder, { recursive: true, force: true }) }
}
