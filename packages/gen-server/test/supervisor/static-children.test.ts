import { checkChildSpecs, type AutoShutdown, type Strategy } from '@pidmesh/gen-server'
import type { ExitReason, Pid } from '@pidmesh/runtime'
import { describe, expect, it } from 'vitest'
import type { Effect } from '../../src/supervisor/effects.ts'
import { StaticChildren } from '../../src/supervisor/static-children.ts'
import { pid, Player, specs, text } from './core-probe.ts'

interface Situation {
  readonly strategy?: Strategy
  readonly intensity?: number
  readonly autoShutdown?: AutoShutdown
}

function running(
  children: string,
  { strategy = 'one_for_one', intensity = 10, autoShutdown = 'never' }: Situation = {},
): StaticChildren {
  const core = new StaticChildren({ strategy, intensity, periodMs: 1_000, autoShutdown }, specs(children))
  new Player(core).play(core.onInit())
  core.onInitDone()
  return core
}

function pidOf(core: StaticChildren, id: string): Pid {
  const { pid: found } = core.find(id) ?? {}
  if (found === undefined) throw new Error(`${id} doesn't run`)
  return found
}

/** What a supervisor does when a child ends, reports left out. */
function after(core: StaticChildren, id: string, reason: ExitReason = 'boom'): string {
  return text(core.onExit(pidOf(core, id), reason, 0).filter(({ type }) => type !== 'report'))
}

function states(core: StaticChildren): string {
  return core.children.map(({ spec, status }) => `${spec.id} ${status}`).join(', ')
}

describe('what a strategy does when a child ends', () => {
  it.each<[Strategy, string, string, string]>([
    ['one_for_one', 'a b c', 'a', 'start a'],
    ['one_for_one', 'a b c', 'b', 'start b'],
    ['one_for_all', 'a b c', 'a', 'stop c, stop b, start a, start b, start c'],
    ['one_for_all', 'a b c', 'c', 'stop b, stop a, start a, start b, start c'],
    ['one_for_all', 'a', 'a', 'start a'],
    ['rest_for_one', 'a b c', 'a', 'stop c, stop b, start a, start b, start c'],
    ['rest_for_one', 'a b c', 'b', 'stop c, start b, start c'],
    ['rest_for_one', 'a b c', 'c', 'start c'],
    // Temporary ones are stopped with the others, and not started again.
    ['one_for_all', 'a b.x c', 'a', 'stop c, stop b, start a, start c'],
    ['rest_for_one', 'a.x b c.x', 'b', 'stop c, start b'],
    // One that isn't restarted takes nobody with it.
    ['one_for_all', 'a b.x c', 'b', ''],
    ['rest_for_one', 'a.x b c', 'a', ''],
  ])('%s of %s, when %s ends: %s', (strategy, children, ended, done) => {
    expect(after(running(children, { strategy }), ended)).toBe(done)
  })

  it('those that were not running are started with the others, as in OTP', () => {
    for (const [strategy, done] of [
      ['one_for_all', 'stop a, start a, start b, start c, start d'],
      ['rest_for_one', 'start c, start d'],
    ] as const) {
      const core = running('a b c d.t', { strategy })
      const player = new Player(core)
      for (const id of ['b', 'd']) player.play(core.onTerminate(core.find(id) ?? expect.fail(id)))
      expect(after(core, 'c')).toBe(done)
    }
  })
})

