// PURPOSE: how nodes see each other come and go, where the operating system is the point: processes that are killed and stopped, pipes that nobody
// empties, hosts whose cable is cut, and nodes that leave in order; once over each transport. Everything else of the distribution is tested on the
// virtual clock, in packages/runtime.

import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import type { Socket } from 'node:net'

import { freePorts } from '@pidmesh/dev-services'
import type { TransportKind } from '@pidmesh/runtime'
import { beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest'

import { HOST } from '../support/demo-process.ts'
import { connected, MeshNode, nowMs, startMesh } from '../support/mesh-node.ts'
import type { LaunchOptions } from '../support/mesh-node.ts'
import { byType, expectBreaks, expectToTalk, expectUndelayed, newsOf, PROMPT_MS } from '../support/mesh-news.ts'
import { Network } from '../support/network.ts'
import type { Cut } from '../support/network.ts'
import { until } from '../support/until.ts'

/** No tick can be what is seen where this is the tick time. */
const NO_TICK_MS = 600_000
const DEFAULT_TICK_MS = 4_000
/** What the project promises at the default tick time. */
const SILENT_WITHIN_MS = 4_500
/** Small enough for a test to be quick, large enough for a busy machine. */
const SHORT_TICK_MS = 1_600
/** After so long without progress a connection on which something waits is given up. */
const NO_PROGRESS_MS = 10_000
/** A machine that does something else beside a test. */
const MARGIN_MS = 2_500
/** Hosts that can reach each other again: what is left of a handshake's 5 s, a pause of 1 s at most, and the handshake. */
const BACK_WITHIN_MS = 10_000

/** The BEAM stands still at about 45,000 names. */
const NAMES = 46_000

const MIB = 1024 * 1024

export function describeDistribution(transport: TransportKind): void {
  describe(`over ${transport}`, () => {
    /** More than a pipe takes that nobody empties: what the system keeps of a connection, and with gRPC a window besides. Less than ends the connection. */
    const fullPipeBytes = (transport === 'tcp' ? 12 : 4) * MIB
    const launch = (name: string, options: LaunchOptions = {}): MeshNode =>
      new MeshNode(name, { transport, ...options })
    const start = <const Names extends readonly string[]>(
      names: Names,
      options: LaunchOptions = {},
    ): Promise<{ [K in keyof Names]: MeshNode }> => startMesh(names, { transport, ...options })

    describe('a node that is killed', () => {
      it('is gone at once: noconnection for each monitor and each link, and then one nodedown, connection_closed', async () => {
        const [a, b, c] = await start(['a', 'b', 'c'], { netTickTimeMs: NO_TICK_MS })
        await a.ask({ type: 'watch', node: c.name, monitors: 3, links: 2 })
        await b.ask({ type: 'watch', node: c.name, monitors: 1, links: 0 })
        const [newsOfA, newsOfB] = [newsOf(a), newsOf(b)]
        const killedAtMs = nowMs()
        c.kill('SIGKILL')
        for (const node of [a, b]) expect((await node.down(c)).atMs - killedAtMs).toBeLessThan(PROMPT_MS)
        const exit = { type: 'EXIT', node: c.name, reason: 'noconnection' }
        const down = { type: 'DOWN', node: c.name, reason: 'noconnection' }
        const nodedown = { type: 'nodedown', node: c.name, reason: 'connection_closed' }
        expect(newsOfA().slice(0, 5).sort(byType)).toMatchObject([down, down, down, exit, exit])
        expect(newsOfA().slice(5)).toMatchObject([nodedown])
        expect(newsOfB()).toMatchObject([down, nodedown])
        await expectToTalk([a, b])
      })
    })

    describe('a node that is stopped (SIGSTOP)', () => {
      it('is net_tick_timeout at all others within 4.5 s at the default, and back by itself when it continues', async () => {
        const [a, b, c] = await start(['a', 'b', 'c'])
        const [newsOfA, newsOfB, newsOfC] = [newsOf(a), newsOf(b), newsOf(c)]
        const stoppedAtMs = nowMs()
        c.kill('SIGSTOP')
        await a.ask({ type: 'begin_calls', node: b.name })
        for (const node of [a, b]) {
          const { atMs } = await node.down(c)
          expect(atMs - stoppedAtMs).toBeGreaterThan(DEFAULT_TICK_MS / 2)
          expect(atMs - stoppedAtMs).toBeLessThan(SILENT_WITHIN_MS + MARGIN_MS)
        }
        await expectUndelayed(a, b)
        c.kill('SIGCONT')
        await connected([a, b, c])
        await expectToTalk([a, b, c])
        for (const news of [newsOfA(), newsOfB()]) {
          expect(news).toMatchObject([
            { type: 'nodedown', node: c.name, reason: 'net_tick_timeout' },
            { type: 'nodeup', node: c.name },
          ])
        }
        // It does not take its own stop for theirs.
        expectBreaks(newsOfC(), [a, b], 'connection_closed')
      })

      it('delays nothing between the others, whatever they have for it, and misses nothing if it continues in time', async () => {
        const [a, b, c] = await start(['a', 'b', 'c'], { netTickTimeMs: NO_TICK_MS, names: true })
        const news = [a, b, c].map(newsOf)
        c.kill('SIGSTOP')
        await a.ask({ type: 'begin_calls', node: b.name })
        await b.ask({ type: 'begin_calls', node: a.name })
        // More than the pipe takes; and what a table of names has to say to all.
        for (const node of [a, b]) {
          const { status } = await node.ask({
            type: 'pour',
            node: c.name,
            messageBytes: 16 * 1024,
            totalBytes: fullPipeBytes,
          })
          expect(status).toBe('busy')
        }
        await a.ask({ type: 'register', count: NAMES })
        await until('the names are known', async () => (await b.ask({ type: 'names' })) === NAMES, { withinMs: 30_000 })
        await expectUndelayed(a, b)
        await expectUndelayed(b, a)
        expect(await a.ask({ type: 'nodes' })).toContain(c.name)
        c.kill('SIGCONT')
        const messages = (2 * fullPipeBytes) / (16 * 1024)
        await until(
          'all has arrived',
          async () => (await c.ask({ type: 'names' })) === NAMES && (await c.ask({ type: 'poured' })) === messages,
          { withinMs: 30_000 },
        )
        expect(news.flatMap((heard) => heard())).toEqual([])
      })
    })

    describe('a peer that reads nothing', () => {
      it('is told of as busy from 1 MiB on, blocks no sender, costs 16 MiB at most, and is then cut off', async () => {
        const [a, b, c] = await start(['a', 'b', 'c'], { netTickTimeMs: NO_TICK_MS })
        const [newsOfA, newsOfB, newsOfC] = [newsOf(a), newsOf(b), newsOf(c)]
        c.kill('SIGSTOP')
        await b.ask({ type: 'begin_calls', node: a.name })
        const poured = await a.ask({ type: 'pour', node: c.name, messageBytes: 16 * 1024, totalBytes: 64 * MIB })
        expect(poured.status).toBe('noconnection')
        expect(poured.busyFromBytes).toBeGreaterThan(0.9 * MIB)
        expect(poured.busyFromBytes).toBeLessThan(8 * MIB)
        expect(poured.sentBytes).toBeGreaterThan(15 * MIB)
        expect(poured.sentBytes).toBeLessThan(32 * MIB)
        expect(poured.mostHeldBytes).toBeLessThan(32 * MIB)
        await expectUndelayed(b, a)

        c.kill('SIGCONT')
        await connected([a, b, c])
        await expectToTalk([a, b, c])
        expect(newsOfA()).toMatchObject([
          { type: 'nodedown', node: c.name, reason: 'buffer_limit' },
          { type: 'nodeup', node: c.name },
        ])
        expect(newsOfB()).toEqual([])
        expectBreaks(newsOfC(), [a])
      })

      it('is given up after 10 s in which nothing gets on its way, however little it is; one to which nothing is sent is not', async () => {
        const [a, b, c] = await start(['a', 'b', 'c'], { netTickTimeMs: 2 * NO_PROGRESS_MS })
        const [newsOfA, newsOfB, newsOfC] = [newsOf(a), newsOf(b), newsOf(c)]
        c.kill('SIGSTOP')
        await a.ask({ type: 'begin_calls', node: b.name })
        const { status } = await a.ask({ type: 'pour', node: c.name, messageBytes: 1024, totalBytes: fullPipeBytes })
        expect(status).toBe('busy')
        const pouredAtMs = nowMs()
        const { atMs, reason } = await a.down(c)
        expect(reason).toBe('no_progress')
        expect(atMs - pouredAtMs).toBeGreaterThan(NO_PROGRESS_MS / 2)
        expect(atMs - pouredAtMs).toBeLessThan(NO_PROGRESS_MS + MARGIN_MS)
        await expectUndelayed(a, b)
        c.kill('SIGCONT')
        await connected([a, b, c])
        await expectToTalk([a, b, c])
        expect(newsOfA()).toMatchObject([
          { type: 'nodedown', node: c.name, reason: 'no_progress' },
          { type: 'nodeup', node: c.name },
        ])
        expect(newsOfB()).toEqual([])
        expectBreaks(newsOfC(), [a])
      })

      it('keeps no node from stopping, whichever of the two has dialed', async () => {
        const [dialed, dialer] = await Promise.all([
          start(['a', 'b'], { netTickTimeMs: NO_TICK_MS }),
          start(['a', 'b'], { netTickTimeMs: NO_TICK_MS }),
        ])
        for (const [node, stopped] of [[dialed[0], dialed[1]] as const, [dialer[1], dialer[0]] as const]) {
          stopped.kill('SIGSTOP')
          await node.ask({ type: 'pour', node: stopped.name, messageBytes: 1024, totalBytes: fullPipeBytes })
          await node.ask({ type: 'stop' })
          expect(await node.exited()).toBe(0)
        }
      })
    })

    describe('a node that is told to stop', () => {
      it('is gone at once with the reason shutdown, and leaves nothing that keeps its process alive', async () => {
        const [a, b, c] = await start(['a', 'b', 'c'], { netTickTimeMs: NO_TICK_MS, names: true })
        await c.ask({ type: 'register', count: 10 })
        await c.ask({ type: 'be_busy' })
        await a.ask({ type: 'watch', node: c.name, monitors: 1, links: 1 })
        await c.ask({ type: 'watch', node: a.name, monitors: 1, links: 1 })
        const [newsOfA, newsOfB] = [newsOf(a), newsOf(b)]
        const toldAtMs = nowMs()
        await c.ask({ type: 'stop' })
        for (const node of [a, b]) expect((await node.down(c)).atMs - toldAtMs).toBeLessThan(PROMPT_MS)
        const gone = { node: c.name, reason: 'shutdown' }
        const nodedown = { type: 'nodedown', ...gone }
        expect(newsOfA().slice(0, 2).sort(byType)).toMatchObject([
          { type: 'DOWN', ...gone },
          { type: 'EXIT', ...gone },
        ])
        expect(newsOfA().slice(2)).toMatchObject([nodedown])
        expect(newsOfB()).toMatchObject([nodedown])
        expect(await c.exited()).toBe(0)
        expect(c.complaints).toEqual([])
        await expectToTalk([a, b])
      })

      it('leaves nothing behind while it dials a seed that is not there, or that accepts and says nothing', async () => {
        const [nobody = 0, silent = 0] = await freePorts(2)
        const seeds = [nobody, silent].map((port) => `${HOST}:${port}`)
        const node = await launch('a', { seeds }).started()
        await node.ask({ type: 'be_busy' })
        const server = createServer()
        const sockets: Socket[] = []
        server.on('connection', (socket) => sockets.push(socket.on('error', () => undefined)))
        onTestFinished(() => {
          for (const socket of sockets) socket.destroy()
          server.close()
        })
        server.listen(silent, HOST)
        await once(server, 'connection')
        await node.ask({ type: 'stop' })
        expect(await node.exited()).toBe(0)
        expect(node.complaints).toEqual([])
      })

      it('leaves nothing behind though someone has connected who says nothing and closes nothing', async () => {
        const node = await launch('a').started()
        const { port } = new URL(`tcp://${node.address}`)
        const socket = connect({ host: HOST, port: Number(port), allowHalfOpen: true })
        onTestFinished(() => void socket.destroy())
        // A server of gRPC speaks first, too.
        if (transport === 'tcp') socket.write('pidmesh tcp 1\n')
        await once(socket, 'data')
        socket.on('error', () => undefined)
        await node.ask({ type: 'stop' })
        expect(await node.exited()).toBe(0)
      })
    })

    describe('a host with a cable', () => {
      let problem: string | undefined

      beforeAll(async () => {
        problem = await Network.problem()
        if (problem === undefined) return
        if (process.env['PIDMESH_NO_SKIP'] === '1') throw new Error(problem)
        console.warn(`tests with hosts of their own skipped: ${problem}`)
      })

      beforeEach(({ skip }) => skip(problem !== undefined, problem))

      it.each<Cut>(transport === 'grpc' ? ['at the switch', 'at the far end', 'at the near end'] : ['at the switch'])(
        'that is cut %s is net_tick_timeout on both sides, nobody else notices, and mended it is back by itself',
        async (where) => {
          const { network, nodes } = await startHosts(transport)
          const [a, b, c] = nodes
          const [newsOfA, newsOfB, newsOfC] = [newsOf(a), newsOf(b), newsOf(c)]
          await a.ask({ type: 'begin_calls', node: b.name })
          network.cut(2, where)
          await Promise.all([a.down(c), b.down(c), c.down(a), c.down(b)])
          await expectUndelayed(a, b)

          network.mend(2, where)
          await connected(nodes, { withinMs: BACK_WITHIN_MS })
          await expectToTalk(nodes)
          for (const news of [newsOfA(), newsOfB()]) {
            expect(news).toMatchObject([
              { type: 'nodedown', node: c.name, reason: 'net_tick_timeout' },
              { type: 'nodeup', node: c.name },
            ])
          }
          expectBreaks(newsOfC(), [a, b], 'net_tick_timeout')
        },
      )

      it('that carries one direction only is closed by both sides, and mended they are connected again', async () => {
        const { network, nodes } = await startHosts(transport)
        const [a, b, c] = nodes
        const [newsOfA, newsOfB, newsOfC] = [newsOf(a), newsOf(b), newsOf(c)]
        network.muffle(0, 2)
        // The one that hears nothing; and the one that is not heard, by its own look or by the other's goodbye.
        expect((await c.down(a)).reason).toBe('net_tick_timeout')
        expect((await a.down(c)).reason).toBeOneOf(['net_tick_timeout', 'connection_closed'])
        await expectToTalk([a, b])
        await expectToTalk([b, c])
        network.unmuffle(0, 2)
        await connected(nodes, { withinMs: BACK_WITHIN_MS })
        await expectToTalk(nodes)
        expectBreaks(newsOfA(), [c])
        expectBreaks(newsOfC(), [a])
        expect(newsOfB()).toEqual([])
      })

      it('that is cut keeps no node from stopping, and none from letting go of the other', async () => {
        const { network, nodes } = await startHosts(transport)
        const [a, b, c] = nodes
        network.cut(2, 'at the switch')
        // It has not noticed yet; and nothing of its end reaches anyone.
        await c.ask({ type: 'stop' })
        expect(await c.exited()).toBe(0)
        for (const [i, node] of [a, b].entries()) {
          expect((await node.down(c)).reason).toBe('net_tick_timeout')
          await until(`${node.name} has let go`, () => network.connections(i, 2).established === 0)
        }
        // What is not there any more is dialed.
        await until('a dial', () => network.connections(0, 2).dialed > 0)
        await a.ask({ type: 'stop' })
        expect(await a.exited()).toBe(0)
        expect(await b.down(a)).toMatchObject({ reason: 'shutdown' })
      })
    })
  })
}

/** Three nodes, each on a host of its own. */
async function startHosts(
  transport: TransportKind,
): Promise<{ network: Network; nodes: readonly [MeshNode, MeshNode, MeshNode] }> {
  const network = await Network.start(3)
  const nodes = await startMesh(['a', 'b', 'c'], (name, i) => {
    const { address, within } = network.hosts[i] ?? { address: '', within: [] }
    return { transport, name: `${name}@${address}`, within, allowInsecureBind: true, netTickTimeMs: SHORT_TICK_MS }
  })
  return { network, nodes }
}
