/**
 * The reference model: gen_statem told once more, from its manual, in the plainest way. One list of what is to come, one of what was postponed, one of timeouts, all
 * changed in place.
 */
import type { Act, History, Key, Message, Observation, Return, StateName } from './history.ts'

interface Event {
  readonly text: string
}

interface Timeout {
  readonly key: Key
  content: number
  readonly isDue: boolean
}

class End extends Error {
  readonly reason: string

  constructor(reason: string) {
    super(reason)
    this.reason = reason
  }
}

/** What the manual calls transition actions: collected while callbacks run, done when the last has returned. */
interface Collected {
  postpone: boolean
  readonly inserted: Event[]
  readonly timeouts: Extract<Act, { readonly key: Key }>[]
}

const KEEP: Return = { type: 'keep', acts: [] }

class Model {
  readonly seen: string[] = []
  state: StateName = 'a'
  private readonly enters: boolean
  private readonly returns: History['returns'][number][]
  private coming: Event[] = []
  private postponed: Event[] = []
  /** Those that are due stand in the order in which they are. */
  private timeouts: Timeout[] = []
  private isInEnter = false

  constructor({ enters, returns }: History) {
    this.enters = enters
    this.returns = [...returns]
  }

  begin(acts: readonly Act[]): void {
    const collected: Collected = { postpone: false, inserted: [], timeouts: [] }
    this.collect(acts, collected)
    collected.postpone = false
    if (this.enters) this.enter(this.state, collected)
    this.finish(undefined, this.state, collected)
    this.drain()
  }

  message(message: Message): void {
    if (message.type === 'fire') {
      const running = this.timeouts.find(({ key, isDue }) => key === message.key && !isDue)
      if (running === undefined) return
      this.drop(running.key)
      this.coming.push({ text: `${running.key} ${running.content}` })
    } else this.coming.push({ text: `${message.type} ${message.content}` })
    this.drain()
  }

  private drain(): void {
    for (;;) {
      const event = this.coming.shift() ?? this.due()
      if (event === undefined) return
      this.handle(event)
    }
  }

  private due(): Event | undefined {
    const first = this.timeouts.find(({ isDue }) => isDue)
    if (first === undefined) return undefined
    this.drop(first.key)
    return { text: `${first.key} ${first.content}` }
  }

  private handle(event: Event): void {
    this.seen.push(`${event.text} in ${this.state}`)
    const given = this.returns.shift()?.event ?? KEEP
    const collected: Collected = { postpone: false, inserted: [], timeouts: [] }
    const before = this.state
    if (given.type === 'next') {
      this.endsIn(given.state, () => this.collect(given.acts, collected))
      if (given.state !== before && this.enters) this.enter(given.state, collected)
      this.finish(event, given.state, collected)
      return
    }
    this.collect(this.actsOf(given), collected)
    if (given.type === 'repeat' && this.enters) this.enter(before, collected)
    this.finish(event, before, collected)
  }

  private enter(to: StateName, collected: Collected): void {
    const before = this.state
    this.isInEnter = true
    this.endsIn(to, () => {
      for (let again = true; again;) {
        this.seen.push(`enter ${to} from ${before}`)
        const given = this.returns.shift()?.enter ?? KEEP
        if (given.type === 'next' && given.state !== to) throw new End('bad_state_enter_return_from_state_function')
        this.collect(this.actsOf(given), collected)
        again = given.type === 'repeat'
      }
    })
    this.isInEnter = false
  }

  /** What ends the machine in here ends it in that state. */
  private endsIn(state: StateName, act: () => void): void {
    try {
      act()
    } catch (end) {
      this.state = state
      throw end
    }
  }

  private actsOf(given: Return): readonly Act[] {
    if (given.type === 'bad') throw new End('bad_return_from_state_function')
    if (given.type === 'stop') throw new End('done')
    if (given.type !== 'stop_and_reply') return given.acts
    for (const act of given.replies) {
      if (act.type !== 'reply') throw new End('bad_reply_action_from_state_function')
      this.seen.push(`reply ${act.call}`)
    }
    throw new End('done')
  }

  private collect(acts: readonly Act[], collected: Collected): void {
    for (const act of acts) {
      if (act.type === 'bad' || act.type === 'bad_reply') throw new End('bad_action_from_state_function')
      if (this.isInEnter && (act.type === 'postpone' || act.type === 'insert'))
        throw new End('bad_state_enter_action_from_state_function')
      if (act.type === 'reply') this.seen.push(`reply ${act.call}`)
      if (act.type === 'postpone') collected.postpone = true
      if (act.type === 'insert') collected.inserted.push({ text: `${act.as} ${act.content}` })
      if (act.type === 'start' || act.type === 'update' || act.type === 'cancel') collected.timeouts.push(act)
    }
  }

  private finish(event: Event | undefined, to: StateName, { postpone, inserted, timeouts }: Collected): void {
    if (postpone && event !== undefined) this.postponed.push(event)
    if (to !== this.state) {
      this.coming = [...this.postponed, ...this.coming]
      this.postponed = []
      this.drop('state_timeout')
    }
    this.drop('event_timeout')
    this.state = to
    // Only the last word on each timeout counts.
    const last = timeouts.filter((act, index) => !timeouts.slice(index + 1).some(({ key }) => key === act.key))
    for (const act of last) this.change(act)
    this.coming = [...inserted, ...this.coming]
  }

  private change(act: Extract<Act, { readonly key: Key }>): void {
    const running = this.timeouts.find(({ key }) => key === act.key)
    if (act.type === 'update' && running !== undefined) {
      running.content = act.content
      return
    }
    this.drop(act.key)
    if (act.type === 'cancel' || (act.type === 'start' && act.time === 'infinity')) return
    const isDue = act.type === 'update' || act.time === 'zero'
    this.timeouts.push({ key: act.key, content: act.content, isDue })
  }

  private drop(dropped: Key): void {
    this.timeouts = this.timeouts.filter(({ key }) => key !== dropped)
  }
}

export function playModel(history: History): Observation {
  const model = new Model(history)
  try {
    model.begin(history.init)
    for (const message of history.messages) model.message(message)
    return [...model.seen, `waits in ${model.state}`]
  } catch (end) {
    if (!(end instanceof End)) throw end
    return [...model.seen, `end ${end.reason} ${model.state}`]
  }
}
