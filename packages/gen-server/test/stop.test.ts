/**
 * `stop`, as `gen_server:stop/3`.
 */
import { start, stop } from '@pidmesh/gen-server'
import { via, type Node, type Via } from '@pidmesh/runtime'
import { faultsOf } from '@pidmesh/runtime/testing'
import { describe, expect, it } from 'vitest'
import { Puppet, untyped, useLab } from './lab.ts'

const lab = useLab()

const nodes: [string, () => Node][] = [
  ['the same node', () => lab.a],
  ['another node', () => lab.b],
]

describe.each(nodes)('stop, from %s', (_where, node) => {
  it('resolves when the server has run terminate and ended with the reason, normal by default', async () => {
    for (const reason of [undefined, 'shutdown', { shutdown: 'because' }] as const) {
      const events: string[] = []
      const pid = await lab.run(start(lab.a, Puppet, [{}, events]))
      const ends = await lab.endsOf(pid)
      await lab.run(stop(node(), pid, reason))
      expect(events).toEqual(['init', `terminate ${typeof reason === 'object' ? 'shutdown' : (reason ?? 'normal')}`])
      expect(ends).toEqual([reason ?? 'normal'])
    }
    expect(lab.crashReports()).toEqual([])
  })

  it('with another reason makes a crash report, as any end of a server does', async () => {
    const pid = await lab.run(start(lab.a, Puppet, [{}, []]))
    await lab.run(stop(node(), pid, 'fire'))
    expect(lab.crashReports()).toHaveLength(1)
  })

  it('of nobody fails with noproc', async () => {
    const pid = await lab.run(start(lab.a, Puppet, [{}, []]))
    await lab.run(stop(node(), pid))
    expect(await lab.failure(stop(node(), pid))).toMatchObject({ code: 'ERR_CALL_NOPROC' })
    expect(await lab.failure(stop(node(), { name: 'nobody', node: lab.a.name }))).toMatchObject({
      code: 'ERR_CALL_NOPROC',
    })
    const names = { resolveName: () => undefined } as unknown as Via
    expect(await lab.failure(stop(node(), via(names, 'x')))).toMatchObject({ code: 'ERR_CALL_NOPROC' })
  })

  it('of a server that takes too long fails with timeout; it ends all the same', async () => {
    const events: string[] = []
    const handleInfo = (): Promise<void> => new Promise((resolve) => void lab.cluster.clock.setTimer(500, resolve))
    const pid = await lab.run(start(lab.a, Puppet, [{ handleInfo }, events], { name: 'slow' }))
    lab.a.send(pid, { type: 'note' })
    expect(await lab.failure(stop(node(), { name: 'slow', node: lab.a.name }, 'normal', 100))).toMatchObject({
      code: 'ERR_CALL_TIMEOUT',
    })
    await lab.advance(500)
    expect(events).toEqual(['init', 'info note', 'terminate normal'])
  })

  it('fails with the reason of a server that ends with another one', async () => {
    const terminate = (): never => {
      throw new RangeError('terminate has thrown')
    }
    const pid = await lab.run(start(lab.a, Puppet, [{ terminate }, []]))
    expect(await lab.failure(stop(node(), pid))).toMatchObject({
      code: 'ERR_CALL_EXIT',
      serverReason: { error: { name: 'RangeError', message: 'terminate has thrown' } },
    })
  })

  it('refuses what is no reason', async () => {
    const pid = await lab.run(start(lab.a, Puppet, [{}, []]))
    for (const reason of [5, null])
      expect(await lab.failure(stop(node(), pid, untyped(reason)))).toMatchObject({ code: 'ERR_BAD_ARGUMENT' })
    expect(lab.a.isProcessAlive(pid)).toBe(true)
  })
})

describe('stop', () => {
  it('of the calling process itself is an error', async () => {
    const failures: unknown[] = []
    const handleInfo = async (puppet: Puppet): Promise<void> => {
      failures.push(await stop(puppet.context, puppet.context.pid).catch((error: unknown) => error))
      failures.push(await stop(puppet.context, 'puppet').catch((error: unknown) => error))
      const name = { name: 'puppet', node: lab.a.name }
      failures.push(await stop(puppet.context, name).catch((error: unknown) => error))
    }
    const pid = await lab.run(start(lab.a, Puppet, [{ handleInfo }, []], { name: 'puppet' }))
    lab.a.send(pid, { type: 'note' })
    await lab.settle()
    expect(failures).toMatchObject([{ code: 'ERR_CALL_SELF' }, { code: 'ERR_CALL_SELF' }, { code: 'ERR_CALL_SELF' }])
  })

  it('fails with nodedown if the node is lost before the server has ended', async () => {
    const terminate = (): Promise<void> => new Promise(() => undefined)
    const pid = await lab.run(start(lab.a, Puppet, [{ terminate }, []]))
    const stopping = stop(lab.b, pid)
    await lab.advance(10)
    lab.cluster.crash('a')
    expect(await lab.failure(stopping)).toMatchObject({ code: 'ERR_CALL_NODEDOWN' })
  })

  it('makes no unhandled rejection if its caller is killed, and the server ends all the same', async () => {
    const { self } = await lab.process()
    const pid = await lab.run(start(lab.a, Puppet, [{}, []]))
    const faults = await faultsOf(async () => {
      void stop(self, pid)
      lab.a.exit(self.pid, 'kill')
      await lab.settle()
    })
    expect(faults).toEqual([])
    expect(lab.a.isProcessAlive(pid)).toBe(false)
  })
})
