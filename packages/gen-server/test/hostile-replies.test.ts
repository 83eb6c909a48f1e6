import { call, GenServer, start, stop, type Call, type ServerPid } from '@pidmesh/gen-server'
import { Failure, type Context } from '@pidmesh/runtime'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { useLab } from './lab.ts'

const lab = useLab()

type GoCall = Call<{ type: 'go' }, unknown>

/** On one node values are passed as they are, whatever code of the user's is in them. */
const broken = (): never => {
  throw new Error('broken')
}
const revoked = (): object => {
  const { proxy, revoke } = Proxy.revocable({}, {})
  revoke()
  return proxy
}
const values: readonly (readonly [string, () => unknown])[] = [
  ['a proxy that is revoked', revoked],
  ['a proxy whose trap throws', () => new Proxy({ a: 1 }, { getPrototypeOf: broken })],
  // oxlint-disable-next-line unicorn/no-thenable -- it is what is tested
  ['an object whose then throws', () => Object.defineProperty({}, 'then', { get: broken })],
  // oxlint-disable-next-line unicorn/no-thenable -- it is what is tested
  ['a thenable that rejects', () => ({ then: (_: unknown, fail: (error: Error) => void) => fail(new Error('no')) })],
  ['a promise that rejects', () => Promise.reject(new Error('no'))],
  ['a failure', () => new Failure(broken)],
  ['what looks like a failure', () => Object.create(Failure.prototype, { error: { get: broken } }) as unknown],
]

const unhandled: unknown[] = []
const note = (reason: unknown): void => void unhandled.push(reason)

beforeEach(() => {
  unhandled.length = 0
  process.on('unhandledRejection', note)
})

afterEach(() => {
  process.off('unhandledRejection', note)
})

/** A server that replies with that to whatever it is called with. */
function replierOf(make: () => unknown): Promise<ServerPid<GoCall, never>> {
  class Replier extends GenServer<GoCall> {
    override handleCall(request: GoCall) {
      return this.reply(request, make())
    }
  }
  return lab.run(start(lab.a, Replier, []))
}

async function settled(): Promise<void> {
  await lab.advance(2_000)
  await new Promise((resolve) => setImmediate(resolve))
}

/** Runs it in a process, and says how it has ended. */
function outcomeOf(run: (self: Context) => Promise<unknown>): { readonly told: string[] } {
  const told: string[] = []
  lab.a.spawn(async (self) => {
    await run(self).then(
      () => told.push('resolved'),
      () => told.push('rejected'),
    )
  })
  return { told }
}

describe.each(values)('%s', (_, make) => {
  it('as a reply ends neither the server nor the wait of the caller, as a reply that nobody waits for nothing', async () => {
    const pid = await replierOf(make)
    const { told } = outcomeOf((self) => call(self, pid, { type: 'go' }, 1_000))
    await settled()
    expect(told).toEqual([expect.stringMatching(/^(resolved|rejected)$/)])
    expect(lab.a.isProcessAlive(pid)).toBe(true)
    expect(unhandled).toEqual([])
  })

  it('as an exit reason keeps none of those who watch from being told', async () => {
    const target = lab.a.spawn(async (self) => void (await self.receive()))
    const down = (self: Context): Promise<unknown> => {
      self.monitor(target)
      return self.receive('DOWN')
    }
    const watchers = [
      outcomeOf(down),
      outcomeOf((self) => self.awaitDown(target, 1_000)),
      outcomeOf((self) => {
        void self.awaitDown(target, Infinity)
        return down(self)
      }),
    ]
    await lab.settle()
    lab.a.exit(target, make() as never)
    await settled()
    for (const { told } of watchers) expect(told).toEqual([expect.stringMatching(/^(resolved|rejected)$/)])
    expect(unhandled).toEqual([])
  })
})

it('a failure that is replied is a value as any other', async () => {
  const reply = new Failure(broken)
  const pid = await replierOf(() => reply)
  expect(await lab.run(call(lab.a, pid, { type: 'go' }))).toBe(reply)
})

it('whoever is ended by who traces the coming of his reply makes no unhandled rejection', async () => {
  // Answers in place of ending: what `stop` takes for a mistake.
  const odd = lab.a.spawn(async (self) => {
    const { replyTo } = await self.receive<{ replyTo: never }>()
    self.send(replyTo, 'no end')
  })
  const asker = lab.a.spawn(async (self) => {
    await self.receive()
    await stop(self, odd)
  })
  await lab.settle()
  lab.a.trace(asker, { receive: true }, (event) => {
    if (event.type === 'receive' && event.message === 'no end') lab.a.exit(asker, 'kill')
  })
  lab.a.send(asker, 'go')
  await settled()
  expect(lab.a.isProcessAlive(asker)).toBe(false)
  expect(unhandled).toEqual([])
})
