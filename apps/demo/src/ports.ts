// Which ports a cluster takes. Busy ones are found before anything is started, so that there is one message and nothing to clean up.

import { createServer } from 'node:net'
import type { AddressInfo, Server } from 'node:net'

export class PortError extends Error {}

/** Ports beginning with `first`, or any free ones for 0. */
export type Wanted = { option: string; first: number }

/**
 * All ports are held at once and then let go: free ones differ from each other, and the gap in which a stranger can take one is short.
 * If one does, the node that wanted it says so.
 * @throws PortError
 */
export async function choosePorts(
  host: string,
  count: number,
  wanted: readonly Wanted[],
): Promise<readonly number[][]> {
  const held: Server[] = []
  try {
    const ports: number[][] = []
    for (const { option, first } of wanted) {
      const row: number[] = []
      for (let i = 0; i < count; i++) {
        const server = await hold(host, first === 0 ? 0 : first + i, option)
        held.push(server)
        row.push((server.address() as AddressInfo).port)
      }
      ports.push(row)
    }
    return ports
  } finally {
    await Promise.all(held.map(letGo))
  }
}

function hold(host: string, port: number, option: string): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.destroy())
    server.once('error', (error) => reject(new PortError(portProblem(error, host, port, option))))
    server.listen(port, host, () => resolve(server))
  })
}

function portProblem(error: NodeJS.ErrnoException, host: string, port: number, option: string): string {
  const advice = `choose others with --${option}, or any free ones with --${option} 0`
  if (error.code === 'EADDRINUSE') return `port ${port} of ${host} is already in use; ${advice}`
  if (error.code === 'EACCES') return `port ${port} may not be used by this user; ${advice}`
  return `port ${port} of ${host} can't be used: ${error.message}`
}

function letGo(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve())
  })
}
