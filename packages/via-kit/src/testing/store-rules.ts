/**
 * The rules that every LocationStore holds, for the test runner of who has made a driver: they stand in location-store.ts. Names are its own, so that the store may be one in use.
 *
 *   for (const { rule, check } of storeRules) it(rule, () => check({ store, pass }))
 *
 * Those of `standstillRules` have the store stand still, for all that use it.
 */
import { deepStrictEqual, ok } from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { StoreError } from '../errors.ts'
import type { Answer, LocationRow, LocationStore, TakenLocation } from '../location-store.ts'

export interface StoreLab {
  /** Started. With a `ttlMs` of 300 to 2,000: the rules wait for the end of it, and must come to it before. */
  readonly store: LocationStore
  /** Lets so much time pass. @default real time */
  readonly pass?: (ms: number) => Promise<void>
}

export interface StoreRule {
  readonly rule: string
  readonly check: (lab: StoreLab) => Promise<void>
}

const LOOKS = 2
const LIMITS = { leastMs: 300, mostMs: 2_000 }

/** Of a store whose `timeoutMs` is a third of its `ttlMs` at most, and so small that it may be waited for. */
export interface StandstillLab extends StoreLab {
  /** Makes the server stand still, or whatever is on the way there: what it is asked it gets, and keeps. @returns lets it go on, with all that it was asked meanwhile */
  readonly standStill: () => () => void
}

export interface StandstillRule {
  readonly rule: string
  readonly check: (lab: StandstillLab) => Promise<void>
}

/** What is done with the store, with names of its own. */
class Play {
  readonly store: LocationStore
  readonly name: string = `rule:${randomUUID()}`
  private readonly lab: StoreLab

  constructor(lab: StoreLab) {
    const { ttlMs } = lab.store
    if (ttlMs < LIMITS.leastMs || ttlMs > LIMITS.mostMs)
      throw new Error(`these rules want a store with a ttlMs of ${LIMITS.leastMs} to ${LIMITS.mostMs}, not ${ttlMs}`)
    this.lab = lab
    this.store = lab.store
  }

  row(owner: string, value = `of ${owner}`, name: string = this.name): LocationRow {
    return { name, owner, value: new Uint8Array(Buffer.from(value)) }
  }

  async put(owner: string, value?: string): Promise<boolean> {
    const [answer] = await this.store.put([this.row(owner, value)])
    return answered(answer)
  }

  async take(owner: string): Promise<TakenLocation> {
    const [answer] = await this.store.take([this.row(owner)])
    return answered(answer)
  }

  async release(owner: string): Promise<void> {
    const [answer] = await this.store.release([this.row(owner)])
    deepStrictEqual(answered(answer), true, 'what is released is answered with true')
  }

  async find(name: string = this.name): Promise<string | undefined> {
    const [answer] = await this.store.find([name])
    return text(answer)
  }

  /** A part of the time to live. */
  pass(part: number): Promise<void> {
    const { pass = inRealTime } = this.lab
    return pass(this.store.ttlMs * part)
  }
}

const rule = (description: string, play: (play: Play) => Promise<void>): StoreRule => ({
  rule: description,
  check: async (lab) => play(new Play(lab)),
})

