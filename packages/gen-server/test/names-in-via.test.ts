/**
 * Servers whose names are in a `Via`: one that fails to start gives back its own name and nobody else's, and a `Via` that fails, or doesn't answer, hides no reason and holds nobody up.
 */
import {
  call,
  cast,
  child,
  DynamicSupervisor,
  GenServer,
  start,
  startLink,
  type CallError,
  type InitResult,
} from '@pidmesh/gen-server'
import { via, type Awaitable, type Pid, type SendStatus, type Via, type ViaCapabilities } from '@pidmesh/runtime'
import { describe, expect, it } from 'vitest'
import { untyped, useLab } from './lab.ts'

const lab = useLab()

const never = (): Promise<never> => new Promise(() => undefined)
const boom = (): Promise<never> => Promise.reject(new Error('boom'))

/** A name may have many processes. */
class Names implements Via {
  readonly capabilities: ViaCapabilities = {
    resolve: 'memory',
    holders: 'many',
    newestWins: false,
    order: 'always',
    purge: 'noticed',
    knowsAbsence: true,
    reachesPids: true,
  }
  readonly held: { readonly name: string; readonly pid: Pid }[] = []

  registerName(name: string, pid: Pid): Awaitable<'yes' | 'no'> {
    this.held.push({ name, pid })
    return 'yes'
  }
  unregisterName(name: string, pid?: Pid): Awaitable<'ok'> {
    for (const one of this.held.filter((each) => each.name === name && (pid === undefined || each.pid.equals(pid))))
      this.held.splice(this.held.indexOf(one), 1)
    return 'ok'
  }
  whereisName(name: string): Pid | undefined {
    return this.held.find((one) => one.name === name)?.pid
  }
  resolveName(name: string): Awaitable<Pid | undefined> {
    return this.whereisName(name)
  }
  send(): Awaitable<SendStatus | 'noproc'> {
    return 'noproc'
  }
  setMeta(): 'error' {
    return 'error'
  }
}

class Room extends GenServer {
  override init(how: 'ok' | 'stop' | 'ignore' | 'throw'): InitResult {
    if (how === 'throw') throw new Error('why')
    if (how === 'stop') return this.stop('why')
    return how === 'ignore' ? this.ignore() : undefined
  }
}

describe('a start that comes to nothing', () => {
  it.each(['stop', 'ignore', 'throw'] as const)(
    'by init’s %s takes the name from nobody else who has it',
    async (how) => {
      const names = new Names()
      const first = await lab.run(start(lab.a, Room, ['ok'], { name: via(names, 'room') }))
      await lab.run(start(lab.a, Room, [how], { name: via(names, 'room') }).catch(() => undefined))
      expect(names.held.map(({ pid }) => pid)).toEqual([first])
    },
  )

  // OTP: `gen:start` looks who has the name before it spawns. Only if it is taken in between there is a process that ends, with `normal`.
  it('since the name is taken sends no exit signal to who is linked to it', async () => {
    class Taken extends Names {
      override registerName(name: string, pid: Pid): Awaitable<'yes' | 'no'> {
        return this.whereisName(name) === undefined ? super.registerName(name, pid) : 'no'
      }
    }
    const name = via(new Taken(), 'room')
    const first = await lab.run(start(lab.a, Room, ['ok'], { name }))
    const { self } = await lab.process({ trapExit: false })
    const trapping = await lab.process({ trapExit: true })
    for (const starter of [self, trapping.self])
      expect(await lab.failure(startLink(starter, Room, ['ok'], { name }))).toMatchObject({
        code: 'ERR_ALREADY_STARTED',
        pid: first,
      })
    await lab.settle()
    expect(self.isAlive).toBe(true)
    expect(trapping.messages).toEqual([])
    expect(lab.a.processInfo(self.pid)?.links).toEqual([])
  })

  it.each(['stop', 'ignore', 'throw'] as const)(
    'by init’s %s gives the name back also if who starts it has ended meanwhile',
    async (how) => {
      let go: () => void = () => undefined
      const asked = new Promise<void>((resolve) => (go = resolve))
      class Late extends GenServer {
        override async init(): Promise<InitResult> {
          await asked
          if (how === 'throw') throw new Error('why')
          return how === 'stop' ? this.stop('why') : this.ignore()
        }
      }
      const names = new Names()
      const { self } = await lab.process()
      start(self, Late, [], { name: via(names, 'room') }).catch(() => undefined)
      await lab.settle()
      expect(names.held).toHaveLength(1)
      lab.a.exit(self.pid, 'kill')
      await lab.settle()
      go()
      await lab.settle()
      expect(names.held).toEqual([])
    },
  )

  it('since its process was killed, or has taken too long, takes the name from nobody else either', async () => {
    class Slow extends GenServer {
      override init(): Promise<undefined> {
        return never()
      }
    }
    const names = new Names()
    const first = await lab.run(start(lab.a, Room, ['ok'], { name: via(names, 'room') }))
    expect(await lab.failure(start(lab.a, Slow, [], { name: via(names, 'room'), timeoutMs: 50 }))).toMatchObject({
      code: 'ERR_START_TIMEOUT',
    })
    expect(names.held.map(({ pid }) => pid)).toEqual([first])
  })
})

