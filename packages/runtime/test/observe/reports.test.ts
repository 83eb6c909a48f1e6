/**
 * What the runtime logs of processes that crash, run for long, or have a large mailbox: see docs/observation.md.
 */
import { handler, type Context, type MailboxOptions, type Node } from '@pidmesh/runtime'
import { faultsOf, TestCluster, type LogLine } from '@pidmesh/runtime/testing'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'

let cluster: TestCluster
let node: Node

beforeEach(async () => {
  cluster = new TestCluster()
  node = await cluster.start('a')
})

afterEach(async () => {
  await cluster.stop()
})

function reports(kind: string): LogLine[] {
  return cluster.log.lines.filter((line) => line.fields['report'] === kind)
}

/** The handler takes so long, without a pause. */
function work(ms: number): void {
  cluster.clock.passTo(cluster.clock.monotonicMs() + ms)
}

describe('long_schedule', () => {
  it('names the process and the tag of the message that held up all others, and never its payload', async () => {
    const pid = node.spawn(
      handler(() => () => work(60)),
      { name: 'slow', label: 'a test' },
    )
    node.send(pid, { type: 'sum', secret: 'payload' })
    await cluster.settle()
    expect(reports('long_schedule')).toMatchObject([
      {
        level: 'warn',
        fields: { pid: pid.toString(), registeredName: 'slow', label: 'a test', message: 'sum', tookMs: 60 },
      },
    ])
    expect(JSON.stringify(reports('long_schedule'))).not.toContain('payload')
    expect(node.counters().longSchedules).toBe(1)
  })

  it('names the process that is slow, not those that wait beside it', async () => {
    const quick = handler(() => () => work(1))
    const slow = handler(() => () => work(60))
    const pids = [quick, quick, slow, quick].map((body) => node.spawn(body))
    await cluster.settle()
    for (const pid of pids) node.send(pid, 'work')
    await cluster.settle()
    expect(reports('long_schedule').map((line) => [line.fields['pid'], line.fields['orOneOf']])).toEqual([
      [String(pids[2]), undefined],
    ])
  })

  it('in the midst of a flood of quick messages names the process, or the few one of which it was', async () => {
    const body = handler(() => (message) => (message === 'slow' ? work(60) : undefined))
    const flooded = node.spawn(body)
    for (let i = 0; i < 10_000; i++) node.send(flooded, i === 5_000 ? 'slow' : i)
    await cluster.settle()
    expect(reports('long_schedule')).toMatchObject([{ fields: { pid: flooded.toString(), tookMs: 60 } }])
    expect(reports('long_schedule')[0]?.fields).not.toHaveProperty('message')
    const many = Array.from({ length: 1_000 }, () => node.spawn(body))
    await cluster.settle()
    for (const [i, pid] of many.entries()) node.send(pid, i === 500 ? 'slow' : i)
    await cluster.settle()
    const fields = reports('long_schedule')[1]?.fields
    const suspects = [fields, ...((fields?.['orOneOf'] as unknown[] | undefined) ?? [])]
    expect(suspects.length).toBeLessThanOrEqual(32)
    expect(suspects).toContainEqual(expect.objectContaining({ pid: String(many[500]) }))
  })

  it.each([63, 79, 95, 111, 112, 200])(
    'after %d quick messages a slow one is never told by the tag of another',
    async (quick) => {
      const body = handler(() => (message: { type: string }) => (message.type === 'slow' ? work(60) : undefined))
      const pid = node.spawn(body)
      await cluster.settle()
      for (let i = 0; i < quick; i++) node.send(pid, { type: 'fast' })
      node.send(pid, { type: 'slow' })
      await cluster.settle()
      expect(reports('long_schedule')).toHaveLength(1)
      expect([undefined, 'slow']).toContain(reports('long_schedule')[0]?.fields['message'])
    },
  )

  interface Work {
    readonly type: string
    readonly ms: number
  }
  /** Work of so many milliseconds, after so many messages that are quick. */
  const after = (quick: number, ms: number): readonly Work[] =>
    [...new Array<number>(quick).fill(0), ms].map((each) => ({ type: `${each} ms`, ms: each }))

  it.each([
    ['that comes soon after another that took its time', [[...after(110, 1), ...after(9, 60)]]],
    ['that comes early in a turn, whatever was before', [after(110, 0), after(9, 60)]],
  ])('a slow message %s is named for sure, though there was a flood of quick ones', async (_what, turns) => {
    const pid = node.spawn(
      handler(
        () =>
          ({ ms }: Work) =>
            ms > 0 ? work(ms) : undefined,
      ),
    )
    await cluster.settle()
    for (const messages of turns) {
      for (const message of messages) node.send(pid, message)
      await cluster.settle()
    }
    expect(reports('long_schedule').map(({ fields }) => fields['message'])).toEqual(['60 ms'])
  })

  it('a plain process is not named with those that have run in a turn before', async () => {
    const pids = ['fast', 'fast', 'slow'].map((type) =>
      node.spawn(async (self) => {
        await self.receive()
        if (type === 'slow') work(60)
      }),
    )
    await cluster.settle()
    const [first, second, slow] = pids.map((pid) => () => node.send(pid, 'go'))
    for (const turn of [[first, second], [slow]]) {
      for (const send of turn) send?.()
      await cluster.settle()
    }
    expect(reports('long_schedule').map(({ fields }) => [fields['pid'], fields['orOneOf']])).toEqual([
      [String(pids[2]), undefined],
    ])
  })

  it('of more plain processes than it names, it says how many more', async () => {
    const many = Array.from({ length: 50 }, (_, i) =>
      node.spawn(async (self) => {
        await self.receive()
        if (i === 49) work(60)
      }),
    )
    await cluster.settle()
    for (const pid of many) node.send(pid, 'go')
    await cluster.settle()
    const { orOneOf, orOthers } = reports('long_schedule')[0]?.fields ?? {}
    expect((orOneOf as unknown[]).length + 1 + (orOthers as number)).toBe(50)
  })

  it.each([
    ['that starts', (): void => void node.spawn(() => work(60)), 'its start'],
    [
      'whose receive has been resolved',
      (): void => {
        const pid = node.spawn(async (self) => {
          await self.receive('sum')
          work(60)
        })
        node.send(pid, { type: 'sum' })
      },
      'sum',
    ],
    [
      'whose predicate looks through its mailbox',
      (): void => {
        const pid = node.spawn(
          async (self) => void (await self.receive({ match: () => (work(60), true), timeoutMs: 10 })),
        )
        node.send(pid, { type: 'sum' })
      },
      'a receive',
    ],
  ])('a plain process %s is noticed too', async (_what, begin, tag) => {
    begin()
    await cluster.settle()
    expect(reports('long_schedule')).toMatchObject([{ fields: { message: tag, tookMs: 60 } }])
  })

  it('what a library wraps is named by both, and a message that cannot be described by just that', async () => {
    const pid = node.spawn(handler(() => () => work(60)))
    const hostile = Object.defineProperty({}, 'type', {
      get: () => {
        throw new Error('gotcha')
      },
    })
    for (const message of [{ type: '$gen_call', request: { type: 'add' } }, hostile, null, 7, 'text', ['x'], {}]) {
      node.send(pid, message)
    }
    await cluster.settle()
    expect(reports('long_schedule').map((line) => line.fields['message'])).toEqual([
      '$gen_call add',
      'a message that cannot be described',
      'null',
      'number',
      'string',
      'array',
      'object',
    ])
  })

  it('the limit is the longScheduleMs of the node', async () => {
    const other = await cluster.start('b', { longScheduleMs: 10 })
    other.spawn(() => work(9))
    other.spawn(() => work(11))
    await cluster.settle()
    expect(reports('long_schedule')).toMatchObject([{ fields: { tookMs: 11 } }])
    const resumed = other.spawn(async (self) => {
      for (const ms of [9, 10]) {
        await self.receive()
        work(ms)
      }
    })
    for (let times = 0; times < 2; times++) {
      other.send(resumed, 'work')
      await cluster.settle()
    }
    expect(reports('long_schedule').slice(1)).toMatchObject([{ fields: { tookMs: 10 } }])
  })

  it('a hundred a second are logged, and the first line thereafter says how many were not', async () => {
    const frequent = await cluster.start('c', { longScheduleMs: 1 })
    const pid = frequent.spawn(handler(() => () => work(1)))
    for (let i = 0; i < 400; i++) frequent.send(pid, i)
    await cluster.settle()
    expect(reports('long_schedule')).toHaveLength(100)
    await cluster.advance(2_000)
    frequent.send(pid, 'more')
    await cluster.settle()
    expect(reports('long_schedule').at(-1)).toMatchObject({ fields: { omittedBefore: 300 } })
    expect(frequent.counters().longSchedules).toBe(401)
  })
})

