/**
 * The names of one session, by its policies.
 *
 *   unique    registerName; if another has it: does that one's client still have a socket? If so 4009, otherwise it yields
 *   replace   takeover; the one who had it ends, its client is told `replaced`
 *   multi     as many sessions as there are: a name, where a name may have many, and otherwise a group
 *
 * State: which names there are, so that they can go with the session when it moves.
 */
import { call, CallError } from '@pidmesh/gen-server'
import { PidmeshError, shown, type Context, type Groups, type NameMeta, type Pid, type Via } from '@pidmesh/runtime'
import { GatewayError, wanted } from './errors.ts'
import { groupOfName } from './room-message.ts'
import type { YieldCall } from './session-protocol.ts'

/** How many sessions may have a name, and which. */
export type NamePolicy = 'unique' | 'replace' | 'multi'

export interface SessionName {
  readonly name: string
  readonly policy: NamePolicy
  readonly meta: NameMeta
}

/** Whether a process gets a name that another has. */
export function canTakeOver(via: Via): boolean {
  return via.takeover !== undefined && via.capabilities.newestWins
}

/** Whether the store that names are kept in answers for these. One that doesn't will not have them taken over, either. */
export async function canBeAsked(via: Via, names: readonly SessionName[]): Promise<boolean> {
  if (via.capabilities.resolve !== 'store') return true
  try {
    await Promise.all(names.map(async ({ name, policy }) => (policy === 'multi' ? undefined : via.resolveName(name))))
    return true
  } catch {
    return false
  }
}

/** To give the names back that a session has which moves. */
const RELEASE_MS = 500
/** A name that was given back on another node is free here within so long. */
const RELEASED_WITHIN_MS = 2_000
/** How long it is waited for a session that may yield its name. */
const YIELD_MS = 2_000
/** Of the time that a session has to begin at its new place it may wait so much for a store that is away: then it can still say why it ends. */
const ADOPT_SHARE = 0.8
const RETRY_MS = 250
/** Those that would be the same the next time. */
const FINAL_ERRORS: ReadonlySet<unknown> = new Set(['ERR_BAD_ARGUMENT', 'ERR_NOT_SUPPORTED', 'ERR_NODE_STOPPED'])

export class SessionNames {
  private readonly self: Context
  private readonly via: Via
  private readonly groups: Groups | undefined
  /** Most sessions have one or two: a list takes less than a map. */
  private held: readonly SessionName[] = []

  constructor(self: Context, via: Via, groups: Groups | undefined) {
    this.self = self
    this.via = via
    this.groups = groups
  }

  get all(): readonly SessionName[] {
    return this.held
  }

  policyOf(name: string): NamePolicy | undefined {
    return this.find(name)?.policy
  }

  /**
   * @returns `no` if it is another's
   * @throws GatewayError `ERR_NOT_SUPPORTED` if the way of keeping names can't do it; PidmeshError `ERR_BAD_ARGUMENT` if it has the name for itself and wants it as one of many, or the other way round
   */
  async register(name: string, policy: NamePolicy, meta: NameMeta): Promise<'yes' | 'no'> {
    // Its own already: asked for once more it would be another's, or the session be in the group of the name twice.
    if (this.hasBy(name, policy) && (await this.setMeta(name, meta)) === 'ok') {
      this.keep({ name, policy, meta })
      return 'yes'
    }
    this.checkKind(name, policy)
    const answer = await this.claim(name, policy, meta)
    if (answer === 'no') return 'no'
    try {
      // It may have got the name in the other kind while that was waited for.
      this.checkKind(name, policy)
    } catch (thrown) {
      await this.via.unregisterName(name, this.self.pid)
      throw thrown
    }
    this.keep({ name, policy, meta })
    return 'yes'
  }

  /**
   * The names of a session that has moved here. Who had them forwards what still comes to it. While the store or the broker is away it is tried again: there is no way back.
   * @param untilMs When the session must have begun: on the clock of `self.monotonicMs()`
   * @returns one that somebody else has taken on the way, if there is one
   */
  async adopt(names: readonly SessionName[], former: Pid, untilMs: number): Promise<SessionName | undefined> {
    const nowMs = this.self.monotonicMs()
    const giveUpMs = nowMs + (untilMs - nowMs) * ADOPT_SHARE
    for (const one of names) {
      if (!(await this.inTheEnd(() => this.adoptOne(one, former), giveUpMs))) return one
      this.keep(one)
    }
    return undefined
  }

  async setMeta(name: string, meta: NameMeta): Promise<'ok' | 'error'> {
    const known = this.find(name)
    if (known === undefined) return 'error'
    const answer = await (this.isInVia(known)
      ? this.via.setMeta(name, meta)
      : wanted(this.groups).setMeta(groupOfName(name), this.self.pid, meta))
    // What was refused here would be refused at the session's next place, too, and it would end of it.
    if (answer === 'ok') this.keep({ ...known, meta })
    return answer
  }

  /** Gives all names back, for who moves them without a takeover. A way that fails, or takes long, does not keep who waits for the session. */
  async release(): Promise<void> {
    const { via, self } = this
    const ofVia = this.held.filter((one) => this.isInVia(one))
    const released = Promise.allSettled(ofVia.map(async ({ name }) => via.unregisterName(name, self.pid)))
    await self.within(released, RELEASE_MS)
  }

  /** A name that it has replaced another in is its own as one that nobody had: from then on it may be unique. */
  private hasBy(name: string, policy: NamePolicy): boolean {
    const known = this.policyOf(name)
    return known === policy || (known === 'replace' && policy === 'unique')
  }

