/**
 * The layer that all servers share, with a kind of server of the test's own.
 */
import { call, launch, stop, sys, type Behaviour, type Handled } from '@pidmesh/gen-server'
import { hasType, type ExitReason, type Pid } from '@pidmesh/runtime'
import { faultsOf } from '@pidmesh/runtime/testing'
import { expect, it } from 'vitest'
import { useLab } from './lab.ts'

const lab = useLab()

/** Adds numbers up, ends at `end`, and fails at anything else. */
class Sum implements Behaviour {
  readonly name = 'Sum'
  readonly events: string[] = []
  sum = 0

  begin(): void {
    this.events.push('begin')
  }
  handle(message: unknown): Handled {
    if (hasType(message, 'end')) return { type: 'stop', reason: 'shutdown' }
    if (typeof message !== 'number') throw new TypeError('not a number')
    this.sum += message
  }
  terminate(reason: ExitReason): void {
    this.events.push(typeof reason === 'string' ? reason : 'error')
  }
  getState(): unknown {
    return this.sum
  }
  replaceState(state: unknown): void {
    this.sum = state as number
  }
  formatStatus(status: { readonly state: unknown }): { readonly state: unknown } {
    return status
  }
}

async function launchSum(): Promise<{ readonly pid: Pid; readonly sum: Sum }> {
  const sum = new Sum()
  const launched = await lab.run(launch(lab.a.self, 'none', () => ({ type: 'ok', behaviour: sum }), { name: 'sum' }))
  if (launched.type !== 'started') throw new Error('it was ignored')
  return { pid: launched.pid, sum }
}

it('whatever handles messages is started, seen, suspended and stopped as a server', async () => {
  const { pid, sum } = await launchSum()
  for (const number of [1, 2]) lab.a.send(pid, number)
  await expect(lab.run(sys.getState(lab.b, pid))).resolves.toBe(3)
  await expect(lab.run(sys.replaceState(lab.a, pid, () => 10))).resolves.toBe(10)
  await lab.run(sys.suspend(lab.a, 'sum'))
  lab.a.send(pid, 5)
  await expect(lab.run(sys.getStatus(lab.a, pid))).resolves.toMatchObject({
    module: 'Sum',
    status: 'suspended',
    state: 10,
  })
  await lab.run(sys.resume(lab.a, pid))
  await expect(lab.run(sys.getState(lab.a, pid))).resolves.toBe(15)
  await lab.run(stop(lab.a, pid))
  expect(sum.events).toEqual(['begin', 'normal'])
})

it('ends with what it returns, or throws, after terminate, once', async () => {
  const first = await launchSum()
  const ends = await lab.endsOf(first.pid)
  lab.a.send(first.pid, { type: 'end' })
  await lab.settle()
  expect(first.sum.events).toEqual(['begin', 'shutdown'])
  expect(ends).toEqual(['shutdown'])
  const second = await launchSum()
  expect(await lab.failure(call(lab.a, second.pid, 'x'))).toMatchObject({
    serverReason: { error: { name: 'TypeError' } },
  })
  expect(second.sum.events).toEqual(['begin', 'error'])
  expect(lab.crashReports().map((line) => line.fields)).toMatchObject([{ server: 'Sum', lastMessage: 'x', state: '0' }])
})

it('what looks like an exit of the parent, but is none, is a message as any other', async () => {
  const { self } = await lab.process()
  const got: unknown[] = []
  const sum = new Sum()
  sum.handle = (message) => void got.push(message)
  const launched = await lab.run(launch(self, 'link', () => ({ type: 'ok', behaviour: sum }), {}))
  if (launched.type !== 'started') throw new Error('it was ignored')
  const hostile = {
    type: 'EXIT',
    get from(): never {
      throw new Error('hostile')
    },
  }
  const fakes = [{ type: 'EXIT' }, { type: 'EXIT', from: 5 }, { type: 'EXIT', from: self.pid }, hostile]
  for (const fake of fakes) lab.a.send(launched.pid, fake)
  await lab.settle()
  expect(got).toHaveLength(4)
  expect(lab.a.isProcessAlive(launched.pid)).toBe(true)
})

it('a launch whose caller is killed makes no unhandled rejection', async () => {
  const { self } = await lab.process()
  const faults = await faultsOf(async () => {
    void launch(self, 'none', () => new Promise(() => undefined), {})
    await lab.settle()
    lab.a.exit(self.pid, 'kill')
    await lab.settle()
  })
  expect(faults).toEqual([])
})
