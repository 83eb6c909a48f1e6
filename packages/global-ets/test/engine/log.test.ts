import { describe, expect, it } from 'vitest'
import { KeyWords } from '../../src/engine/key-words.ts'
import { LOG_LIMITS, OwnerLog } from '../../src/engine/log.ts'

const NO_META = new Uint8Array(0)

function logOf(limits: Partial<ConstructorParameters<typeof OwnerLog>[1]> = {}): OwnerLog {
  const log = new OwnerLog(1, { batchBytes: 100, ringBytes: 10_000, ringMs: 1_000, ...limits })
  log.keep()
  return log
}

function put(log: OwnerLog, count: number): void {
  for (let n = 0; n < count; n++) log.put(KeyWords.of(`name ${n}`), 1, 1, NO_META)
}

describe('the log of an owner', () => {
  it('gives what comes after a number, in batches without a gap', () => {
    const log = logOf()
    for (let batch = 0; batch < 5; batch++) {
      put(log, 3)
      log.seal(0)
    }
    let seq = 0
    for (let batch = log.after(seq); batch !== undefined; batch = log.after(seq)) {
      expect(batch.from).toBe(seq + 1)
      seq = batch.to
    }
    expect([seq, log.sealed, log.seq]).toEqual([15, 15, 15])
    expect(log.after(7)).toMatchObject({ from: 7, to: 9 })
    expect(log.covers(0)).toBe(true)
    expect(log.covers(16)).toBe(false)
  })

  it('sends nothing of a batch that is open, and says when that is full', () => {
    const log = logOf()
    put(log, 2)
    expect(log.after(0)).toBeUndefined()
    expect(log.isFull).toBe(false)
    put(log, 20)
    expect(log.isFull).toBe(true)
    log.seal(0)
    expect(log.after(0)).toMatchObject({ from: 1, to: 22 })
  })

  it('counts, and keeps nothing, before there is anybody to send to; what comes then is there without a gap', () => {
    const log = new OwnerLog(1)
    put(log, 5_000)
    expect(log.isFull).toBe(false)
    log.seal(0)
    put(log, 2)
    expect([log.ringBytes, log.seq, log.covers(4_999)]).toEqual([0, 5_002, false])
    log.keep()
    expect([log.sealed, log.covers(5_001), log.covers(5_002)]).toEqual([5_002, false, true])
    put(log, 1)
    log.keep()
    log.seal(0)
    expect(log.after(log.seq - 1)).toMatchObject({ from: 5_003, to: 5_003 })
    expect(log.covers(5_002)).toBe(true)
  })

  it('keeps so many bytes at most, the batches themselves included, and nothing that is older', () => {
    const log = logOf({ ringBytes: 3_000 })
    for (let n = 0; n < 1_000; n++) {
      put(log, 1)
      log.seal(n)
    }
    expect(log.ringBytes).toBeLessThanOrEqual(3_000)
    expect(log.covers(980)).toBe(false)
    expect(log.covers(995)).toBe(true)
    log.seal(5_000)
    expect(log.ringBytes).toBe(0)
    expect(log.covers(999)).toBe(false)
    expect(log.covers(1_000)).toBe(true)
  })
  it('keeps 4 MiB and a minute unless others are set, in batches of 32 KiB', () => {
    expect(LOG_LIMITS).toEqual({ batchBytes: 32 * 1024, ringBytes: 4 * 1024 * 1024, ringMs: 60_000 })
    expect(new OwnerLog(1).limits).toBe(LOG_LIMITS)
  })
})