  /** A name of its own and a group of that name would be two, of which one is remembered, and would go with the session. */
  private checkKind(name: string, policy: NamePolicy): void {
    const known = this.find(name)
    if (known !== undefined && this.isInVia(known) !== this.isInVia({ policy }))
      throw new PidmeshError(
        'ERR_BAD_ARGUMENT',
        `this session has the name ${shown(name)} by the policy ${known.policy}, and can't have it as ${policy}, too`,
      )
  }

  private isInVia({ policy }: Pick<SessionName, 'policy'>): boolean {
    return policy !== 'multi' || this.via.capabilities.holders === 'many'
  }

  private find(name: string): SessionName | undefined {
    return this.held.find((one) => one.name === name)
  }

  private keep(named: SessionName): void {
    // Of just their number: a list that grows one by one has room for 17, in each session.
    this.held = this.held.filter(({ name }) => name !== named.name).concat(named)
  }

  private async claim(name: string, policy: NamePolicy, meta: NameMeta): Promise<'yes' | 'no'> {
    const { via, self } = this
    if (policy === 'multi') return this.join(name, meta)
    if (via.capabilities.holders === 'many')
      throw new GatewayError(
        'ERR_NOT_SUPPORTED',
        `in this way of keeping names a name may have many processes: it can't be ${policy}, only multi`,
      )
    if (policy === 'replace') return this.take(name, meta)
    if ((await via.registerName(name, self.pid, meta)) === 'yes') return 'yes'
    // Who has it can't be asked where its node can't be reached, which doesn't mean that it is no more.
    if (!via.capabilities.reachesPids || !self.isAlive) return 'no'
    const holder = await via.resolveName(name)
    // Free by now.
    if (holder === undefined) return via.registerName(name, self.pid, meta)
    // Its own: it has asked for it twice at once.
    if (holder.equals(self.pid)) return (await via.setMeta(name, meta)) === 'ok' ? 'yes' : 'no'
    if (!(await this.yields(holder)) || !self.isAlive) return 'no'
    if (!canTakeOver(via)) return this.registerWhenFree(name, meta)
    // Others may have asked it at the same time, and one of them has the name by now.
    const now = await via.resolveName(name)
    return now === undefined || now.equals(holder) ? this.take(name, meta) : 'no'
  }

  /** Whether a session has no socket, and gives way; or is no more. */
  private async yields(holder: Pid): Promise<boolean> {
    try {
      const answer = await call<YieldCall, YieldCall>(this.self, holder, { type: 'yield' }, YIELD_MS)
      return answer === 'yielded'
    } catch (thrown) {
      return thrown instanceof CallError && thrown.code !== 'ERR_CALL_TIMEOUT'
    }
  }

  private async isOfOthers(name: string, former: Pid): Promise<boolean> {
    // One that was given back before may be found at its former place for a while.
    if (!canTakeOver(this.via)) return false
    const holder = await this.via.resolveName(name)
    return holder !== undefined && !holder.equals(former) && !holder.equals(this.self.pid)
  }

  private async adoptOne({ name, policy, meta }: SessionName, former: Pid): Promise<boolean> {
    if (policy === 'multi') return (await this.join(name, meta)) === 'yes'
    return !(await this.isOfOthers(name, former)) && (await this.takeOrRegister(name, meta)) === 'yes'
  }

  /** Tries again what fails of the way of keeping names, and not of what it was asked. */
  private async inTheEnd<T>(attempt: () => Promise<T>, giveUpMs: number): Promise<T> {
    for (;;) {
      try {
        return await attempt()
      } catch (thrown) {
        const code: unknown = thrown instanceof PidmeshError ? thrown.code : undefined
        if (FINAL_ERRORS.has(code) || !this.self.isAlive || this.self.monotonicMs() + RETRY_MS > giveUpMs) throw thrown
      }
      await this.pause(RETRY_MS)
    }
  }

  private async take(name: string, meta: NameMeta): Promise<'yes' | 'no'> {
    const { via } = this
    if (via.takeover === undefined || !canTakeOver(via))
      throw new GatewayError(
        'ERR_NOT_SUPPORTED',
        'in this way of keeping names the newest does not win: a name can only be unique (GlobalEts: give it the policy `newest`)',
      )
    return (await via.takeover(name, this.self.pid, { meta })) === undefined ? 'no' : 'yes'
  }

  private async takeOrRegister(name: string, meta: NameMeta): Promise<'yes' | 'no'> {
    return canTakeOver(this.via) ? this.take(name, meta) : this.registerWhenFree(name, meta)
  }

  /** Who had it has given it back, or ends, which is known here a moment later. */
  private async registerWhenFree(name: string, meta: NameMeta): Promise<'yes' | 'no'> {
    const endMs = this.self.monotonicMs() + RELEASED_WITHIN_MS
    while (this.self.monotonicMs() < endMs) {
      if ((await this.via.registerName(name, this.self.pid, meta)) === 'yes') return 'yes'
      await this.pause(RELEASED_WITHIN_MS / 40)
    }
    return 'no'
  }

  private async pause(ms: number): Promise<void> {
    await this.self.within(new Promise<never>(() => undefined), ms)
  }

  private async join(name: string, meta: NameMeta): Promise<'yes' | 'no'> {
    if (this.via.capabilities.holders === 'many') return this.via.registerName(name, this.self.pid, meta)
    const joined = wanted(this.groups).join(groupOfName(name), this.self.pid, meta)
    // Before that is waited for: who asks for it twice at once would be in the group twice.
    this.keep({ name, policy: 'multi', meta })
    await joined
    return 'yes'
  }
}
