/**
 * A file of addresses and a source that is asked, with a file and a clock that do what the test says. The real file: test/system/watched-file.test.ts.
 */
import { MemoryLogger, VirtualClock } from '@pidmesh/runtime/testing'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { addressFile, parseAddressLines } from '../../src/discovery/address-file.ts'

/** What the file holds, or why it can't be read. */
let content: string | Error
let reads: number
/** Reads that are answered only when the test says so. */
let held: Array<() => void> | undefined
let wake: () => void
/** Watches that there are, and that there ever were. */
let watches: number
let laid: number
let clock: VirtualClock
let log: MemoryLogger
/** What chance says, from 0 to 1. */
let chance: number
let lists: Array<readonly string[]>
let onFound: () => void
let stop: () => void = () => undefined

beforeEach(() => {
  reads = 0
  watches = 0
  laid = 0
  held = undefined
  chance = 0.5
  onFound = () => undefined
  clock = new VirtualClock()
  log = new MemoryLogger()
  lists = []
})

function begin(first: string | Error): void {
  content = first
  const file = {
    path: 'nodes',
    read: async () => {
      reads++
      const read = content
      if (held !== undefined) await new Promise<void>((resolve) => held?.push(resolve))
      if (read instanceof Error) throw read
      return read
    },
    watch: (onChange: () => void) => {
      watches++
      laid++
      wake = onChange
      return () => {
        watches--
      }
    },
  }
  const random = { bytes: (length: number) => new Uint8Array(length), fraction: () => chance }
  const found = (addresses: readonly string[]): void => {
    lists.push(addresses)
    onFound()
  }
  stop = addressFile(file, 5_000).start(found, { clock, random, log })
}

afterEach(() => {
  stop()
  stop = () => undefined
  expect(clock.fireNext(Infinity), 'a timer is left').toBe(false)
  expect(watches).toBe(0)
})

async function microtasks(): Promise<void> {
  await new Promise((resolve) => {
    setImmediate(resolve)
  })
}

async function advance(ms: number): Promise<void> {
  const endMs = clock.monotonicMs() + ms
  do await microtasks()
  while (clock.fireNext(endMs))
  clock.passTo(endMs)
}

const messages = (): string[] => log.lines.map(({ message }) => message)

