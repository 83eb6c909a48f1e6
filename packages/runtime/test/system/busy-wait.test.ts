import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { busyWait, involuntarySwitches } from '../../src/system/busy-wait.ts'
import { VirtualClock } from '../../src/testing/virtual-clock.ts'

const LAP_MS = 0.002
const WAIT_MS = 0.4

interface Wait {
  /** How often the core is given to another while it waits, once it has been asked. */
  readonly taken?: number
  /** How often it is asked to wait. */
  readonly times?: number
  /** Laps until what it waits for is there. */
  readonly endsAfter?: number
}

class Machine {
  private readonly clock = new VirtualClock()
  private switches = 0
  private readonly wait = busyWait({ clock: this.clock, involuntarySwitches: () => this.switches })

  /** Waits once, and says for how many laps the event loop goes on turning: each is `LAP_MS` long. */
  laps({ taken = 0, times = 1, endsAfter = Infinity }: Wait = {}): number {
    for (let n = 0; n < times; n++) {
      this.wait.until(this.clock.monotonicMs() + WAIT_MS)
      if (n === 0) this.switches += taken
    }
    let laps = 0
    while (this.clock.fireNext(Infinity)) {
      this.clock.passTo(this.clock.monotonicMs() + LAP_MS)
      laps++
      if (laps === endsAfter) this.wait.end()
    }
    return laps
  }

  /** How many of so many waits were awake. */
  waits(count: number, wait: Wait = {}): number {
    let awake = 0
    for (let n = 0; n < count; n++) if (this.laps(wait) > 0) awake++
    return awake
  }

  /** The core is given to others while nobody waits. */
  take(times: number): void {
    this.switches += times
  }
}

describe('a node that waits awake', () => {
  it('looks again and again until the time that was said, and then sleeps', () => {
    expect(new Machine().laps()).toBeGreaterThan(WAIT_MS / LAP_MS - 5)
  })

  it('sleeps once what it waited for is here, and waits for the next one', () => {
    const machine = new Machine()
    expect(machine.laps({ endsAfter: 10 })).toBe(11)
    expect(machine.laps()).toBeGreaterThan(11)
  })

  it('looks no more often for being asked several times', () => {
    expect(new Machine().laps({ times: 10 })).toBe(new Machine().laps())
  })

  it('does so again, as often as it is asked', () => {
    expect(new Machine().waits(10_000)).toBe(10_000)
  })
})

describe('a node whose core somebody else wants', () => {
  it('sleeps for 1,024 waits after 32 in which the core was taken from it, and tries again', () => {
    const machine = new Machine()
    for (let n = 0; n < 3; n++) {
      expect(machine.waits(32, { taken: 1 })).toBe(32)
      expect(machine.waits(1_024, { taken: 1 })).toBe(0)
    }
  })

  it('finds it after 256 waits if the core was its own until then, and from then on after 32 again', () => {
    const machine = new Machine()
    machine.waits(32)
    expect(machine.waits(256, { taken: 1 })).toBe(256)
    for (let n = 0; n < 2; n++) {
      expect(machine.waits(1_024, { taken: 1 })).toBe(0)
      expect(machine.waits(32, { taken: 1 })).toBe(32)
    }
  })

  it('does so also when what it waits for comes in time', () => {
    const machine = new Machine()
    machine.waits(32, { taken: 1, endsAfter: 3 })
    expect(machine.laps()).toBe(0)
  })

  it('finds it as soon when several are waited for at a time', () => {
    const machine = new Machine()
    machine.waits(32, { taken: 1, times: 10 })
    expect(machine.laps()).toBe(0)
  })

  it('goes on where it is taken in every other wait, however often in each', () => {
    const machine = new Machine()
    // Of four waits one is looked at.
    for (let n = 0; n < 1_000; n++) expect(machine.waits(4, { taken: n % 2 === 0 ? 100 : 0 })).toBe(4)
  })

  it('counts nothing of what happens while it does not wait', () => {
    const machine = new Machine()
    machine.take(1_000)
    for (let n = 0; n < 1_000; n++) {
      expect(machine.laps({ endsAfter: 3 })).toBeGreaterThan(0)
      machine.take(100)
    }
  })
})

it.skipIf(process.platform !== 'linux')('the system counts how often a core was taken from this process', () => {
  const ofThreads = (): number =>
    readdirSync('/proc/self/task').reduce((sum, id) => {
      const [, count = '0'] =
        /^nonvoluntary_ctxt_switches:\s+(\d+)$/m.exec(readFileSync(`/proc/self/task/${id}/status`, 'utf8')) ?? []
      return sum + Number(count)
    }, 0)
  // Threads that have ended count as well.
  const least = ofThreads()
  expect(involuntarySwitches()).toBeGreaterThanOrEqual(least)
})