describe.each([
  ['that does not answer', never],
  ['that fails', boom],
])('a way of keeping names %s', (_what, answer) => {
  class Broken extends Names {
    override unregisterName(): Promise<'ok'> {
      return answer()
    }
    override resolveName(): Promise<Pid | undefined> {
      return answer()
    }
  }

  it('hides no reason of a start that fails, and holds it up for a while at most', async () => {
    const name = via(new Broken(), 'x')
    const why = { code: 'ERR_START_FAILED', reason: { error: { message: 'why' } } }
    expect(await lab.failure(start(lab.a, Room, ['throw'], { name }))).toMatchObject(why)
    expect(await lab.failure(start(lab.a, Room, ['stop'], { name }))).toMatchObject({
      code: 'ERR_START_FAILED',
      reason: 'why',
    })
    expect(await lab.run(start(lab.a, Room, ['ignore'], { name }))).toBeUndefined()
  })

  it('lets it be known that the name is taken, if not by whom', async () => {
    class Taken extends Broken {
      override registerName(): 'no' {
        return 'no'
      }
    }
    expect(await lab.failure(start(lab.a, Room, ['ok'], { name: via(new Taken(), 'x') }))).toMatchObject({
      code: 'ERR_ALREADY_STARTED',
      pid: undefined,
    })
  })

  it('holds up a supervisor for a while at most', async () => {
    const supervisor = await lab.run(DynamicSupervisor.start(lab.a))
    const spec = child(Room, ['throw'], { id: 'room', name: via(new Broken(), 'x') })
    const starting = DynamicSupervisor.startChild(lab.a, supervisor, spec)
    expect(await lab.run(starting)).toMatchObject({ type: 'start_failed' })
    expect(await lab.run(DynamicSupervisor.countChildren(lab.a, supervisor))).toMatchObject({ active: 0 })
  })
})

it('to find who has the name takes of the time that a call has', async () => {
  class Slow extends Names {
    override async resolveName(name: string): Promise<Pid | undefined> {
      await asked
      return this.whereisName(name)
    }
  }
  let found: () => void = () => undefined
  const asked = new Promise<void>((resolve) => (found = resolve))
  const name = via(new Slow(), 'silent')
  const { self } = await lab.process()
  await name.via.registerName('silent', self.pid)
  const codes: unknown[] = []
  call<never, never>(lab.a, name, untyped({}), 50).catch((error: CallError) => codes.push(error.code))
  await lab.advance(30)
  found()
  await lab.advance(19)
  expect(codes).toEqual([])
  await lab.advance(1)
  expect(codes).toEqual(['ERR_CALL_TIMEOUT'])
})

it('a cast over a way of keeping names that throws tells nobody', () => {
  class Throwing extends Names {
    override send(): never {
      throw new Error('the store is down')
    }
  }
  expect(() => cast(lab.a, via(new Throwing(), 'x'), {})).not.toThrow()
})
