// One chat node as a child process: from its start, over `ready`, to its end.
//
// stop():  {type: 'stop'} over IPC ──1.5 s──▶ SIGTERM ──1.5 s──▶ SIGKILL, each only to a process that has not ended yet.
// The child ends by itself when this process dies: its IPC channel and its standard input close.

import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'

import { isReady } from './node-link.ts'
import type { Stop } from './node-link.ts'

const TERM_AFTER_MS = 1500
const KILL_AFTER_MS = 3000

export type NodeProgram = {
  name: string
  /** A script for this Node.js. */
  script: string
  args: readonly string[]
  /** Added to the environment of this process. */
  env: Readonly<Record<string, string>>
}

export type Ended = { code: number | undefined; signal: NodeJS.Signals | undefined }

export type NodeProcess = {
  name: string
  pid: number | undefined
  /** The page's address; undefined if it ended before. */
  ready: Promise<string | undefined>
  ended: Promise<Ended>
  /** Resolves when it has ended. */
  stop(): Promise<Ended>
  kill(): void
}

export function startNodeProcess({ name, script, args, env }: NodeProgram): NodeProcess {
  const child = spawn(process.execPath, [script, ...args], {
    stdio: ['pipe', 'inherit', 'inherit', 'ipc'],
    env: { ...process.env, ...env },
  })
  // A pipe or a channel to a process that is just ending breaks; its end is told by `exit`.
  child.stdin?.on('error', () => undefined)

  const ended = endOf(child)
  const ready = new Promise<string | undefined>((resolve) => {
    child.on('message', (message) => {
      if (isReady(message)) resolve(message.url)
    })
    void ended.then(() => resolve(undefined))
  })

  function stop(): Promise<Ended> {
    const stopMessage: Stop = { type: 'stop' }
    if (child.connected) child.send(stopMessage, () => undefined)
    const term = setTimeout(() => child.kill('SIGTERM'), TERM_AFTER_MS)
    const kill = setTimeout(() => child.kill('SIGKILL'), KILL_AFTER_MS)
    return ended.finally(() => {
      clearTimeout(term)
      clearTimeout(kill)
    })
  }

  return {
    name,
    pid: child.pid,
    ready,
    ended,
    stop,
    kill() {
      child.kill('SIGKILL')
    },
  }
}

function endOf(child: ChildProcess): Promise<Ended> {
  return new Promise((resolve) => {
    child.once('exit', (code, signal) => resolve({ code: code ?? undefined, signal: signal ?? undefined }))
    child.on('error', () => {
      // Not only a failed start is told here, also a failed kill or send: those have an `exit` to come.
      if (child.pid === undefined) resolve({ code: undefined, signal: undefined })
    })
  })
}
