/**
 * PURPOSE: a machine may have thousands of timeouts, one for each of what it looks after: no step looks at, or copies, those that it has nothing to do with, and none leaves a timer behind.
 */
import { expect, it, vi } from 'vitest'
import { machineIn, step, type Input, type Machine, type Step } from '../../src/gen-statem/machine.ts'

const MANY = 1_000

/** What comes of an event whose handler has returned these actions. */
function outcome(machine: Machine, ...actions: readonly unknown[]): Step {
  const event: Input = { type: 'event', event: { type: 'cast', request: 1 } }
  const result = { type: 'keep_state', actions }
  return step(step(machine, event).machine, { type: 'result', result })
}

function after(machine: Machine, ...actions: readonly unknown[]): Machine {
  return outcome(machine, ...actions).machine
}

const start = (name: string, timeoutMs: number): unknown => ({
  type: 'start_timeout',
  timeout: `timeout:${name}`,
  timeoutMs,
})

/** How many entries are put into maps and sets while it runs: a copy puts all. */
function writes(run: () => unknown): number {
  const [maps, sets] = [vi.spyOn(Map.prototype, 'set'), vi.spyOn(Set.prototype, 'add')]
  try {
    run()
    return maps.mock.calls.length + sets.mock.calls.length
  } finally {
    maps.mockRestore()
    sets.mockRestore()
  }
}

it.each([
  ['starts one more', start('one more', 5)],
  ['gives one no time', start('due', 0)],
  ['cancels one', { type: 'cancel_timeout', timeout: 'timeout:7' }],
  ['updates one', { type: 'update_timeout', timeout: 'timeout:7', content: 1 }],
])('a step that %s copies none of a thousand others', (_, action) => {
  const machine = after(
    machineIn('a', { enters: false, maxHeldEvents: 10 }),
    ...Array.from({ length: MANY }, (_, name) => start(`${name}`, 1_000)),
  )
  expect(machine.timeouts.keys().length).toBe(MANY)
  expect(writes(() => after(machine, action))).toBeLessThan(10)
})

it('one of a thousand that are due at once is taken without a look at the others', () => {
  const due = Array.from({ length: MANY }, (_, name) => start(`${name}`, 0))
  const machine = after(machineIn('a', { enters: false, maxHeldEvents: 10 }), ...due)
  const result = { type: 'keep_state', actions: [] }
  expect(machine.timeouts.keys().length).toBe(MANY - 1)
  expect(writes(() => step(machine, { type: 'result', result }))).toBeLessThan(10)
  expect(machine.timeouts.keys().length).toBe(MANY - 2)
})

it('a timeout that is started anew or cancelled leaves no timer behind, which would run to its end', () => {
  let machine = machineIn('a', { enters: false, maxHeldEvents: 10 })
  const effectsOf = (action: unknown): unknown => {
    const { machine: next, effects } = outcome(machine, action)
    machine = next
    return effects
  }
  const started = (timer: number, timeoutMs: number) => ({
    type: 'start_timer',
    timer,
    timeout: 'timeout:x',
    timeoutMs,
  })
  expect(effectsOf(start('x', 1_000))).toEqual([started(1, 1_000)])
  expect(effectsOf(start('x', 2_000))).toEqual([{ type: 'cancel_timer', timer: 1 }, started(2, 2_000)])
  expect(effectsOf({ type: 'cancel_timeout', timeout: 'timeout:x' })).toEqual([{ type: 'cancel_timer', timer: 2 }])
})
