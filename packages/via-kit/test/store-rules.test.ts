/**
 * PURPOSE: the rules for drivers of a store hold for a right one, and each mistake that one is likely to make is noticed.
 */
import type { Answer, LocationRow, TakenLocation } from '@pidmesh/via-kit'
import { FakeServer, FakeStore, standstillRules, storeRules } from '@pidmesh/via-kit/testing'
import { VirtualClock } from '@pidmesh/runtime/testing'
import { describe, expect, it } from 'vitest'

class Store extends FakeStore {
  override readonly ttlMs: number = 1_000
  override readonly timeoutMs: number = 300
}

class NeverOver extends Store {
  override put(rows: readonly LocationRow[]): Promise<readonly Answer<boolean>[]> {
    this.keepAll()
    return super.put(rows)
  }

  override find(names: readonly string[]): Promise<readonly Answer<Uint8Array | undefined>[]> {
    this.keepAll()
    return super.find(names)
  }

  private keepAll(): void {
    for (const [name, row] of this.server.rows) this.server.rows.set(name, { ...row, untilMs: Infinity })
  }
}

class ReleasesAll extends Store {
  override release(rows: readonly LocationRow[]): Promise<readonly Answer<true>[]> {
    for (const { name } of rows) this.server.rows.delete(name)
    return super.release(rows)
  }
}

class ReleasesNothing extends Store {
  override async release(rows: readonly LocationRow[]): Promise<readonly Answer<true>[]> {
    return rows.map(() => true)
  }
}

class Steals extends Store {
  override async put(rows: readonly LocationRow[]): Promise<readonly Answer<boolean>[]> {
    await super.take(rows)
    return rows.map(() => true)
  }
}

class SameEpoch extends Store {
  override async take(rows: readonly LocationRow[]): Promise<readonly Answer<TakenLocation>[]> {
    return (await super.take(rows)).map((answer) => ('former' in answer ? { ...answer, epoch: 1 } : answer))
  }
}

class ForgetsFormer extends Store {
  override async take(rows: readonly LocationRow[]): Promise<readonly Answer<TakenLocation>[]> {
    return (await super.take(rows)).map((answer) => ('former' in answer ? { ...answer, former: undefined } : answer))
  }
}

class AnswersInAnyOrder extends Store {
  override async find(names: readonly string[]): Promise<readonly Answer<Uint8Array | undefined>[]> {
    return (await super.find(names)).filter((value) => value !== undefined)
  }
}

class FoldsCase extends Store {
  override put(rows: readonly LocationRow[]): Promise<readonly Answer<boolean>[]> {
    return super.put(rows.map((row) => ({ ...row, name: row.name.toLowerCase() })))
  }
}

class RefreshesOnRefusal extends Store {
  override async put(rows: readonly LocationRow[]): Promise<readonly Answer<boolean>[]> {
    const answers = await super.put(rows)
    for (const { name } of rows) {
      const row = this.server.rowOf(name)
      if (row !== undefined)
        this.server.rows.set(name, { ...row, untilMs: this.server.clock.monotonicMs() + this.ttlMs })
    }
    return answers
  }
}

class StartsTwice extends Store {
  override async start(): Promise<void> {
    await super.start().catch(() => undefined)
  }
}

/** However late it is asked. */
class WritesLate extends Store {
  override put(rows: readonly LocationRow[]): Promise<readonly Answer<boolean>[]> {
    return this.server.ask(() => rows.map(({ name, owner, value }) => this.written({ name, owner, value })))
  }

  private written({ name, owner, value }: LocationRow): boolean {
    const known = this.server.rowOf(name)
    if (known !== undefined && known.owner !== owner) return false
    this.server.rows.set(name, { owner, value, epoch: 1, untilMs: this.server.clock.monotonicMs() + this.ttlMs })
    return true
  }
}

/** The rules that it breaks. */
async function brokenBy(kind: typeof Store): Promise<readonly string[]> {
  const broken: string[] = []
  for (const { rule, check } of [...storeRules, ...standstillRules]) {
    const clock = new VirtualClock()
    const server = new FakeServer(clock)
    const store = new kind(server)
    const pass = (ms: number): Promise<void> => new Promise((resolve) => clock.setTimer(ms, resolve))
    const lab = { store, pass, standStill: () => server.standStill() }
    let isDone = false
    const played = store
      .start()
      .then(() => check(lab))
      .catch(() => broken.push(rule))
      .finally(() => (isDone = true))
    while (!isDone) {
      await new Promise((resolve) => setImmediate(resolve))
      clock.fireNext(Infinity)
    }
    await played
  }
  return broken
}

describe('the rules for a store', () => {
  it('hold for one without mistakes', async () => {
    expect(await brokenBy(Store)).toEqual([])
  })

  it.each([
    NeverOver,
    ReleasesAll,
    ReleasesNothing,
    Steals,
    SameEpoch,
    ForgetsFormer,
    AnswersInAnyOrder,
    FoldsCase,
    RefreshesOnRefusal,
    StartsTwice,
    WritesLate,
  ])('notice the mistake of %o', async (kind) => {
    expect((await brokenBy(kind)).length).toBeGreaterThan(0)
  })

  it('want a time to live that can be waited for', async () => {
    const store = Object.assign(new FakeStore(new FakeServer(new VirtualClock())), { ttlMs: 30_000 })
    await expect(storeRules[0]?.check({ store })).rejects.toThrow('want a store with a ttlMs')
    const server = new FakeServer(new VirtualClock())
    const lab = { store: new FakeStore(server), standStill: () => server.standStill() }
    const slow = Object.assign(lab.store, { ttlMs: 2_000, timeoutMs: 700 })
    await expect(standstillRules[0]?.check({ ...lab, store: slow })).rejects.toThrow('wants a store with a timeoutMs')
  })
})
