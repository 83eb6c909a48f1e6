import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { BrokerFault, type FaultKind } from '../src/broker-fault.ts'
import type { Keyed, Stamp } from '../src/broker-link.ts'
import type { TopicView } from '../src/cluster.ts'
import { checkOptions } from '../src/options.ts'
import { PartitionWriter, type Leaders } from '../src/partition-writer.ts'

const LEADER = { host: 'a', port: 1 }
const viewOf = (id: string): TopicView => ({ id, partitions: 1, leaders: new Map([[0, LEADER]]) })

interface Sent extends Stamp {
  readonly values: readonly string[]
}

/** Answers in the order of `answers`: a fault, nothing at all, or, after the last one, that it has it. */
class FakeLeaders implements Leaders {
  readonly ending: AbortController = new AbortController()
  readonly signal: AbortSignal = this.ending.signal
  readonly sent: Sent[] = []
  answers: (FaultKind | 'silence')[] = []
  view: TopicView | undefined = viewOf('1')
  refreshed: TopicView | undefined = viewOf('1')
  underWay = 0
  mostUnderWay = 0
  closed = 0
  refreshes = 0
  /** What is never answered. */
  hanging: 'leader' | 'newProducerId' | 'tryRefresh' | undefined
  private producers = 0n

  async leader(): ReturnType<Leaders['leader']> {
    await this.answered('leader')
    if (this.view === undefined) throw new BrokerFault('no-topic', 'gone')
    return { produce: this.produce, close: () => this.closed++ }
  }

  async newProducerId(): Promise<bigint> {
    await this.answered('newProducerId')
    return ++this.producers
  }

  async tryRefresh(): Promise<void> {
    this.refreshes += 1
    await this.answered('tryRefresh')
    this.view = this.refreshed
  }

  private async answered(what: FakeLeaders['hanging']): Promise<void> {
    if (what === this.hanging) await new Promise(() => undefined)
  }

  /** What the broker waits for before it answers. */
  hold: Promise<void> = Promise.resolve()

  private readonly produce = async (_: string, __: number, records: readonly Keyed[], stamp: Stamp): Promise<void> => {
    this.underWay += 1
    this.mostUnderWay = Math.max(this.mostUnderWay, this.underWay)
    const { producerId, epoch, sequence } = stamp
    this.sent.push({ producerId, epoch, sequence, values: records.map(({ value }) => value.toString().slice(0, 9)) })
    const answer = this.answers.shift()
    if (answer === 'silence') await new Promise(() => undefined)
    await this.hold
    await new Promise((resolve) => setImmediate(resolve))
    this.underWay -= 1
    if (answer !== undefined && answer !== 'silence') throw new BrokerFault(answer, answer)
  }
}

function make(
  leaders: FakeLeaders,
  timeoutMs = 1_000,
  { partition = 0, lingerMs = 0 } = {},
): { push: (value: string) => Promise<void>; writer: PartitionWriter } {
  const writer = new PartitionWriter(partition, checkOptions({ brokers: ['a:1'], timeoutMs, lingerMs }), leaders)
  return { writer, push: (value) => writer.push(Buffer.from('key'), Buffer.from(value)) }
}

/** The timers go on. */
function stopClock(): { pass: (ms: number) => void } {
  let now = performance.now()
  const clock = vi.spyOn(performance, 'now').mockImplementation(() => now)
  onTestFinished(() => clock.mockRestore())
  return { pass: (ms) => void (now += ms) }
}

