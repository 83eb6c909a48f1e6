import { afterEach, describe, expect, it } from 'vitest'
import { BrokerFault } from '../src/broker-fault.ts'
import type { FetchedPartition } from '../src/broker-link.ts'
import type { TopicView } from '../src/cluster.ts'
import { checkOptions, type Address } from '../src/options.ts'
import { TopicReader, type Places } from '../src/topic-reader.ts'

const A: Address = { host: 'a', port: 1 }
const B: Address = { host: 'b', port: 1 }
type Leaders = readonly (Address | undefined)[]
type Batches = NonNullable<FetchedPartition['records']>
type Given = readonly FetchedPartition[] | BrokerFault
type Answer = () => Given | Promise<Given>

function viewOf(id: string, leaders: Leaders): TopicView {
  const known = [...leaders.entries()].filter((each): each is [number, Address] => each[1] !== undefined)
  return { id, partitions: leaders.length, leaders: new Map(known) }
}

function batch(firstOffset: bigint, values: readonly string[], attributes = 0): Batches[number] {
  const records = values.map((value, offsetDelta) => ({
    length: 0,
    attributes: 0,
    timestampDelta: 0n,
    offsetDelta,
    key: null,
    value: Buffer.from(value),
    headers: [],
  }))
  const rest = { length: 0, partitionLeaderEpoch: 0, magic: 2, crc: 0, firstTimestamp: 0n, maxTimestamp: 0n }
  const by = { producerId: -1n, producerEpoch: 0, firstSequence: 0 }
  return { firstOffset, attributes, lastOffsetDelta: values.length - 1, records, ...rest, ...by }
}

function part(partitionIndex: number, errorCode: number, records: Batches = []): FetchedPartition {
  const ends = { highWatermark: 0n, lastStableOffset: 0n, logStartOffset: 0n }
  return { partitionIndex, errorCode, ...ends, abortedTransactions: null, preferredReadReplica: -1, records }
}

/** Brokers that answer what the test says, in order, and nothing more then. */
class FakePlaces implements Places {
  readonly ending: AbortController = new AbortController()
  readonly signal: AbortSignal = this.ending.signal
  readonly asked: {
    readonly host: string
    readonly topicId: string
    readonly positions: readonly [number, bigint][]
  }[] = []
  readonly ends = new Map<number, bigint>()
  readonly answers = new Map<Address, Answer[]>([
    [A, []],
    [B, []],
  ])
  readonly dropped: string[] = []
  /** By which a leader says late where its partitions end. */
  lateEnds: ((end: bigint) => void) | undefined
  silent: Address | undefined
  view: TopicView | undefined
  next: TopicView | undefined
  refreshes = 0

  constructor(view: TopicView) {
    this.view = view
    this.next = view
  }

  async link({ host }: Address): ReturnType<Places['link']> {
    const address = host === 'a' ? A : B
    const fetch: Fetch = async (topicId, positions) => {
      this.asked.push({ host, topicId, positions: [...positions] })
      const answer = this.answers.get(address)?.shift()
      if (answer === undefined) return this.nothing()
      const given = await answer()
      if (given instanceof BrokerFault) throw given
      return given
    }
    return { ends: address === this.silent ? this.endsLate : this.endsOf, fetch }
  }

  drop({ host }: Address): void {
    this.dropped.push(host)
  }

  async tryRefresh(): Promise<void> {
    this.refreshes += 1
    this.view = this.next
  }

  private readonly endsOf = async (_: string, partitions: readonly number[]): Promise<ReadonlyMap<number, bigint>> =>
    new Map(partitions.map((partition) => [partition, this.ends.get(partition) ?? 0n]))

  private readonly endsLate = (_: string, partitions: readonly number[]): Promise<ReadonlyMap<number, bigint>> =>
    new Promise((resolve) => {
      this.lateEnds = (end) => resolve(new Map(partitions.map((partition) => [partition, end])))
    })

  /** As a broker that has nothing for a while. */
  private nothing(): Promise<readonly FetchedPartition[]> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => resolve([]), 20)
      this.signal.addEventListener('abort', () => {
        clearTimeout(timer)
        resolve([])
      })
    })
  }
}

type Fetch = (topicId: string, positions: ReadonlyMap<number, bigint>) => Promise<readonly FetchedPartition[]>

const running: { readonly reader: TopicReader; readonly places: FakePlaces }[] = []

afterEach(async () => {
  for (const { reader, places } of running.splice(0)) {
    places.ending.abort()
    await reader.stop()
  }
})