describe('large_mailbox', () => {
  /** A process that takes nothing before it is told to. */
  async function stuck(mailbox: Partial<MailboxOptions>) {
    let release = (): void => undefined
    const gate = new Promise<void>((resolve) => (release = resolve))
    let context: Context | undefined
    const got: unknown[] = []
    const pid = node.spawn(
      handler((self) => {
        context = self
        return async (message) => {
          if (message === 'wait') await gate
          got.push(message)
        }
      }),
      { mailbox, label: 'stuck', trapExit: true },
    )
    node.send(pid, 'wait')
    await cluster.settle()
    if (context === undefined) throw new Error('the process has not started')
    return { pid, got, self: context, release: () => release() }
  }

  it('log: says so at the limit and at each doubling, and takes every message', async () => {
    const { pid, got, release } = await stuck({ limit: 100 })
    for (let i = 0; i < 1_000; i++) node.send(pid, i)
    expect(reports('large_mailbox').map((line) => line.fields['messageQueueLength'])).toEqual([100, 200, 400, 800])
    expect(reports('large_mailbox')[0]).toMatchObject({
      level: 'warn',
      fields: { pid: pid.toString(), label: 'stuck', policy: 'log' },
    })
    release()
    await cluster.settle()
    expect(got).toHaveLength(1_001)
    for (let i = 0; i < 101; i++) node.send(pid, i)
    expect(reports('large_mailbox')).toHaveLength(5)
    expect(node.counters().largeMailboxes).toBe(5)
  })

  it('drop: refuses messages, but nothing that the runtime tells, until the process has caught up', async () => {
    const { pid, got, self, release } = await stuck({ limit: 10, policy: 'drop' })
    const watched = node.spawn(async (other) => void (await other.receive()))
    self.monitor(watched)
    for (let i = 0; i < 20; i++) node.send(pid, i)
    node.exit(watched, 'boom')
    node.exit(pid, 'trapped')
    self.sendAfter(5, pid, 'in time')
    await cluster.advance(5)
    expect(node.counters().messagesDropped).toBe(10)
    expect(reports('large_mailbox')).toMatchObject([{ level: 'error', fields: { messageQueueLength: 10 } }])
    release()
    await cluster.settle()
    expect(got.slice(1)).toMatchObject([
      ...Array.from({ length: 10 }, (_, i) => i),
      { type: 'DOWN', reason: 'boom' },
      { type: 'EXIT', reason: 'trapped' },
      'in time',
    ])
    node.send(pid, 'again')
    await cluster.settle()
    expect(got.at(-1)).toBe('again')
  })

  it('drop: refuses nothing that the process sends to itself, by its pid or its name', async () => {
    const { pid, got, self, release } = await stuck({ limit: 10, policy: 'drop' })
    node.register('stuck', pid)
    for (let i = 0; i < 20; i++) node.send(pid, i)
    self.send(pid, 'by its pid')
    self.send('stuck', 'by its name')
    self.send({ name: 'stuck', node: node.name }, 'by its name and node')
    self.sendAll([pid], 'to all of one')
    node.send('stuck', 'of another')
    release()
    await cluster.settle()
    expect(got.slice(11)).toEqual(['by its pid', 'by its name', 'by its name and node', 'to all of one'])
    expect(node.counters().messagesDropped).toBe(11)
  })

  it('drop: a plain process takes messages again once it has caught up', async () => {
    let release = (): void => undefined
    const gate = new Promise<void>((resolve) => (release = resolve))
    const got: unknown[] = []
    const pid = node.spawn(
      async (self) => {
        await gate
        for (;;) got.push(await self.receive())
      },
      { mailbox: { limit: 10, policy: 'drop' } },
    )
    await cluster.settle()
    for (let i = 0; i < 20; i++) node.send(pid, i)
    expect(node.counters().messagesDropped).toBe(10)
    release()
    await cluster.settle()
    for (let i = 20; i < 30; i++) node.send(pid, i)
    await cluster.settle()
    expect(got).toEqual([...Array.from({ length: 10 }, (_, i) => i), ...Array.from({ length: 10 }, (_, i) => i + 20)])
  })

  it('kill: ends the process, which cannot trap it, with the limit as the reason', async () => {
    const { pid } = await stuck({ limit: 10, policy: 'kill' })
    let reason: unknown
    node.spawn(async (self) => {
      self.monitor(pid)
      reason = (await self.receive('DOWN')).reason
    })
    await cluster.settle()
    for (let i = 0; i < 11; i++) node.send(pid, i)
    expect(node.isProcessAlive(pid)).toBe(false)
    await cluster.settle()
    expect(reason).toEqual({ mailbox_limit: 10 })
    expect(reports('large_mailbox')).toMatchObject([{ level: 'error', fields: { policy: 'kill' } }])
  })

  it('kill: nothing ends the main process', async () => {
    const b = await cluster.start('b', { mailbox: { limit: 10, policy: 'kill' } })
    for (let i = 0; i < 20; i++) b.send(b.self.pid, i)
    await cluster.settle()
    expect(b.isProcessAlive(b.self.pid)).toBe(true)
  })

  it('the limit of a node holds for all processes that have none of their own', async () => {
    const b = await cluster.start('b', { mailbox: { limit: 5, policy: 'drop' } })
    const own = b.spawn(async (self) => void (await self.receive('never')), { mailbox: { limit: 7 } })
    const nodes = b.spawn(async (self) => void (await self.receive('never')))
    for (let i = 0; i < 20; i++) for (const pid of [own, nodes]) b.send(pid, i)
    expect([own, nodes].map((pid) => b.processInfo(pid)?.messageQueueLength)).toEqual([7, 5])
  })
})