describe('a file of addresses', () => {
  it('may come later: that it is missing is logged once, and once that it is there', async () => {
    begin(new Error('ENOENT'))
    await advance(60_000)
    expect([reads, lists, messages()]).toEqual([13, [], ['discovery fails; what it has found stays']])
    content = 'b:7001\n'
    await advance(5_200)
    expect(lists.at(-1)).toEqual(['b:7001'])
    expect(messages().slice(1)).toEqual(['discovery works again'])
  })

  it('keeps what it listed when it is gone or can not be read, and lists nobody when it is empty', async () => {
    begin('b:7001\n')
    await advance(200)
    content = new Error('EIO')
    await advance(20_000)
    expect(lists.every((list) => list.length === 1)).toBe(true)
    content = ''
    await advance(10_000)
    expect(lists.at(-1)).toEqual([])
  })

  it('that is half written is not taken for the whole', async () => {
    begin('b:7001\nc:7')
    await advance(50)
    content = 'b:7001\nc:7001\n'
    await advance(1_000)
    expect(lists).toEqual([['b:7001', 'c:7001']])
  })

  it('is looked at soon after a change is told, once for a burst of them, and otherwise at intervals', async () => {
    begin('b:7001')
    await advance(200)
    const before = reads
    await advance(5_000)
    expect(reads).toBe(before + 1)
    content = 'c:7001'
    for (let i = 0; i < 100; i++) wake()
    await advance(250)
    expect(lists.at(-1)).toEqual(['c:7001'])
    expect(reads).toBe(before + 3)
    // What was watched may be another by now.
    expect(laid).toBe(reads)
    await advance(4_800)
    expect(reads).toBe(before + 3)
  })

  it('is looked at soon, however often changes are told: those of other files in its folder are, too', async () => {
    begin('b:7001')
    await advance(200)
    content = 'c:7001'
    for (let told = 0; told < 50; told++) {
      wake()
      await advance(10)
    }
    expect(lists.at(-1)).toEqual(['c:7001'])
  })

  it.each([
    [0, 3_750],
    [1, 6_250],
  ])(
    'is looked at again after the interval, or up to a quarter less or more, as chance says: at %s after %s ms',
    async (fraction, afterMs) => {
      chance = fraction
      begin('b:7001')
      await advance(100)
      const before = reads
      await advance(afterMs - 1)
      expect(reads).toBe(before)
      await advance(1)
      expect(reads).toBe(before + 1)
    },
  )

  it('is looked at soon after a change that is told while it can not be read', async () => {
    held = []
    begin(new Error('ENOENT'))
    await advance(50)
    wake()
    const [first] = held
    held = undefined
    content = 'b:7001'
    first?.()
    await advance(250)
    expect(lists).toEqual([['b:7001']])
  })

  it('may be done with while it tells what it lists', async () => {
    begin('b:7001')
    onFound = () => stop()
    await advance(60_000)
    expect([reads, lists]).toEqual([2, [['b:7001']]])
  })

  it('is read by one reader at a time, however long that takes and whatever is told meanwhile', async () => {
    begin('b:7001')
    await advance(200)
    held = []
    wake()
    await advance(60_000)
    wake()
    await advance(60_000)
    expect(held).toHaveLength(1)
    const [first] = held
    held = undefined
    content = 'c:7001'
    first?.()
    await advance(300)
    expect(lists.at(-1)).toEqual(['c:7001'])
  })

  it('tells nothing after its end, a read that was under way included', async () => {
    begin('b:7001')
    await advance(50)
    held = []
    await advance(100)
    stop()
    for (const answer of held) answer()
    held = undefined
    await advance(60_000)
    wake()
    expect(clock.fireNext(Infinity)).toBe(false)
    expect(lists).toEqual([])
    expect(messages()).toEqual([])
  })

  it('says nothing after its end, of a read that fails then and of a change that is told then', async () => {
    begin('b:7001')
    await advance(200)
    stop()
    wake()
    expect(clock.fireNext(Infinity)).toBe(false)
    held = []
    begin(new Error('ENOENT'))
    stop()
    for (const answer of held) answer()
    await advance(60_000)
    expect(messages()).toEqual([])
  })

  it('with bad lines lists the good ones; the bad are logged with their numbers, once for the same ones', async () => {
    begin('b:7001\nchat2\n\nc:7001\nd:99999\n')
    await advance(60_000)
    expect(lists.at(-1)).toEqual(['b:7001', 'c:7001'])
    const bad = [
      { line: 2, text: '"chat2"' },
      { line: 5, text: '"d:99999"' },
    ]
    expect(log.lines).toMatchObject([{ level: 'warn', fields: { file: 'nodes', lines: bad, count: 2 } }])
    content = 'e:7001\nchat2\n\nc:7001\nd:99999\n'
    await advance(60_000)
    expect(lists.at(-1)).toEqual(['e:7001', 'c:7001'])
    expect(log.lines).toHaveLength(1)
  })

  it('with many bad lines has ten of them in the log, and how many they are; and again when they come again', async () => {
    const bad = 'chat\n'.repeat(25)
    begin(bad)
    for (const text of ['', bad]) {
      await advance(10_000)
      content = text
    }
    await advance(10_000)
    expect(log.lines.map(({ fields }) => fields)).toMatchObject([{ count: 25 }, { count: 25 }])
    for (const { fields } of log.lines) expect(fields['lines']).toHaveLength(10)
  })
})

describe('a line of the file', () => {
  it('is host:port; comments, blank lines, blanks and the ends of lines of other systems are passed over', () => {
    const text = '\uFEFF# nodes\r\n\r\n  10.0.0.1:7001 \r\n[::1]:7001 # here\nchat.mesh:7001'
    expect(parseAddressLines(text)).toEqual({
      addresses: ['10.0.0.1:7001', '[::1]:7001', 'chat.mesh:7001'],
      bad: [],
    })
    expect(parseAddressLines('')).toEqual({ addresses: [], bad: [] })
  })

  it('is bad if it is anything else', () => {
    for (const bad of ['a', 'a:', ':1', 'a:0', 'a:65536', 'a:1 b:2', 'http://a:1', 'a:1,b:2', '\0a:1', '::1:7001'])
      expect(parseAddressLines(`x:1\n${bad}\ny:2`)).toMatchObject({ addresses: ['x:1', 'y:2'], bad: [{ line: 2 }] })
  })
})