describe('whether a child is restarted', () => {
  const reasons: readonly ExitReason[] = [
    'normal',
    'shutdown',
    { shutdown: 'x' },
    'boom',
    'killed',
    { error: { name: 'Error', message: '' } },
  ]

  it.each([
    ['a', 'permanent', reasons],
    ['a.t', 'transient', ['boom', 'killed', reasons[5]]],
    ['a.x', 'temporary', []],
  ] as const)('%s, %s, is restarted for %j', (child, _, restarted) => {
    for (const reason of reasons) {
      expect(after(running(child), 'a', reason), JSON.stringify(reason)).toBe(
        restarted.includes(reason as never) ? 'start a' : '',
      )
    }
  })

  it('a transient child that has ended as it should stays, and does not run; a temporary one is forgotten', () => {
    const core = running('a.t b.x')
    after(core, 'a', 'normal')
    after(core, 'b')
    expect(states(core)).toBe('a stopped')
  })

  it('of an end all are told but those that were expected: of a permanent child any', () => {
    for (const [child, reason, told] of [
      ['a', 'normal', 'report child_terminated a, start a'],
      ['a.t', 'normal', ''],
      ['a.t', 'boom', 'report child_terminated a, start a'],
      ['a.x', 'shutdown', ''],
      ['a.x', 'boom', 'report child_terminated a'],
    ] as const) {
      const core = running(child)
      expect(text(core.onExit(pidOf(core, 'a'), reason, 0))).toBe(told)
    }
  })

  it('the end of a process that is no child does nothing', () => {
    expect(running('a').onExit(pid(99), 'boom', 0)).toEqual([])
  })

  it('the end of a process that was a child does nothing', () => {
    const core = running('a')
    const old = pidOf(core, 'a')
    const player = new Player(core).play(core.onTerminate(core.find('a') ?? expect.fail('a')))
    expect(text(player.done)).toBe('stop a')
    expect(core.onExit(old, 'boom', 0)).toEqual([])
  })
})

describe('restarts that are too many', () => {
  it('one more than the intensity within the period ends the supervisor with shutdown', () => {
    const core = running('a', { intensity: 2 })
    const ends = [0, 500, 1_000].map((nowMs) => {
      const effects = core.onExit(pidOf(core, 'a'), 'boom', nowMs)
      new Player(core).play(effects)
      return text(effects)
    })
    expect(ends).toEqual([
      'report child_terminated a, start a',
      'report child_terminated a, start a',
      'report child_terminated a, report shutdown a, end "shutdown"',
    ])
  })

  it('with the intensity 0 the first does', () => {
    expect(after(running('a', { intensity: 0 }), 'a')).toBe('end "shutdown"')
  })

  it('a restart of all is one restart', () => {
    const core = running('a b c', { strategy: 'one_for_all', intensity: 1 })
    const player = new Player(core).play(core.onExit(pidOf(core, 'b'), 'boom', 0))
    expect(text(player.done)).not.toContain('end')
    expect(after(core, 'a')).toBe('end "shutdown"')
  })
})

describe('a start that fails', () => {
  it('of the supervisor itself: stops those before it in reverse, and fails the start', () => {
    const core = new StaticChildren(
      { strategy: 'one_for_one', intensity: 1, periodMs: 1, autoShutdown: 'never' },
      specs('a b c d'),
    )
    const { done } = new Player(core).play(core.onInit(), ['c'])
    expect(text(done.filter(({ type }) => type !== 'report'))).toBe(
      'start a, start b, start c, stop b, stop a, end {"shutdown":{"failed_to_start_child":"c","reason":"boom"}}',
    )
  })

  it('in a restart: leaves those after it, and is tried again, with them', () => {
    const core = running('a b c', { strategy: 'rest_for_one' })
    const player = new Player(core).play(core.onExit(pidOf(core, 'a'), 'boom', 0), ['b'])
    expect(text(player.done)).toBe(
      'report child_terminated a, stop c, stop b, start a, report progress a, start b, report start_error b, retry b',
    )
    expect(states(core)).toBe('a running, b restarting, c stopped')
    const again = core.onRetry(core.find('b') ?? expect.fail('b'), 1)
    expect(text(again)).toBe('start b, start c')
  })

  it('counts each time that it is tried, up to the last', () => {
    const core = running('a', { intensity: 3 })
    const tries: Effect[] = []
    let effects = core.onExit(pidOf(core, 'a'), 'boom', 0)
    for (let left = 10; left > 0 && !effects.some(({ type }) => type === 'end'); left--) {
      tries.push(...new Player(core).play(effects, ['a']).done.filter(({ type }) => type === 'start'))
      effects = core.onRetry(core.find('a') ?? expect.fail('a'), 0)
    }
    expect(text(tries)).toBe('start a, start a, start a')
    expect(text(effects)).toBe('report shutdown a, end "shutdown"')
  })

  it('is not tried again for itself if a restart of others, which fails too, was to start it', () => {
    const core = running('a b', { strategy: 'one_for_all' })
    new Player(core).play(core.onExit(pidOf(core, 'a'), 'boom', 0), ['b'])
    expect(states(core)).toBe('a running, b restarting')
    new Player(core).play(core.onExit(pidOf(core, 'a'), 'boom', 0), ['a'])
    expect(states(core)).toBe('a restarting, b stopped')
    expect(core.onRetry(core.find('b') ?? expect.fail('b'), 1)).toEqual([])
    expect(text(core.onRetry(core.find('a') ?? expect.fail('a'), 1))).toBe('start a, start b')
  })

  it('is not tried again if the child was terminated meanwhile', () => {
    const core = running('a')
    new Player(core).play(core.onExit(pidOf(core, 'a'), 'boom', 0), ['a'])
    const child = core.find('a') ?? expect.fail('a')
    expect(core.onTerminate(child)).toEqual([])
    expect(core.onRetry(child, 1)).toEqual([])
    expect(states(core)).toBe('a stopped')
  })

  it('of a temporary child that is not wanted: it is forgotten; of another it stays', () => {
    const core = running('')
    for (const child of specs('a.x b'))
      core.add({ spec: child, pid: undefined, status: 'stopped', starts: 0 }, undefined)
    expect(states(core)).toBe('b stopped')
  })
})