export const storeRules: readonly StoreRule[] = [
  rule(
    'a name that nobody has is given to who puts it, and found; one that nobody has put is undefined',
    async (play) => {
      deepStrictEqual(await play.find(), undefined)
      deepStrictEqual(await play.put('one'), true)
      deepStrictEqual(await play.find(), 'of one')
    },
  ),
  rule('a put of another owner is refused, and changes nothing', async (play) => {
    await play.put('one')
    deepStrictEqual(await play.put('other'), false)
    deepStrictEqual(await play.find(), 'of one')
  }),
  rule('a put of the same owner changes the value', async (play) => {
    await play.put('one', 'first')
    deepStrictEqual(await play.put('one', 'second'), true)
    deepStrictEqual(await play.find(), 'second')
  }),
  rule('a row whose time is over is none, for find, put and take', async (play) => {
    await play.put('one')
    await play.pass(1.3)
    deepStrictEqual(await play.find(), undefined)
    deepStrictEqual((await play.take('other')).former, undefined)
    await play.pass(1.3)
    deepStrictEqual(await play.put('third'), true)
    deepStrictEqual(await play.find(), 'of third')
  }),
  rule('put and take write the time anew; find does not', async (play) => {
    await play.put('one')
    await play.pass(0.7)
    await play.put('one')
    await play.pass(0.7)
    deepStrictEqual(await play.find(), 'of one')
    await play.take('other')
    await play.pass(0.7)
    deepStrictEqual(await play.find(), 'of other')
    await play.pass(0.6)
    deepStrictEqual(await play.find(), undefined)
  }),
  rule('a put that is refused does not write the time anew', async (play) => {
    await play.put('one')
    await play.pass(0.7)
    await play.put('other')
    await play.pass(0.6)
    deepStrictEqual(await play.find(), undefined)
  }),
  rule('a take gives the name whoever has it, and says what another has had', async (play) => {
    await play.put('one')
    deepStrictEqual(text((await play.take('other')).former), 'of one')
    deepStrictEqual(await play.find(), 'of other')
    deepStrictEqual((await play.take('other')).former, undefined, 'who has it takes it from nobody')
    deepStrictEqual(await play.put('one'), false)
  }),
  rule('each take has a larger epoch', async (play) => {
    const epochs: number[] = []
    for (const owner of ['one', 'other', 'other', 'one']) epochs.push((await play.take(owner)).epoch)
    ok(
      epochs.every((epoch, index) => Number.isSafeInteger(epoch) && epoch > (epochs[index - 1] ?? -Infinity)),
      `epochs do not grow: ${epochs.join(', ')}`,
    )
  }),
  rule('a release removes what is its owner’s, whatever the value, and nothing else', async (play) => {
    await play.put('one')
    await play.release('other')
    deepStrictEqual(await play.find(), 'of one')
    deepStrictEqual((await play.store.release([play.row('one', 'an older value')])).map(answered), [true])
    deepStrictEqual(await play.find(), undefined)
    deepStrictEqual(await play.put('other'), true)
    await play.release('one')
    deepStrictEqual(await play.find(), 'of other')
  }),
  rule('a call may have as many rows as a batch, and answers them in their order', async (play) => {
    const names = Array.from({ length: play.store.batchSize }, (_, n) => `${play.name}:${n}`)
    const rows = names.map((name, n) => play.row(`owner ${n}`, `value ${n}`, name))
    deepStrictEqual(
      (await play.store.put(rows.slice(1))).map(answered),
      rows.slice(1).map(() => true),
    )
    deepStrictEqual((await play.store.find(names)).map(text), [
      undefined,
      ...names.slice(1).map((_, n) => `value ${n + 1}`),
    ])
    const theirs = rows.map((row, n) => (n % 2 === 0 ? row : { ...row, owner: 'somebody else' }))
    deepStrictEqual(
      (await play.store.put(theirs)).map(answered),
      rows.map((_, n) => n % 2 === 0),
    )
    const taken = (await play.store.take(theirs)).map((answer) => text(answered(answer).former))
    deepStrictEqual(
      taken,
      names.map((_, n) => (n % 2 === 0 ? undefined : `value ${n}`)),
    )
    deepStrictEqual(
      (await play.store.release(theirs)).map(answered),
      rows.map(() => true),
    )
    deepStrictEqual(
      (await play.store.find(names)).map(text),
      names.map(() => undefined),
    )
  }),
  rule('the rows of one name in a call are carried out in their order', async (play) => {
    const put = await play.store.put(['one', 'other', 'one'].map((owner) => play.row(owner)))
    deepStrictEqual(put.map(answered), [true, false, true])
    const taken = (await play.store.take(['other', 'one'].map((owner) => play.row(owner)))).map(answered)
    deepStrictEqual(
      taken.map(({ former }) => text(former)),
      ['of one', 'of other'],
    )
    deepStrictEqual(await play.find(), 'of one')
  }),
  rule('of many that put a name at once one has it, and it is found', async (play) => {
    const owners = Array.from({ length: 8 }, (_, n) => `owner ${n}`)
    const given = await Promise.all(owners.map((owner) => play.put(owner)))
    deepStrictEqual(given.filter(Boolean).length, 1)
    deepStrictEqual(await play.find(), `of ${owners[given.indexOf(true)]}`)
  }),
  rule('names are told apart by their bytes, and values are any bytes', async (play) => {
    const names = ['a', 'A', 'ä', 'a\u0308', 'a ', ' a', 'a%20', '*', '\u{1F600}', '{a}b', "a'b"].map(
      (suffix) => `${play.name}${suffix}`,
    )
    const value = Uint8Array.from({ length: 256 }, (_, byte) => byte)
    const rows = names.map((name, n) => ({ name, owner: `owner ${n}`, value }))
    deepStrictEqual(
      (await play.store.put(rows)).map(answered),
      names.map(() => true),
    )
    for (const answer of await play.store.find(names)) deepStrictEqual([...(answered(answer) ?? [])], [...value])
  }),
  rule('a sweep takes away nothing that is alive', async (play) => {
    await play.put('one')
    await play.store.sweep?.()
    deepStrictEqual(await play.find(), 'of one')
  }),
  rule('a second start is refused, and harms nobody', async (play) => {
    await play.put('one')
    const told: unknown = await play.store.start().catch((error: unknown) => error)
    ok(told instanceof StoreError && told.code === 'ERR_ALREADY_STARTED', 'it must be ERR_ALREADY_STARTED')
    deepStrictEqual(await play.find(), 'of one')
  }),
]

export const standstillRules: readonly StandstillRule[] = [
  {
    rule: 'a put and a take that have failed while the store stood still are not carried out when it goes on',
    check: async (lab) => {
      const { store, standStill } = lab
      const { timeoutMs, ttlMs } = store
      if (timeoutMs * 3 > ttlMs)
        throw new Error(`this rule wants a store with a timeoutMs of ${ttlMs / 3} at most, not ${timeoutMs}`)
      const play = new Play(lab)
      const free = `${play.name}:free`
      const row = play.row('late', 'of late', free)
      await play.put('one')
      const goOn = standStill()
      const failed = await Promise.allSettled([
        play.take('late'),
        store.put([row]).then(([answer]) => answered(answer)),
      ])
      goOn()
      deepStrictEqual(
        failed.map(({ status }) => status),
        ['rejected', 'rejected'],
        'the store did not stand still',
      )
      // It may take a moment to come to what it was asked.
      for (let look = 0; look < LOOKS; look++) {
        await play.pass(0.1)
        const found = await store.find([play.name, free]).catch(() => [])
        ok(!found.some((answer) => !(answer instanceof StoreError) && text(answer) === 'of late'), 'it was carried out')
      }
    },
  },
]

/** @throws what is in its place */
function answered<T>(answer: Answer<T> | undefined): T {
  if (answer instanceof StoreError) throw answer
  return answer as T
}

function text(answer: Answer<Uint8Array | undefined>): string | undefined {
  const value = answered(answer)
  return value === undefined ? undefined : Buffer.from(value).toString()
}

function inRealTime(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
