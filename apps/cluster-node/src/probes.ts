// The server of the node's port: probes here, WebSockets by the gateway, which takes its `upgrade` event.
//
//   /healthz   200 while the event loop runs: what a liveness probe wants to know, and no more. A node that is draining, or alone, is alive.
//   /readyz    200 while new clients may come: not before the node is up and has found the others, not once it has been told to end.

import { createServer } from 'node:http'
import type { Server } from 'node:http'

export const HEALTH_PATH = '/healthz'
export const READY_PATH = '/readyz'

export type Phase = 'starting' | 'ready' | 'draining'

/** What is told of the node: no more than anybody may know, for clients reach this port too. */
export type Status = { readonly node: string; readonly phase: Phase; readonly nodes: number }

export function createProbeServer(status: () => Status): Server {
  return createServer((request, response) => {
    const path = request.url?.replace(/\?.*/s, '')
    const now = status()
    const code = path === HEALTH_PATH ? 200 : path !== READY_PATH ? 404 : now.phase === 'ready' ? 200 : 503
    const body = code === 404 ? { error: 'not found' } : now
    response.writeHead(code, { 'Content-Type': 'application/json', 'Cache-Control': 'no-store' })
    response.end(`${JSON.stringify(body)}\n`)
  })
}
