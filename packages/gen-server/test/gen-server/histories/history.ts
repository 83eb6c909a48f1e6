/**
 * A history of one server: what it is sent, batch by batch, and what its callbacks do with it. Played by ours.ts and server_player.erl.
 *
 * All of a batch is in the mailbox before the server handles the first of it, and nothing more comes before it is at rest.
 */
import fc from 'fast-check'
import { REASONS, type Reason } from '../../beam/reasons.ts'

/** What a server does next. `idle`: an idle timeout of zero. */
export type Next = 'wait' | 'idle' | 'hibernate' | { readonly type: 'continue'; readonly returns: Return }

/** What ends it. `error`: throws one. `bad`: returns what no callback may return. */
export type End = 'error' | 'bad' | { readonly type: 'stop' | 'exit'; readonly reason: Reason }

export type Return = End | { readonly type: 'noreply'; readonly next: Next }
export type CallReturn =
  | Return
  | { readonly type: 'reply'; readonly next: Next }
  | { readonly type: 'stop_reply'; readonly reason: Reason }
export type InitReturn = Return | 'ignore'

/** What a callback does before it returns. `answer`: replies to all calls that were kept. */
export type Deed = 'nothing' | 'answer'
export type CallDeed = Deed | 'keep' | 'reply'

/** `id` is its place in the history. */
export type Message = { readonly id: number } & Content

type Content =
  | { readonly type: 'cast' | 'info'; readonly deed: Deed; readonly returns: Return }
  | { readonly type: 'call'; readonly deed: CallDeed; readonly returns: CallReturn }
  /** Of sys. */
  | { readonly type: 'suspend' | 'resume' | 'get_state' }
  | { readonly type: 'terminate'; readonly reason: Reason }
  /** Its parent is killed, and has ended before the next message is sent. */
  | { readonly type: 'parent_ends' }
  /** An exit signal of somebody else. */
  | { readonly type: 'signal'; readonly reason: Reason | 'kill' }

export type History = {
  readonly trapsExits: boolean
  readonly init: InitReturn
  readonly terminate: 'return' | 'error' | { readonly type: 'exit'; readonly reason: Reason }
  readonly batches: readonly (readonly Message[])[]
}

const MAX_CONTINUES = 3

const reason = fc.constantFrom(...REASONS)
const end: fc.Arbitrary<End> = fc.oneof(
  fc.constantFrom('error', 'bad'),
  fc.record({ type: fc.constantFrom('stop', 'exit'), reason }),
)
const deed: fc.Arbitrary<Deed> = fc.oneof(
  { weight: 6, arbitrary: fc.constant('nothing') },
  { weight: 1, arbitrary: fc.constant('answer') },
)
const callDeed: fc.Arbitrary<CallDeed> = fc.oneof(
  { weight: 4, arbitrary: fc.constant('nothing') },
  { weight: 4, arbitrary: fc.constantFrom('answer', 'keep', 'reply') },
)

/**
 * What is played together: a server either waits in other ways than just so, or is suspended. An idle timeout that is under way when it is suspended differs on purpose: in OTP
 * messages of sys begin it anew, here they don't touch it. And one of OTP 25 that hibernates and is suspended, while other messages wait, never comes to rest: sys wakes it for
 * them without end.
 */
type Kind = 'waits' | 'suspensions'

function nextOf(kind: Kind, continues: number): fc.Arbitrary<Next> {
  const waits = kind === 'waits'
  const further: fc.Arbitrary<Next> = fc.record({
    type: fc.constant('continue'),
    returns: continues === 0 ? fc.constant({ type: 'noreply', next: 'wait' } as const) : returnOf(kind, continues - 1),
  })
  return fc.oneof(
    { weight: 5, arbitrary: fc.constant('wait') },
    { weight: waits ? 4 : 0, arbitrary: fc.constant('idle') },
    { weight: waits ? 1 : 0, arbitrary: fc.constant('hibernate') },
    { weight: 3, arbitrary: further },
  )
}

function returnOf(kind: Kind, continues: number = MAX_CONTINUES): fc.Arbitrary<Return> {
  return fc.oneof(
    { weight: 25, arbitrary: fc.record({ type: fc.constant('noreply'), next: nextOf(kind, continues) }) },
    { weight: 1, arbitrary: end },
  )
}

function callReturnOf(kind: Kind): fc.Arbitrary<CallReturn> {
  return fc.oneof(
    { weight: 15, arbitrary: returnOf(kind) },
    { weight: 20, arbitrary: fc.record({ type: fc.constant('reply'), next: nextOf(kind, MAX_CONTINUES) }) },
    { weight: 1, arbitrary: fc.record({ type: fc.constant('stop_reply'), reason }) },
  )
}

function contentOf(kind: Kind): fc.Arbitrary<Content> {
  const suspensions = kind === 'suspensions' ? (['suspend', 'resume', 'resume'] as const) : []
  return fc.oneof(
    {
      weight: 45,
      arbitrary: fc.record({ type: fc.constantFrom('cast', 'info'), deed, returns: returnOf(kind) }),
    },
    { weight: 30, arbitrary: fc.record({ type: fc.constant('call'), deed: callDeed, returns: callReturnOf(kind) }) },
    { weight: 18, arbitrary: fc.record({ type: fc.constantFrom('get_state', ...suspensions) }) },
    { weight: 1, arbitrary: fc.record({ type: fc.constant('terminate'), reason }) },
    { weight: 1, arbitrary: fc.record({ type: fc.constant('parent_ends') }) },
    { weight: 3, arbitrary: fc.record({ type: fc.constant('signal'), reason: fc.constantFrom(...REASONS, 'kill') }) },
  )
}

function historiesOf(kind: Kind): fc.Arbitrary<History> {
  const batch = fc.array(contentOf(kind), { minLength: 1, maxLength: 7 })
  return fc
    .record({
      trapsExits: fc.boolean(),
      init: fc.oneof({ weight: 15, arbitrary: returnOf(kind) }, { weight: 1, arbitrary: fc.constant('ignore') }),
      terminate: fc.oneof(
        { weight: 3, arbitrary: fc.constant('return') },
        { weight: 1, arbitrary: fc.constant('error') },
        { weight: 1, arbitrary: fc.record({ type: fc.constant('exit'), reason }) },
      ),
      batches: fc.array(batch, { maxLength: 6 }),
    })
    .map(({ batches, ...history }) => ({ ...history, batches: numbered(batches) }))
}

function numbered(batches: readonly (readonly Content[])[]): Message[][] {
  let id = 0
  return batches.map((batch) => batch.map((content) => ({ id: ++id, ...content })))
}

export const histories: fc.Arbitrary<History> = fc.oneof(historiesOf('waits'), historiesOf('suspensions'))
