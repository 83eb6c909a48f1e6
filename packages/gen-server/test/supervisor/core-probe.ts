/**
 * What the tests of the cores share: children whose specifications are written in a line, and effects as text.
 */
import { checkChildSpecs, type CheckedChildSpec, type ChildSpec } from '@pidmesh/gen-server'
import { nodeName, Pid } from '@pidmesh/runtime'
import type { Child, Core, Effect } from '../../src/supervisor/effects.ts'

const origin = { name: nodeName('a@127.0.0.1'), incarnation: 1 }

export function pid(id: number): Pid {
  return new Pid(origin, id)
}

const MARKS: Readonly<Record<string, Partial<ChildSpec>>> = {
  t: { restart: 'transient' },
  x: { restart: 'temporary' },
  s: { significant: true },
  k: { shutdown: 'brutal_kill' },
  u: { type: 'supervisor' },
}

/** `'a b.t c.xs'`: the permanent child a, the transient b, the temporary and significant c. */
export function specs(text: string): readonly CheckedChildSpec[] {
  const written = text
    .split(' ')
    .filter((word) => word !== '')
    .map((word): ChildSpec => {
      const [id = '', marks = ''] = word.split('.')
      return marks
        .split('')
        .reduce((spec, mark): ChildSpec => ({ ...spec, ...MARKS[mark] }), { id, start: () => undefined })
    })
  return checkChildSpecs(written, 'any_significant')
}

/** As `report child_terminated b, stop c, start b, start c`. */
export function text(effects: readonly Effect[]): string {
  return effects.map(effectText).join(', ')
}

function effectText(effect: Effect): string {
  switch (effect.type) {
    case 'report':
      return `report ${effect.report.event} ${effect.report.child}`
    case 'stop_all':
      return `stop together ${effect.children.map(idOf).join(' ')}`
    case 'end':
      return `end ${JSON.stringify(effect.reason)}`
    case 'start':
    case 'stop':
    case 'retry':
      return `${effect.type} ${idOf(effect.child)}`
  }
}

function idOf({ spec }: Child): string {
  return spec.id
}

/** Carries effects out as if all went well; those in `failing` can't be started. Gives what was done, `retry`s and ends among it. */
export class Player {
  readonly done: Effect[] = []
  private readonly core: Core
  private lastPid = 0

  constructor(core: Core) {
    this.core = core
  }

  play(effects: readonly Effect[], failing: readonly string[] = []): this {
    for (const effect of effects) {
      this.done.push(effect)
      if (effect.type === 'start' && failing.includes(effect.child.spec.id))
        return this.play(this.core.onStartFailed(effect.child, 'boom'), failing)
      if (effect.type === 'start') this.done.push(...this.core.onStarted(effect.child, pid(++this.lastPid)))
      if (effect.type === 'stop') this.done.push(...this.core.onStopped(effect.child, stoppedReason(effect.child)))
    }
    return this
  }
}

function stoppedReason({ spec }: Child): string {
  return spec.shutdown === 'brutal_kill' ? 'killed' : 'shutdown'
}
