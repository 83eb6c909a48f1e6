/**
 * PURPOSE: whatever the parts of a store do, and wherever keys go: of one key what was asked first is carried out first, nothing waits for longer than two calls take, and no more than may.
 *
 *   PIDMESH_SEED=7 PIDMESH_HISTORIES=1000 npx vitest run --project unit packages/via-kit/test/batches.test.ts
 */
import { StoreError } from '@pidmesh/via-kit'
import { seededRandom, TestCluster } from '@pidmesh/runtime/testing'
import { describe, expect, it } from 'vitest'
import { BatchQueue } from '../src/batch-queue.ts'
import { Batches } from '../src/batches.ts'

const SEED = Number(process.env['PIDMESH_SEED'] ?? 1)
const HISTORIES = Number(process.env['PIDMESH_HISTORIES'] ?? 100)
const STEPS = 100
const CALL_MS = 1_000
/** Of a part that answers, and has more to do than it can. */
const SLOW_MS = 800
const MAX_WAITING = 20
const KEYS = ['a', 'b', 'c', 'd']

interface Item {
  readonly key: string
  readonly number: number
}

type Run = (kind: string, items: readonly Item[], part: string) => Promise<readonly string[]>

interface Lab {
  readonly cluster: TestCluster
  readonly batches: Batches<string, Item, string>
  /** Where keys are; elsewhere they are in `x`. */
  readonly places: Map<string, string>
}

function lab(run: (lab: Lab) => Run): Lab {
  const cluster = new TestCluster({ seed: 1 })
  const places = new Map<string, string>()
  const batches = new Batches<string, Item, string>({
    clock: cluster.clock,
    batchSize: 3,
    keyOf: ({ key }) => key,
    partOf: (key) => places.get(key) ?? 'x',
    maxWaiting: MAX_WAITING,
    maxWaitMs: CALL_MS,
    run: (kind, items, part) => runNow(kind, items, part),
  })
  const made: Lab = { cluster, batches, places }
  const runNow = run(made)
  return made
}

function takes({ cluster }: Lab, ms: number): Promise<void> {
  return new Promise((resolve) => cluster.clock.setTimer(ms, resolve))
}

describe('a key that goes to another part', () => {
  /** Its part, `x`, is slow, and has something to do. */
  function busyLab(): Lab & { readonly asked: string[]; readonly add: (kind: string, number: number) => void } {
    const asked: string[] = []
    const made = lab((one) => async (kind, items, part) => {
      for (const { key, number } of items) if (key === 'a') asked.push(`${kind} ${number} ${part}`)
      await takes(one, part === 'x' ? SLOW_MS : 1)
      return items.map(() => kind)
    })
    const { batches } = made
    const add = (kind: string, number: number): void => {
      batches.add(kind, { key: 'a', number }).catch((error: unknown) => asked.push(`${number} ${String(error)}`))
    }
    for (let n = 0; n < 5; n++) void batches.add('put', { key: 'busy', number: n }, 'always')
    return { ...made, asked, add }
  }

  it('is asked for there as soon as nothing of it is under way here, in order, though calls of it come without a pause', async () => {
    const { cluster, batches, places, asked, add } = busyLab()
    add('put', 1)
    await cluster.advance(1)
    expect(asked).toEqual([])
    await cluster.advance(SLOW_MS)
    expect(asked).toEqual(['put 1 x'])
    places.set('a', 'y')
    add('put', 2)
    add('find', 3)
    await cluster.advance(SLOW_MS / 2)
    add('put', 4)
    expect(asked).toEqual(['put 1 x'])
    await cluster.advance(SLOW_MS / 2 + 10)
    expect(asked).toEqual(['put 1 x', 'put 2 y', 'find 3 y', 'put 4 y'])
    add('put', 5)
    await cluster.advance(10)
    expect(asked.at(-1)).toBe('put 5 y')
    await cluster.run(batches.idle())
    await cluster.stop()
  })

  it('goes there also if no call of it was carried out here in time', async () => {
    const { cluster, batches, places, asked, add } = busyLab()
    for (let n = 0; n < 9; n++) void batches.add('put', { key: 'busy', number: n }, 'always')
    add('put', 1)
    places.set('a', 'y')
    await cluster.advance(1.5 * SLOW_MS)
    add('put', 2)
    await cluster.advance(SLOW_MS / 2 + 10)
    expect(asked).toEqual([expect.stringContaining('1 StoreError'), 'put 2 y'])
    await cluster.run(batches.idle())
    await cluster.stop()
  })

  it('waits within the same bounds, and ends with all others', async () => {
    const { cluster, batches, places, asked, add } = busyLab()
    add('put', 1)
    await cluster.advance(SLOW_MS + 1)
    places.set('a', 'y')
    let idle = 0
    void batches.idle().then(() => idle++)
    for (let n = 2; n < MAX_WAITING + 2; n++) add('put', n)
    await cluster.advance(0)
    // As many wait as may come still.
    expect(batches.size).toBe(MAX_WAITING / 2)
    expect(asked.filter((what) => what.includes('too many calls')).length).toBe(MAX_WAITING / 2)
    batches.reject(new Error('stopped'))
    await cluster.advance(0)
    expect(asked.filter((what) => what.includes('stopped')).length).toBe(MAX_WAITING / 2)
    expect(batches.size).toBe(0)
    expect(idle).toBe(0)
    await cluster.advance(CALL_MS)
    expect(idle).toBe(1)
    await cluster.stop()
  })
})

