/**
 * A history of one supervisor: its children, how each of their starts goes, and what is done, one after the other, each to its end. Played by ours.ts and supervisor_player.erl.
 *
 * With `simple_one_for_one` the first of `children` is the specification of all; their ids are what `start` gives them as argument, and there is only one of an id.
 */
import fc from 'fast-check'
import { REASONS, type Reason } from '../../beam/reasons.ts'

export const IDS = ['a', 'b', 'c', 'd', 'e'] as const

export type Id = (typeof IDS)[number]

/** How a start goes. A child that has started obeys when it is told to stop, ends `otherwise` or `normally` then, or traps no exits (`deaf`). */
export type Start = 'fails' | 'ignored' | 'obeys' | 'otherwise' | 'normally' | 'deaf'

export type Child = {
  readonly id: Id
  readonly restart: 'permanent' | 'transient' | 'temporary'
  readonly significant: boolean
  readonly shutdown: 'brutal_kill' | 'infinity' | 1_000_000
}

export type Act =
  /** They end, those that run, in this order, before the supervisor comes to see to it. */
  | { readonly type: 'ends'; readonly ends: readonly { readonly id: Id; readonly reason: Reason | 'kill' }[] }
  | { readonly type: 'start'; readonly child: Child }
  | { readonly type: 'terminate' | 'restart' | 'delete'; readonly id: Id }

export type History = {
  readonly strategy: 'one_for_one' | 'one_for_all' | 'rest_for_one' | 'simple_one_for_one'
  readonly intensity: number
  readonly autoShutdown: AutoShutdown
  readonly children: readonly Child[]
  /** Of each child its first, its second, and so on; all after them obey. */
  readonly starts: readonly { readonly id: Id; readonly starts: readonly Start[] }[]
  readonly acts: readonly Act[]
}

type AutoShutdown = 'never' | 'any_significant' | 'all_significant'

const id = fc.constantFrom(...IDS)

function childOf(drawnId: fc.Arbitrary<Id>, autoShutdown: AutoShutdown): fc.Arbitrary<Child> {
  return fc
    .record({
      id: drawnId,
      restart: fc.constantFrom('permanent', 'transient', 'temporary'),
      significant: fc.boolean(),
      shutdown: fc.constantFrom<Child['shutdown']>('brutal_kill', 'infinity', 1_000_000),
    })
    .map((child) => ({
      ...child,
      significant: child.significant && child.restart !== 'permanent' && autoShutdown !== 'never',
    }))
}

/** Mostly it runs, first of all. */
function startsOf(isSimple: boolean): fc.Arbitrary<Start[]> {
  const start: fc.Arbitrary<Start> = fc.oneof(
    { weight: 6, arbitrary: fc.constantFrom('obeys', 'otherwise', 'normally', 'deaf') },
    { weight: 2, arbitrary: fc.constant('fails') },
    // In OTP 25 simple_one_for_one keeps a child whose restart is ignored, as one with the pid `undefined`; here it is forgotten, as with a first start in both.
    { weight: isSimple ? 0 : 1, arbitrary: fc.constant('ignored') },
  )
  return fc
    .tuple(fc.constantFrom<Start>(...Array<Start>(24).fill('obeys'), 'fails'), fc.array(start, { maxLength: 12 }))
    .map(([first, further]) => [first, ...further])
}

function actOf(isSimple: boolean, autoShutdown: AutoShutdown): fc.Arbitrary<Act> {
  const end = fc.record({ id, reason: fc.constantFrom(...REASONS, 'crash', 'kill') })
  return fc.oneof(
    {
      weight: 12,
      arbitrary: fc.record({
        type: fc.constant('ends'),
        ends: fc.uniqueArray(end, { selector: (one) => one.id, minLength: 1 }),
      }),
    },
    {
      weight: isSimple ? 8 : 3,
      arbitrary: fc.record({ type: fc.constant('start'), child: childOf(id, autoShutdown) }),
    },
    { weight: isSimple ? 2 : 4, arbitrary: fc.record({ type: fc.constant('terminate'), id }) },
    { weight: isSimple ? 1 : 6, arbitrary: fc.record({ type: fc.constantFrom('restart', 'restart', 'delete'), id }) },
  )
}

function historiesOf(strategy: History['strategy'], autoShutdown: AutoShutdown): fc.Arbitrary<History> {
  const isSimple = strategy === 'simple_one_for_one'
  const act = actOf(isSimple, autoShutdown)
  const children = isSimple ? IDS.slice(0, 1) : IDS.slice(0, 4)
  return fc.record({
    strategy: fc.constant(strategy),
    intensity: fc.constantFrom(0, 1, 3, 10, 10, 10),
    autoShutdown: fc.constant(autoShutdown),
    children: fc
      .integer({ min: 1, max: children.length })
      .chain((count) => fc.tuple(...children.slice(0, count).map((one) => childOf(fc.constant(one), autoShutdown)))),
    starts: fc.tuple(...IDS.map((one) => fc.record({ id: fc.constant(one), starts: startsOf(isSimple) }))),
    acts: fc.array(act, { maxLength: 14 }),
  })
}

export const histories: fc.Arbitrary<History> = fc
  .tuple(
    fc.constantFrom('one_for_one', 'one_for_all', 'rest_for_one', 'simple_one_for_one'),
    fc.constantFrom('never', 'any_significant', 'all_significant', 'all_significant'),
  )
  .chain(([strategy, autoShutdown]) => historiesOf(strategy, autoShutdown))