async function start(places: FakePlaces): Promise<{ readonly reader: TopicReader; readonly got: string[] }> {
  const got: string[] = []
  const reader = new TopicReader(checkOptions({ brokers: ['a:1'] }), places, (bytes) =>
    got.push(Buffer.from(bytes).toString()),
  )
  if (places.view !== undefined) await reader.findPositions(places.view)
  reader.run()
  running.push({ reader, places })
  return { reader, got }
}

describe('a reader', () => {
  it('begins where each partition ends, and asks each leader for its own', async () => {
    const places = new FakePlaces(viewOf('1', [A, B, A]))
    for (const partition of [0, 1, 2]) places.ends.set(partition, BigInt(partition + 5))
    await start(places)
    await expect.poll(() => places.asked.length).toBeGreaterThan(1)
    expect(places.asked.find(({ host }) => host === 'a')?.positions).toEqual([
      [0, 5n],
      [2, 7n],
    ])
    expect(places.asked.find(({ host }) => host === 'b')?.positions).toEqual([[1, 6n]])
  })

  it('gives out nothing before its position, and nothing twice', async () => {
    const places = new FakePlaces(viewOf('1', [A]))
    places.ends.set(0, 6n)
    const answer: Answer = () => [part(0, 0, [batch(5n, ['5', '6', '7']), batch(8n, ['8'])])]
    places.answers.set(A, [answer, answer])
    const { got } = await start(places)
    await expect.poll(() => places.asked.length).toBeGreaterThan(2)
    expect(got).toEqual(['6', '7', '8'])
    expect(places.asked[2]?.positions).toEqual([[0, 9n]])
  })

  it('passes over what transactions have left, what was taken out of a batch, and what has no value', async () => {
    const places = new FakePlaces(viewOf('1', [A]))
    const thinned = { ...batch(1n, ['1', '2', '3']), records: batch(1n, ['1']).records }
    const nothing = { ...batch(4n, ['4']), records: batch(4n, ['4']).records.map((each) => ({ ...each, value: null })) }
    places.answers.set(A, [() => [part(0, 0, [batch(0n, ['control'], 0x20), thinned, nothing])]])
    const { got } = await start(places)
    await expect.poll(() => places.asked.at(-1)?.positions).toEqual([[0, 5n]])
    expect(got).toEqual(['1'])
  })

  it('goes on where it was after a broker was away, and does not ask all the time', async () => {
    const places = new FakePlaces(viewOf('1', [A]))
    const away: Answer = () => new BrokerFault('away', 'closed')
    places.answers.set(A, [() => [part(0, 0, [batch(0n, ['0'])])], away, away, () => [part(0, 0, [batch(1n, ['1'])])]])
    const at = performance.now()
    const { reader, got } = await start(places)
    await expect.poll(() => reader.fault?.kind).toBe('away')
    await expect.poll(() => got).toEqual(['0', '1'])
    expect(performance.now() - at).toBeGreaterThan(190)
    await expect.poll(() => reader.fault).toBeUndefined()
  })

  it('goes where the leader has gone, at the same position, and leaves where there is none', async () => {
    const places = new FakePlaces(viewOf('1', [A]))
    places.ends.set(0, 3n)
    places.answers.set(A, [() => [part(0, 6)]])
    places.next = viewOf('1', [B])
    places.answers.set(B, [() => [part(0, 0, [batch(3n, ['3'])])]])
    const { reader, got } = await start(places)
    await expect.poll(() => got).toEqual(['3'])
    // Also of what was wrong there nothing is left.
    expect(reader.fault).toBeUndefined()
    expect(places.dropped).toEqual(['a'])
    expect(places.asked.filter(({ host }) => host === 'a').length).toBe(1)
  })

  it('goes where the leader has gone while the former one does not answer, and takes no position from it that comes late', async () => {
    const places = new FakePlaces(viewOf('1', [A]))
    places.answers.set(A, [() => [part(0, 1)]])
    places.answers.set(B, [() => [part(0, 0, [batch(7n, ['7'])])]])
    const { got } = await start(places)
    places.silent = A
    places.ends.set(0, 7n)
    places.next = viewOf('1', [B])
    // Sooner than it looks for what has changed though all answer.
    await expect.poll(() => got, { timeout: 5_000 }).toEqual(['7'])
    places.lateEnds?.(3n)
    const asked = places.asked.length
    await expect.poll(() => places.asked.length).toBeGreaterThan(asked + 1)
    expect(places.asked.at(-1)).toMatchObject({ host: 'b', positions: [[0, 8n]] })
  })

  it('says of a partition without a leader that nothing comes of it, until it has one', async () => {
    const places = new FakePlaces(viewOf('1', [A, B]))
    places.next = viewOf('1', [A, undefined])
    places.answers.set(B, [() => [part(1, 6)]])
    const { reader } = await start(places)
    await expect.poll(() => [reader.fault?.kind, reader.fault?.message]).toEqual(['moved', 'a partition has no leader'])
    places.next = viewOf('1', [A, A])
    await expect.poll(() => reader.fault, { timeout: 5_000 }).toBeUndefined()
  })

  it('gives out what has come of other partitions if one has failed', async () => {
    const places = new FakePlaces(viewOf('1', [A, A]))
    places.answers.set(A, [() => [part(0, 6), part(1, 0, [batch(0n, ['of 1'])])]])
    const { got } = await start(places)
    await expect.poll(() => got).toEqual(['of 1'])
    expect(places.asked.length).toBe(1)
  })

  it('goes on from now where the broker does not have its position, and there only', async () => {
    const places = new FakePlaces(viewOf('1', [A, A]))
    places.ends.set(0, 50n).set(1, 50n)
    places.answers.set(A, [
      () => {
        places.ends.set(0, 7n)
        return [part(0, 1)]
      },
    ])
    await start(places)
    await expect
      .poll(() => places.asked.at(-1)?.positions)
      .toEqual([
        [0, 7n],
        [1, 50n],
      ])
  })

  it('goes on from now after what it can’t read', async () => {
    const places = new FakePlaces(viewOf('1', [A]))
    places.answers.set(A, [
      () => {
        places.ends.set(0, 9n)
        return new BrokerFault('unreadable', 'zstd')
      },
    ])
    await start(places)
    await expect.poll(() => places.asked.at(-1)?.positions).toEqual([[0, 9n]])
  })

  it('reads partitions that were added from their beginning', async () => {
    const places = new FakePlaces(viewOf('1', [A]))
    places.ends.set(0, 5n).set(1, 5n)
    places.next = viewOf('1', [A, A])
    places.answers.set(A, [() => new BrokerFault('moved', 'anything')])
    await start(places)
    await expect
      .poll(() => places.asked.at(-1)?.positions)
      .toEqual([
        [0, 5n],
        [1, 0n],
      ])
  })

  it('reads a topic that was made again from its beginning, and nothing that still comes of the former one', async () => {
    const places = new FakePlaces(viewOf('1', [A]))
    places.ends.set(0, 5n)
    places.next = undefined
    places.answers.set(A, [() => [part(0, 100)]])
    const { reader, got } = await start(places)
    await expect.poll(() => reader.fault?.kind).toBe('no-topic')
    places.next = viewOf('2', [A])
    places.answers.set(A, [() => [part(0, 0, [batch(0n, ['0'])])]])
    await expect.poll(() => got, { timeout: 5_000 }).toEqual(['0'])
    expect(places.asked.at(-1)).toMatchObject({ topicId: '2' })
    expect(reader.fault).toBeUndefined()
  })

  it.each([
    { what: 'messages', late: part(0, 0, [batch(5n, ['former'])]) },
    { what: 'that it has no such position', late: part(0, 1) },
  ])('takes nothing that still comes of a topic that was made again: $what', async ({ late }) => {
    const places = new FakePlaces(viewOf('1', [A, B]))
    const held = hold([late])
    places.ends.set(0, 5n).set(1, 5n)
    places.next = viewOf('2', [A, B])
    places.answers.set(A, [held.answer])
    // Which has heard of it first.
    places.answers.set(B, [() => [part(1, 100)]])
    const { got } = await start(places)
    await expect.poll(() => places.asked.at(-1)).toMatchObject({ host: 'b', topicId: '2' })
    held.come()
    await expect.poll(() => positionsOf(places, A).length).toBeGreaterThan(1)
    expect(positionsOf(places, A)[1]).toEqual([[0, 0n]])
    expect(got).toEqual([])
  })

  it('gives out nothing that comes after its end', async () => {
    const places = new FakePlaces(viewOf('1', [A]))
    const held = hold([part(0, 0, [batch(0n, ['0'])])])
    places.answers.set(A, [held.answer])
    const { reader, got } = await start(places)
    await expect.poll(() => places.asked.length).toBe(1)
    places.ending.abort()
    held.come()
    await reader.stop()
    expect(got).toEqual([])
  })
})

/** An answer that comes when the test says so. */
function hold(given: Given): { readonly answer: Answer; readonly come: () => void } {
  let come = (): void => undefined
  const coming = new Promise<Given>((resolve) => (come = () => resolve(given)))
  return { answer: () => coming, come: () => come() }
}

function positionsOf({ asked }: FakePlaces, { host }: Address): (readonly [number, bigint][])[] {
  return asked.filter((each) => each.host === host).map(({ positions }) => positions)
}
