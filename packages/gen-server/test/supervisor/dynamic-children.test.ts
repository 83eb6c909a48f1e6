import { describe, expect, it } from 'vitest'
import type { AutoShutdown } from '@pidmesh/gen-server'
import { DynamicChildren } from '../../src/supervisor/dynamic-children.ts'
import { pid, Player, specs, text } from './core-probe.ts'

interface Situation {
  readonly intensity?: number
  readonly maxChildren?: number
  readonly autoShutdown?: AutoShutdown
}

/** Children with the pids 1, 2, … */
function running(
  children: string,
  { intensity = 10, maxChildren = Infinity, autoShutdown = 'never' }: Situation = {},
): DynamicChildren {
  const core = new DynamicChildren({ intensity, periodMs: 1_000, maxChildren, autoShutdown })
  for (const [index, spec] of specs(children).entries()) core.add(spec, pid(index + 1))
  return core
}

function states(core: DynamicChildren): string {
  return core.children.map(({ spec, status }) => `${spec.id} ${status}`).join(', ')
}

describe('children that come and go', () => {
  it.each([
    ['a b', 1, 'boom', 'report child_terminated a, start a'],
    ['a b', 1, 'normal', 'report child_terminated a, start a'],
    ['a.t b', 1, 'normal', ''],
    ['a.t b', 1, 'boom', 'report child_terminated a, start a'],
    ['a.x b', 1, 'boom', 'report child_terminated a'],
    ['a.x b', 1, 'shutdown', ''],
    ['a b', 3, 'boom', ''],
  ])('of %s, when the process %i ends with %s: %s', (children, ended, reason, done) => {
    expect(text(running(children).onExit(pid(ended), reason, 0))).toBe(done)
  })

  it('one that is not restarted is forgotten, whatever it is', () => {
    const core = running('a.t b.x c.u')
    core.onExit(pid(1), 'normal', 0)
    core.onExit(pid(2), 'boom', 0)
    expect(states(core)).toBe('c running')
    expect(core.counts).toEqual({ active: 1, supervisors: 1, workers: 0 })
  })

  it('one that can not be restarted is tried again, and counts as there', () => {
    const core = running('a b', { maxChildren: 2 })
    const { done } = new Player(core).play(core.onExit(pid(1), 'boom', 0), ['a'])
    expect(text(done)).toBe('report child_terminated a, start a, report start_error a, retry a')
    expect(states(core)).toBe('b running, a restarting')
    expect(core.isFull).toBe(true)
    expect(core.counts).toEqual({ active: 1, supervisors: 0, workers: 2 })
    const [child] = core.children.filter(({ status }) => status === 'restarting')
    expect(text(core.onRetry(child ?? expect.fail('a'), 0))).toBe('start a')
  })

  it('one whose next try has succeeded is there once', () => {
    const core = running('a b')
    new Player(core).play(core.onExit(pid(1), 'boom', 0), ['a'])
    const [child] = core.children.filter(({ status }) => status === 'restarting')
    new Player(core).play(core.onRetry(child ?? expect.fail('a'), 0))
    expect(states(core)).toBe('b running, a running')
    expect(core.size).toBe(2)
    expect(core.onRetry(child ?? expect.fail('a'), 0)).toEqual([])
  })

  it('one that is stopped is counted no more, nor as one of the significant ones', () => {
    const core = running('a.u b.ts c.ts', { autoShutdown: 'all_significant' })
    for (const id of [1, 2]) core.onStopped(core.childOf(pid(id)) ?? expect.fail(`${id}`), 'shutdown')
    expect(core.counts).toEqual({ active: 1, supervisors: 0, workers: 1 })
    expect(text(core.onExit(pid(3), 'normal', 0))).toBe('end "shutdown"')
  })

  it('one that is not wanted when it is restarted is forgotten', () => {
    const core = running('a.u')
    const [child] = core.children
    core.onExit(pid(1), 'boom', 0)
    core.onStarted(child ?? expect.fail('a'), undefined)
    expect([core.size, core.counts.supervisors]).toEqual([0, 0])
  })

  it('one more restart than the intensity ends the supervisor, whichever children they are of', () => {
    const core = running('a b', { intensity: 1 })
    new Player(core).play(core.onExit(pid(1), 'boom', 0))
    expect(text(core.onExit(pid(2), 'boom', 1_000))).toBe(
      'report child_terminated b, report shutdown b, end "shutdown"',
    )
  })

  it('all stop together', () => {
    expect(text(running('a b c').onTerminateAll())).toBe('stop together a b c')
  })

  it.each<[AutoShutdown, readonly number[], string]>([
    ['any_significant', [1], 'end "shutdown"'],
    ['any_significant', [3], ''],
    ['all_significant', [1], ''],
    ['all_significant', [1, 2], 'end "shutdown"'],
  ])('with %s, when %j have ended: %s', (autoShutdown, ended, done) => {
    const core = running('a.ts b.xs c.t', { autoShutdown })
    expect(ended.map((id) => text(core.onExit(pid(id), 'normal', 0))).at(-1)).toBe(done)
  })

  it('the end of one costs the same however many there are', () => {
    const core = running('')
    const [spec] = specs('a.x')
    for (let id = 1; id <= 100_000; id++) core.add(spec ?? expect.fail('a'), pid(id))
    for (let id = 1; id <= 100_000; id++) core.onExit(pid(id), 'boom', 0)
    expect(core.size).toBe(0)
  })
})
