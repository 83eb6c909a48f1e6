/**
 * A redis-server for a contestant: on a free port of loopback, with nothing on disk.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect, createServer, type AddressInfo } from 'node:net'

/** Ends the server, by its pid, when stdin ends: when the contestant does, however that ends. */
const GUARD = 'redis-server "$@" & read -r _; kill "$!"; wait "$!"'
const WITHIN_MS = 5_000
const LOOK_AGAIN_MS = 10

/** Resolves with the port when it answers there. What it might write would be in `folder`. */
export async function startRedis(folder: string): Promise<number> {
  const port = await freePort()
  const where = ['--port', `${port}`, '--bind', '127.0.0.1', '--dir', folder]
  const withoutFiles = ['--save', '', '--appendonly', 'no', '--logfile', '/dev/null']
  const guard = spawn('sh', ['-c', GUARD, 'redis-server', ...where, ...withoutFiles], {
    stdio: ['pipe', 'ignore', 'inherit'],
  })
  guard.stdin.on('error', () => undefined)
  const deadlineMs = performance.now() + WITHIN_MS
  while (!(await isListening(port))) {
    if (performance.now() > deadlineMs) throw new Error(`redis-server does not listen on port ${port}`)
    await new Promise((resolve) => setTimeout(resolve, LOOK_AGAIN_MS))
  }
  return port
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

function isListening(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.on('connect', () => resolve(true))
    socket.on('error', () => resolve(false))
    socket.on('connect', () => socket.destroy())
  })
}
