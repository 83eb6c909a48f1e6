import { describe, expect, it } from 'vitest'
import { busyWait } from '../../src/system/busy-wait.ts'
import { VirtualClock } from '../../src/testing/virtual-clock.ts'

const LAP_MS = 0.002
const WAIT_MS = 0.4

class Machine {
  private readonly clock = new VirtualClock()
  private switches = 0
  private readonly wait = busyWait({ clock: this.clock, involuntarySwitches: () => this.switches })

  /** Whether the event loop goes on turning, and for how many laps: each is `LAP_MS` long. `taken`: how often the core is given to another meanwhile. `times`: it is asked. `endsAfter`: laps. */
  laps(taken = 0, times = 1, endsAfter = Infinity): number {
    for (let n = 0; n < times; n++) this.wait.until(this.clock.monotonicMs() + WAIT_MS)
    this.switches += taken
    let laps = 0
    while (this.clock.fireNext(Infinity)) {
      this.clock.passTo(this.clock.monotonicMs() + LAP_MS)
      laps++
      if (laps === endsAfter) this.wait.end()
    }
    return laps
  }

  /** How many of so many waits were awake. */
  waits(count: number, taken = 0): number {
    let awake = 0
    for (let n = 0; n < count; n++) if (this.laps(taken) > 0) awake++
    return awake
  }
}

describe('a node that waits awake', () => {
  it('looks again and again until the time that was said, and then sleeps', () => {
    expect(new Machine().laps()).toBeGreaterThan(WAIT_MS / LAP_MS - 5)
  })

  it('sleeps once what it waited for is here, and waits for the next one', () => {
    const machine = new Machine()
    expect(machine.laps(0, 1, 10)).toBe(11)
    expect(machine.laps()).toBeGreaterThan(11)
  })

  it('looks no more often for being asked several times', () => {
    expect(new Machine().laps(0, 10)).toBe(new Machine().laps())
  })

  it('does so again, as often as it is asked', () => {
    expect(new Machine().waits(10_000)).toBe(10_000)
  })

  it('goes on where the core is given to others now and then', () => {
    const machine = new Machine()
    for (let n = 0; n < 1_000; n++) expect(machine.waits(2, n % 2)).toBe(2)
  })

  it('sleeps for 1,024 waits where somebody else wants the core at each of 32, and tries again', () => {
    const machine = new Machine()
    expect(machine.waits(32, 1)).toBe(31)
    expect(machine.waits(1_024, 1)).toBe(0)
    expect(machine.waits(31, 1)).toBe(31)
    expect(machine.waits(1_024, 1)).toBe(0)
  })

  it('counts nothing of what happened while it slept', () => {
    const machine = new Machine()
    machine.waits(32, 1)
    machine.waits(1_023, 1_000)
    machine.waits(1)
    expect(machine.waits(1_000)).toBe(1_000)
  })
})