describe('a partition’s writer', () => {
  it('sends what is published in one turn together, and what is published meanwhile after it', async () => {
    const leaders = new FakeLeaders()
    const { push } = make(leaders)
    let answer = (): void => undefined
    leaders.hold = new Promise((resolve) => (answer = resolve))
    const first = [push('1'), push('2'), push('3')]
    await Promise.resolve()
    first.push(push('4'))
    await expect.poll(() => leaders.sent.length).toBe(1)
    const second = [push('5'), push('6')]
    answer()
    await Promise.all([...first, ...second])
    await push('7')
    expect(leaders.sent.map(({ values }) => values)).toEqual([['1', '2', '3', '4'], ['5', '6'], ['7']])
    expect(leaders.sent.map(({ sequence }) => sequence)).toEqual([0, 4, 6])
    expect(leaders.mostUnderWay).toBe(1)
  })

  it('sends no more than half a MiB together, and what is larger alone', async () => {
    const leaders = new FakeLeaders()
    const { push } = make(leaders)
    const values = ['a', 'b', 'c', 'd'].map((letter, index) => letter.repeat(index === 2 ? 600_000 : 200_000))
    await Promise.all(values.map(push))
    expect(leaders.sent.map((sent) => sent.values.map(([letter]) => letter))).toEqual([['a', 'b'], ['c'], ['d']])
  })

  it('sends again as it was what has failed in passing', async () => {
    const leaders = new FakeLeaders()
    const { push } = make(leaders)
    leaders.answers = ['moved', 'away']
    await Promise.all([push('1'), push('2')])
    const [first, ...others] = leaders.sent
    expect(others).toEqual([first, first])
    expect(leaders.closed).toBe(1)
    // Another one may lead the partition now.
    expect(leaders.refreshes).toBe(2)
  })

  it('sends nothing before it has lingered for others, and does not when it is stopped', async () => {
    const leaders = new FakeLeaders()
    const { push, writer } = make(leaders, 60_000, { lingerMs: 60_000 })
    const waiting = Promise.allSettled([push('1')])
    for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve))
    leaders.ending.abort()
    await writer.stop()
    expect(await waiting).toMatchObject([{ status: 'rejected', reason: { code: 'ERR_STORE_UNAVAILABLE' } }])
    expect(leaders.sent).toEqual([])
  })

  it.each(['newProducerId', 'leader', 'tryRefresh'] as const)(
    'waits for no longer than its time where nobody answers: %s',
    async (what) => {
      const leaders = new FakeLeaders()
      const { push } = make(leaders, 300)
      leaders.hanging = what
      leaders.answers = ['moved']
      await expect(push('1')).rejects.toMatchObject({ code: 'ERR_STORE_UNAVAILABLE' })
    },
  )

  it('sends nothing to a partition that a topic has no more since it was made again', async () => {
    const leaders = new FakeLeaders()
    const { push } = make(leaders, 1_000, { partition: 1 })
    leaders.answers = ['no-topic']
    leaders.refreshed = viewOf('2')
    await expect(push('1')).rejects.toMatchObject({ code: 'ERR_STORE_UNFIT' })
    expect(leaders.sent).toHaveLength(1)
  })

  it('gives up when the time is over, closes what has not answered, and writes of a later epoch then', async () => {
    const leaders = new FakeLeaders()
    const { push } = make(leaders, 500)
    await push('1')
    leaders.answers = ['silence']
    await expect(push('2')).rejects.toMatchObject({ code: 'ERR_STORE_UNAVAILABLE' })
    expect(leaders.closed).toBe(1)
    await push('3')
    expect(leaders.sent).toEqual([
      { producerId: 1n, epoch: 0, sequence: 0, values: ['1'] },
      { producerId: 1n, epoch: 0, sequence: 1, values: ['2'] },
      { producerId: 1n, epoch: 1, sequence: 0, values: ['3'] },
    ])
  })

  it('does not send again what was given up by a timer that was earlier than the clock', async () => {
    const leaders = new FakeLeaders()
    const { push } = make(leaders, 50)
    stopClock()
    leaders.answers = ['silence']
    await expect(push('1')).rejects.toMatchObject({ code: 'ERR_STORE_UNAVAILABLE' })
    expect(leaders.sent).toHaveLength(1)
  })

  it('calls no message too large that was so together with others, when no time is left to send it without them', async () => {
    const leaders = new FakeLeaders()
    const { push } = make(leaders)
    const clock = stopClock()
    let answer = (): void => undefined
    leaders.hold = new Promise((resolve) => (answer = resolve))
    leaders.answers = ['too-large']
    const both = Promise.allSettled(['1', '2'].map(push))
    await expect.poll(() => leaders.sent.length).toBe(1)
    clock.pass(950)
    answer()
    const [first] = await both
    expect(first).toMatchObject({ status: 'rejected', reason: { code: 'ERR_STORE_UNAVAILABLE' } })
  })

  it('writes of a later epoch if the broker knows one, or misses something', async () => {
    const leaders = new FakeLeaders()
    const { push } = make(leaders)
    await push('1')
    leaders.answers = ['fenced']
    await push('2')
    expect(leaders.sent.map(({ epoch, sequence }) => [epoch, sequence])).toEqual([
      [0, 0],
      [0, 1],
      [1, 0],
    ])
  })

  it('sends half of what is too large together, and refuses what is too large alone', async () => {
    const leaders = new FakeLeaders()
    const { push } = make(leaders)
    leaders.answers = ['too-large', 'too-large']
    const [first, ...others] = ['1', '2', '3'].map(push)
    await expect(Promise.allSettled([first, ...others])).resolves.toMatchObject([
      { status: 'fulfilled' },
      { status: 'fulfilled' },
      { status: 'fulfilled' },
    ])
    expect(leaders.sent.map(({ values }) => values)).toEqual([['1', '2', '3'], ['1', '2'], ['1'], ['2', '3']])
    // Of what is not sent again as it was none is to come late.
    expect(leaders.sent.map(({ epoch, sequence }) => [epoch, sequence])).toEqual([
      [0, 0],
      [1, 0],
      [2, 0],
      [2, 1],
    ])
    leaders.answers = ['too-large']
    await expect(push('4')).rejects.toMatchObject({ code: 'ERR_MESSAGE_TOO_LARGE' })
    await push('5')
  })

  it('refuses at once what there is no topic for, and writes as somebody new when there is one again', async () => {
    const leaders = new FakeLeaders()
    const { push } = make(leaders)
    await push('1')
    leaders.answers = ['no-topic']
    leaders.refreshed = undefined
    await expect(push('2')).rejects.toMatchObject({ code: 'ERR_STORE_UNFIT' })
    await expect(push('3')).rejects.toMatchObject({ code: 'ERR_STORE_UNFIT' })
    leaders.refreshed = viewOf('2')
    await push('4')
    expect(leaders.sent.at(-1)).toEqual({ producerId: 2n, epoch: 0, sequence: 0, values: ['4'] })
  })

  it('rejects all that waits when it is stopped', async () => {
    const leaders = new FakeLeaders()
    const { push, writer } = make(leaders, 60_000)
    leaders.answers = ['moved']
    const waiting = Promise.allSettled([push('1'), push('2')])
    await expect.poll(() => leaders.sent.length).toBe(1)
    leaders.ending.abort()
    await writer.stop()
    expect(await waiting).toMatchObject([
      { status: 'rejected', reason: { code: 'ERR_STORE_UNAVAILABLE' } },
      { status: 'rejected', reason: { code: 'ERR_STORE_UNAVAILABLE' } },
    ])
  })
})