describe('automatic shutdown', () => {
  it.each<[AutoShutdown, string, readonly string[], string]>([
    ['any_significant', 'a.ts b.ts c', ['a'], 'end "shutdown"'],
    ['any_significant', 'a.t b.ts c', ['a'], ''],
    ['all_significant', 'a.ts b.xs c', ['a'], ''],
    ['all_significant', 'a.ts b.xs c', ['a', 'b'], 'end "shutdown"'],
    ['all_significant', 'a.ts b.xs c', ['b', 'a'], 'end "shutdown"'],
  ])('%s of %s, when %j have ended as they should: %s', (autoShutdown, children, ended, done) => {
    const core = running(children, { autoShutdown })
    expect(ended.map((id) => after(core, id, 'normal')).at(-1)).toBe(done)
  })

  it('a significant child that is restarted ends nothing', () => {
    expect(after(running('a.ts', { autoShutdown: 'any_significant' }), 'a', 'boom')).toBe('start a')
  })

  it('a significant child that is terminated ends nothing', () => {
    const core = running('a.ts', { autoShutdown: 'any_significant' })
    expect(text(core.onTerminate(core.find('a') ?? expect.fail('a')))).toBe('stop a')
  })

  it('a significant child that is being tried again is one that runs', () => {
    const core = running('a.ts b.ts', { autoShutdown: 'all_significant' })
    new Player(core).play(core.onExit(pidOf(core, 'a'), 'boom', 0), ['a'])
    expect(after(core, 'b', 'normal')).toBe('')
  })
})

describe('the end of the supervisor', () => {
  it('stops the children that run in the reverse of their order', () => {
    const core = running('a b c d.t')
    after(core, 'd', 'normal')
    expect(text(core.onTerminateAll())).toBe('stop c, stop b, stop a')
  })

  it.each([
    ['a', 'shutdown', ''],
    ['a', 'killed', 'report shutdown_error a'],
    ['a', 'noproc', 'report shutdown_error a'],
    ['a', 'normal', 'report shutdown_error a'],
    ['a', { shutdown: 1 }, 'report shutdown_error a'],
    ['a.t', { shutdown: 1 }, ''],
    ['a.t', 'normal', ''],
    ['a.t', 'boom', 'report shutdown_error a'],
    ['a.k', 'killed', ''],
    ['a.k', 'shutdown', 'report shutdown_error a'],
    ['a.tk', 'shutdown', ''],
  ] as const)('of %s that ends with %j when it is stopped: %s', (child, reason, told) => {
    const core = running(child)
    expect(text(core.onStopped(core.find('a') ?? expect.fail('a'), reason))).toBe(told)
  })
})

it('specifications are unique by their id', () => {
  expect(() => checkChildSpecs(specs('a b a'))).toThrowError("two children have the id 'a': give one an id of its own")
})