describe('a queue', () => {
  interface QueueLab {
    readonly cluster: TestCluster
    readonly add: (kind: string, item: Item) => Promise<string>
  }

  function queueLab(batchSize: number, isGone: () => boolean): QueueLab {
    const cluster = new TestCluster({ seed: 1 })
    const queue = new BatchQueue<string, Item, string>({
      clock: cluster.clock,
      batchSize,
      keyOf: ({ key }) => key,
      run: (kind, items) => Promise.resolve(items.map(() => kind)),
      isGone,
      onGone: () => undefined,
      onIdle: () => undefined,
    })
    const add = (kind: string, item: Item): Promise<string> =>
      new Promise((resolve, reject) => queue.push({ kind, item, untilMs: Infinity, resolve, reject }))
    return { cluster, add }
  }

  it('goes on however many of another kind wait behind the first one', async () => {
    const { cluster, add } = queueLab(1_000, () => false)
    const put = add('put', { key: 'put', number: 0 })
    const releases = Array.from({ length: 200_000 }, (_, number) => add('release', { key: `${number}`, number }))
    const answers = await cluster.run(Promise.all([put, ...releases]))
    expect([answers[0], new Set(answers).size, answers.length]).toEqual(['put', 2, 200_001])
    await cluster.stop()
  })

  it('that can not go on tells all who wait, and takes what comes later', async () => {
    let isBroken = true
    const { cluster, add } = queueLab(1, () => {
      if (isBroken) throw new Error('nobody knows where it is')
      return false
    })
    const [first, second] = [add('put', { key: 'a', number: 1 }), add('put', { key: 'b', number: 2 })]
    await expect(cluster.run(Promise.allSettled([first, second]))).resolves.toEqual([
      { status: 'fulfilled', value: 'put' },
      { status: 'rejected', reason: new Error('nobody knows where it is') },
    ])
    isBroken = false
    expect(await cluster.run(add('put', { key: 'b', number: 3 }))).toBe('put')
    await cluster.stop()
  })
})

async function play(seed: number): Promise<readonly string[]> {
  const random = seededRandom(seed)
  const chance = (): number => random.fraction()
  const pick = <T>(all: readonly T[]): T => all[Math.floor(chance() * all.length)] as T
  const problems: string[] = []
  const begun = new Map<string, number>()
  const underWay = new Set<string>()
  let patient = 0
  const { cluster, batches, places } = lab((one) => async (_kind, items) => {
    const keys = new Set(items.map(({ key }) => key))
    for (const key of keys) {
      if (underWay.has(key)) problems.push(`${key} is under way twice`)
      underWay.add(key)
    }
    for (const { key, number } of items) {
      if ((begun.get(key) ?? -1) >= number) problems.push(`${key}: ${number} comes after ${begun.get(key)}`)
      begun.set(key, number)
    }
    await takes(one, pick([1, 1, 100, CALL_MS]))
    for (const key of keys) underWay.delete(key)
    if (chance() < 0.2) throw new StoreError('ERR_STORE_UNAVAILABLE', 'it is away')
    return items.map(({ key, number }) => `${key}${number}`)
  })
  const { clock } = cluster
  let open = 0
  const add = (item: Item, when?: 'always'): void => {
    const startMs = clock.monotonicMs()
    open++
    if (when === undefined) patient++
    batches
      .add(pick(['put', 'find']), item, when)
      .then((answer) => {
        if (answer !== `${item.key}${item.number}`) problems.push(`${item.key}${item.number} is answered ${answer}`)
      })
      .catch((error: unknown) => {
        if (!(error instanceof StoreError)) problems.push(String(error))
      })
      .finally(() => {
        open--
        if (when === undefined) patient--
        const tookMs = clock.monotonicMs() - startMs
        if (when === undefined && tookMs > 2 * CALL_MS) problems.push(`a call has taken ${tookMs} ms`)
      })
  }
  for (let step = 0; step < STEPS; step++) {
    const calls = Math.floor(chance() * 6)
    for (let call = 0; call < calls; call++)
      add({ key: pick(KEYS), number: step * 10 + call }, chance() < 0.2 ? 'always' : undefined)
    if (chance() < 0.3) places.set(pick(KEYS), pick(['x', 'y', 'z']))
    await cluster.advance(pick([0, 1, 50, 300]))
    // Those that wait, and a batch in each part.
    if (patient > MAX_WAITING + 3 * 3) problems.push(`${patient} calls`)
  }
  await cluster.run(batches.idle())
  if (open + batches.size > 0) problems.push(`${open} calls are not settled, and ${batches.size} wait`)
  await cluster.stop()
  return problems
}

it(
  `in ${HISTORIES} histories from seed ${SEED} calls of a key are in order, and in time, wherever it goes`,
  { timeout: 600_000 },
  async () => {
    for (let history = 0; history < HISTORIES; history++)
      expect(await play(SEED * 10_000 + history), `history ${history}: PIDMESH_SEED=${SEED}`).toEqual([])
  },
)
