// One chat node: its page, its sockets and its part of the mesh, in one process.
//
//   options ─▶ listen ─▶ join the mesh (chat.ts) ─▶ {type: 'ready', url} to the launcher ─▶ … ─▶ stop ─▶ exit 0
//
// Ends on {type: 'stop'}, on SIGTERM, and when the launcher is gone: its channel or standard input closes.
// It listens first: a busy port is found before other nodes have heard of this one. Until it is ready, /healthz answers 503.

import type { Server } from 'node:http'
import { fileURLToPath } from 'node:url'

import { HELP, parseChatNodeOptions } from './chat-node-options.ts'
import type { ChatNodeOptions } from './chat-node-options.ts'
import { startChat } from './chat.ts'
import type { Chat } from './chat.ts'
import { isStop } from './node-link.ts'
import type { Ready } from './node-link.ts'
import { OptionError } from './option-error.ts'
import { createPageServer, readPage } from './page-server.ts'
import { onStandardInputEnd } from './standard-input.ts'
import { WAY_TEXT } from './ways.ts'

/** A stop that takes longer is an end all the same; the launcher kills after 3 s. Sessions are handed over for 2 s of it (chat.ts, DRAIN). */
const STOP_WITHIN_MS = 2500

let isReady = false
let isStopping = false
let server: Server | undefined
let chat: Chat | undefined

await main()

async function main(): Promise<void> {
  const options = optionsOrExit()
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined)
  stopWithLauncher()
  const { name, port, host, urls, names } = options
  try {
    const page = readPage(fileURLToPath(new URL('page', import.meta.url)))
    server = createPageServer({ name, page, urls, names: WAY_TEXT[names.via], isReady: () => isReady })
    await listen(server, port, host)
    chat = await startChat({ ...options, server })
  } catch (error) {
    if (!isStopping) console.error(`chat-node: ${name} could not start: ${reasonOf(error, options)}`)
    process.exit(1)
  }
  // Asked to stop while it was starting.
  if (isStopping) return exit()
  isReady = true
  const ready: Ready = { type: 'ready', url: `http://${host}:${port}` }
  if (process.send === undefined) console.log(`${name} is at ${ready.url}`)
  else process.send(ready, undefined, undefined, () => undefined)
}

function stopWithLauncher(): void {
  const isLaunched = process.send !== undefined
  process.on('SIGTERM', stop)
  // Ctrl-C and a terminal's end reach every process of the terminal. The launcher is one of them, and it stops its nodes in order.
  for (const signal of ['SIGINT', 'SIGHUP'] as const) process.on(signal, isLaunched ? () => undefined : stop)
  onStandardInputEnd(stop)
  if (!isLaunched) return
  process.on('disconnect', stop)
  process.on('message', (message) => {
    if (isStop(message)) stop()
  })
  if (!process.connected) stop()
}

function stop(): void {
  if (isStopping) return
  isStopping = true
  setTimeout(() => process.exit(1), STOP_WITHIN_MS)
  if (isReady) void exit()
}

async function exit(): Promise<void> {
  isReady = false
  server?.close()
  await chat?.stop()
  process.exit(0)
}

function listen(server: Server, port: number, host: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, () => {
      server.off('error', reject)
      resolve()
    })
  })
}

function reasonOf(error: unknown, { port, meshPort, host }: ChatNodeOptions): string {
  if (!(error instanceof Error)) return String(error)
  // The page's port is taken by Node's own server, the mesh's by the runtime.
  const code = 'code' in error ? error.code : undefined
  if (code === 'EADDRINUSE') return `port ${port} of ${host} is already in use (--port)`
  if (code === 'ERR_PORT_IN_USE') return `port ${meshPort} of ${host} is already in use (--mesh-port)`
  return error.message.split('\n', 1)[0] ?? error.name
}

function optionsOrExit(): ChatNodeOptions {
  try {
    const command = parseChatNodeOptions(process.argv.slice(2), process.env)
    if (command.do === 'start') return command.options
    console.log(HELP)
    process.exit(0)
  } catch (error) {
    if (!(error instanceof OptionError)) throw error
    console.error(`chat-node: ${error.message} (see --help)`)
    process.exit(2)
  }
}
