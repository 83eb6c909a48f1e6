import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { createProbeServer, type Phase, type Status } from '../src/probes.ts'

let phase: Phase = 'starting'
let server: Server

beforeEach(async () => {
  server = createProbeServer(status)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
})

afterEach(async () => {
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
})

function status(): Status {
  return { node: 'a@10.0.0.1', phase, nodes: 2 }
}

function ask(path: string): Promise<Response> {
  const { port } = server.address() as AddressInfo
  return fetch(`http://127.0.0.1:${port}${path}`)
}

it.each<[Phase, number, number]>([
  ['starting', 200, 503],
  ['ready', 200, 200],
  ['draining', 200, 503],
])('a node that is %s is alive (%i), and takes clients, or does not (%i)', async (now, alive, ready) => {
  phase = now
  const answers = await Promise.all(['/healthz', '/readyz', '/readyz?verbose=1'].map(ask))
  expect(answers.map((answer) => answer.status)).toEqual([alive, ready, ready])
  for (const answer of answers) {
    expect(answer.headers.get('cache-control')).toBe('no-store')
    expect(await answer.json()).toEqual(status())
  }
})

it('what is no probe is not found, and is told nothing of the node', async () => {
  const answer = await ask('/readyz/x')
  expect(answer.status).toBe(404)
  expect(await answer.json()).toEqual({ error: 'not found' })
})