describe('a crash report', () => {
  it('has one shape, and holds no message', async () => {
    const pid = node.spawn(
      handler((self) => {
        self.link(node.self.pid)
        return () => {
          throw new RangeError('broken')
        }
      }),
      { name: 'breaker', label: 'a test' },
    )
    node.send(pid, { type: 'work', secret: 'payload' })
    node.send(pid, 'more')
    await cluster.settle()
    expect(reports('crash')).toMatchObject([
      {
        level: 'error',
        message: `process ${pid} crashed: RangeError: broken`,
        fields: {
          report: 'crash',
          node: node.name,
          pid: pid.toString(),
          registeredName: 'breaker',
          label: 'a test',
          reason: { name: 'RangeError', message: 'broken', stack: expect.any(String) },
          messageQueueLength: 1,
          links: 1,
        },
      },
    ])
    expect(JSON.stringify(reports('crash'))).not.toContain('payload')
  })

  it('that the logger cannot write harms nothing', async () => {
    const broken = (): never => {
      throw new Error('the disk is full')
    }
    const logger = { debug: broken, info: broken, warn: broken, error: broken, child: () => logger }
    const faults = await faultsOf(async () => {
      const mute = await cluster.start('mute', { logger })
      const pid = mute.spawn(() => {
        throw new Error('crash')
      })
      await cluster.settle()
      expect(mute.isProcessAlive(pid)).toBe(false)
    })
    expect(faults).toEqual([])
  })
})
