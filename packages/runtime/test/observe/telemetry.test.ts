/**
 * Who listens to what libraries tell: none of them harms anybody, and none costs anything when there is none.
 */
import { beforeEach, describe, expect, it } from 'vitest'
import { Telemetry } from '../../src/observe/telemetry.ts'
import { MemoryLogger } from '../../src/testing/memory-logger.ts'

let log: MemoryLogger
let nowMs: number
let telemetry: Telemetry

beforeEach(() => {
  log = new MemoryLogger()
  nowMs = 0
  telemetry = new Telemetry(log, { monotonicMs: () => nowMs })
})

const failing = (): never => {
  throw new Error('the listener')
}

/** Its type doesn't say that it gives a promise. */
const rejecting = (): unknown => Promise.reject(new Error('later'))

describe('Listeners', () => {
  it('are told in the order in which they were attached, until they are detached', () => {
    const told: unknown[] = []
    expect(telemetry.active).toBeUndefined()
    const detach = telemetry.attach((event) => void told.push(['first', event]))
    const listener = (event: unknown): void => void told.push(['second', event])
    const detachSecond = telemetry.attach(listener)
    telemetry.attach(listener)
    telemetry.active?.tell({ number: 1 })
    detach()
    detach()
    detachSecond()
    telemetry.active?.tell({ number: 2 })
    expect(told).toEqual([
      ['first', { number: 1 }],
      ['second', { number: 1 }],
      ['second', { number: 1 }],
      ['second', { number: 2 }],
    ])
  })

  it('after the last is detached nobody listens', () => {
    const detach = telemetry.attach(() => undefined)
    const end = telemetry.instrument((_operation, run) => run())
    detach()
    expect(telemetry.active).toBe(telemetry)
    end()
    expect(telemetry.active).toBeUndefined()
  })

  it('one that throws or rejects is logged, at most 100 times a second, and goes on; the others are told', async () => {
    const told: unknown[] = []
    telemetry.attach(failing)
    telemetry.attach(rejecting)
    telemetry.attach((event) => void told.push(event))
    for (let number = 0; number < 100; number++) telemetry.tell({ number })
    await Promise.resolve()
    expect(told).toHaveLength(100)
    expect(log.lines).toHaveLength(100)
    expect(log.lines[0]).toMatchObject({ level: 'error', message: 'a listener of telemetry has failed' })
    nowMs += 1_000
    telemetry.tell({})
    expect(log.lines[100]?.fields).toMatchObject({ omittedBefore: 100 })
  })

  it('what one does itself is not told, so that it cannot go round in circles', () => {
    const told: unknown[] = []
    telemetry.attach((event) => {
      told.push(event)
      telemetry.active?.tell({ from: 'a listener' })
      const observation = telemetry.active?.begin({})
      observation?.run(() => undefined)
      observation?.end({ from: 'a listener' })
    })
    let instrumented = 0
    telemetry.instrument((_operation, run) => {
      instrumented++
      telemetry.tell({ from: 'an instrument' })
      run()
      return () => telemetry.tell({ from: 'an end' })
    })
    const observation = telemetry.begin({ type: 'x' })
    observation.run(() => telemetry.tell({ from: 'the work' }))
    observation.end({ type: 'over' })
    expect(told).toEqual([{ from: 'the work' }, { type: 'over' }])
    expect(instrumented).toBe(1)
  })
})

describe('Instruments', () => {
  it('run the work, nested in the order in which they were attached, and are told its end', () => {
    const noted: unknown[] = []
    for (const name of ['outer', 'inner'])
      telemetry.instrument((operation, run) => {
        noted.push([name, operation])
        run()
        noted.push(`${name} has run`)
        return (event) => void noted.push([name, event])
      })
    telemetry.attach((event) => void noted.push(['listener', event]))
    const observation = telemetry.begin({ type: 'x' })
    expect(observation.run(() => (noted.push('work'), 'value'))).toBe('value')
    nowMs = 7
    expect(observation.durationMs).toBe(7)
    observation.end({ type: 'over' })
    expect(noted).toEqual([
      ['outer', { type: 'x' }],
      ['inner', { type: 'x' }],
      'work',
      'inner has run',
      'outer has run',
      ['inner', { type: 'over' }],
      ['outer', { type: 'over' }],
      ['listener', { type: 'over' }],
    ])
  })

  it.each<[string, (run: () => void) => unknown, number]>([
    ['throws before', () => failing(), 1],
    ['throws afterwards', (run) => (run(), failing()), 1],
    ['rejects', () => Promise.reject(new Error('later')), 1],
    ['does nothing', () => undefined, 0],
    ['runs it twice', (run) => (run(), run()), 0],
    ['runs it later', (run) => void Promise.resolve().then(run), 0],
    ['gives an end that throws', (run) => (run(), failing), 1],
    ['gives something else', (run) => (run(), 7), 0],
  ])('one that %s: the work runs once, and gives what it gives', async (_what, act, lines) => {
    let runs = 0
    const told: unknown[] = []
    telemetry.attach((event) => void told.push(event))
    telemetry.instrument(((_operation: unknown, run: () => void) => act(run)) as never)
    const observation = telemetry.begin({})
    expect(observation.run(() => ++runs)).toBe(1)
    observation.end({ type: 'over' })
    await Promise.resolve()
    expect(runs).toBe(1)
    expect(told).toEqual([{ type: 'over' }])
    expect(log.lines).toHaveLength(lines)
  })

  it('what the work throws goes past them', () => {
    telemetry.instrument((_operation, run) => run())
    const error = new Error('of the work')
    const observation = telemetry.begin({})
    expect(() =>
      observation.run(() => {
        throw error
      }),
    ).toThrow(error)
    expect(log.lines).toEqual([])
    const told: unknown[] = []
    telemetry.attach((event) => void told.push(event))
    telemetry.tell({ type: 'after' })
    expect(told).toEqual([{ type: 'after' }])
  })
})
