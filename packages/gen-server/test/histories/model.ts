/**
 * What a supervisor must do, told once more and otherwise than in the sources: as OTP's documentation tells it, step by step. It is given what one
 * supervisor got, and finds what it did in the chronicle; whatever else it did, or didn't do, or did too early, is a broken rule.
 *
 * A supervisor that was killed has done the beginning of it.
 */
import type { ExitReason } from '@pidmesh/runtime'
import type { ChildPlan } from './plan.ts'
import { entryText, reasonText, type Entry, type Life, type Question } from './record.ts'

/** It has gone as far as what was recorded. */
class Over extends Error {}
class Broken extends Error {}

interface Kept {
  readonly plan: ChildPlan
  pid: string | undefined
  isRestarting: boolean
}

type Done = Extract<Entry, { type: 'start' | 'signal' | 'ended' }>
type Got = Extract<Entry, { type: 'got' }>

export interface Statistics {
  restarts: number
  gaveUp: number
  autoShutdowns: number
  failedStarts: number
  killsAfterTimeout: number
}

export class Model {
  private readonly life: Life
  private readonly done: readonly Done[]
  private readonly got: readonly Got[]
  private readonly entries: readonly Entry[]
  private readonly endOf: ReadonlyMap<string, Entry & { readonly type: 'ended' }>
  private readonly answers: ReadonlyMap<string, string>
  private readonly statistics: Statistics
  private kept: Kept[] = []
  private restartsMs: number[] = []
  private next = 0
  private retriesDue = 0
  private isInit = true

  constructor(life: Life, entries: readonly Entry[], statistics: Statistics) {
    const { pid } = life
    this.life = life
    this.entries = entries
    this.statistics = statistics
    this.endOf = new Map(entries.flatMap((entry) => (entry.type === 'ended' ? [[entry.pid, entry] as const] : [])))
    this.answers = new Map(
      entries.flatMap((entry) => (entry.type === 'answered' ? [[entry.caller, entry.result] as const] : [])),
    )
    this.done = entries.filter(
      (entry): entry is Done =>
        (entry.type === 'start' && entry.supervisor === pid) ||
        (entry.type === 'signal' && entry.from === pid) ||
        (entry.type === 'ended' && entry.pid === pid),
    )
    this.got = entries.filter((entry): entry is Got => entry.type === 'got' && entry.supervisor === pid)
  }

  /** The rule that the supervisor has broken, if it has. */
  judge(): string | undefined {
    try {
      this.live()
    } catch (error) {
      if (error instanceof Over) return undefined
      if (error instanceof Broken) return `supervisor ${this.life.pid} (${this.life.plan.strategy}): ${error.message}`
      throw error
    }
    return undefined
  }

  private get isDynamic(): boolean {
    return this.life.plan.strategy === 'dynamic'
  }

  private live(): void {
    if (!this.isDynamic) this.init()
    this.isInit = false
    for (const { message, seq } of this.got) {
      const next = this.done[this.next]
      if (next !== undefined && next.seq < seq && !(next.type === 'ended'))
        throw new Broken(`nobody told it to: ${entryText(next)}`)
      switch (message.type) {
        case 'exit':
          if (message.from === this.life.parent) this.end(message.reason)
          this.childEnded(message.from, message.reason)
          break
        case 'retry': {
          this.retriesDue--
          const child = this.kept.find(({ plan, isRestarting }) => plan.id === message.id && isRestarting)
          if (child !== undefined) this.restart(child)
          break
        }
        case 'question':
          this.answer(message.ask, message.caller)
      }
    }
    const left = this.done[this.next]
    if (left !== undefined) this.lastly(left)
    if (this.retriesDue > 0) throw new Broken('it has forgotten to try a child again')
  }

  private lastly(left: Done): void {
    if (left.type === 'ended' && left.reason === 'killed') throw new Over()
    throw new Broken(`nobody told it to: ${entryText(left)}`)
  }

  private init(): void {
    this.kept = this.life.plan.children.map((plan) => ({ plan, pid: undefined, isRestarting: false }))
    for (const child of [...this.kept]) {
      const failed = this.start(child)
      if (failed === undefined) continue
      this.stopAll(this.kept)
      this.expectEnd((reason) =>
        reasonText(reason).startsWith(`{"shutdown":{"failed_to_start_child":"${child.plan.id}"`),
      )
    }
  }

  private childEnded(pid: string, reason: ExitReason): void {
    const child = this.kept.find((one) => one.pid === pid)
    if (child === undefined) return
    child.pid = undefined
    const { restart, significant } = child.plan
    const isExpected =
      ['normal', 'shutdown'].includes(reasonText(reason)) || (typeof reason === 'object' && 'shutdown' in reason)
    if (restart === 'permanent' || (restart === 'transient' && !isExpected)) {
      this.restart(child)
      return
    }
    if (restart === 'temporary' || this.isDynamic) this.forget(child)
    if (!significant) return
    const others = this.kept.some((one) => one.plan.significant && (one.pid !== undefined || one.isRestarting))
    const { autoShutdown } = this.life.plan
    if (autoShutdown !== 'any_significant' && (autoShutdown !== 'all_significant' || others)) return
    this.statistics.autoShutdowns++
    this.end('shutdown')
  }

  private restart(child: Kept): void {
    const { intensity, periodMs, strategy } = this.life.plan
    child.isRestarting = false
    const nowMs = this.peek().atMs
    this.restartsMs = [...this.restartsMs, nowMs]
    if (this.restartsMs.filter((thenMs) => nowMs - thenMs <= periodMs).length > intensity) {
      this.statistics.gaveUp++
      if (this.isDynamic) this.forget(child)
      this.end('shutdown')
    }
    this.statistics.restarts++
    const from = strategy === 'one_for_all' ? 0 : this.kept.indexOf(child)
    const until = strategy === 'one_for_all' || strategy === 'rest_for_one' ? this.kept.length : from + 1
    const affected = this.kept.slice(from, until)
    for (const one of affected.toReversed()) this.stop(one)
    for (const one of affected) one.isRestarting = false
    for (const one of affected.filter(({ plan }) => plan.restart !== 'temporary')) {
      const failed = this.start(one)
      if (failed === undefined) continue
      one.isRestarting = true
      if (this.isDynamic) this.kept = [...this.kept.filter((other) => other !== one), one]
      this.retriesDue++
      return
    }
  }

  private answer(ask: Question, caller: string): void {
    const said = this.answers.get(caller)
    const expected = this.doAsAsked(ask)
    if (said !== undefined && said !== expected)
      throw new Broken(`it has answered ${said} and not ${expected} to ${ask.type}`)
  }

  private doAsAsked(ask: Question): string {
    switch (ask.type) {
      case 'start_child':
        return this.startChild(ask.child)
      case 'terminate_child': {
        if (this.isDynamic && !ask.child.startsWith('<')) return 'simple_one_for_one'
        const child = this.kept.find(({ plan, pid }) => (this.isDynamic ? pid === ask.child : plan.id === ask.child))
        if (child === undefined) return 'not_found'
        this.stop(child)
        child.isRestarting = false
        if (this.isDynamic || child.plan.restart === 'temporary') this.forget(child)
        return 'ok'
      }
      case 'restart_child': {
        const child = this.kept.find(({ plan }) => plan.id === ask.id)
        if (child === undefined) return 'not_found'
        if (child.pid !== undefined || child.isRestarting) return child.isRestarting ? 'restarting' : 'running'
        return this.start(child) ?? 'ok'
      }
      case 'delete_child': {
        const child = this.kept.find(({ plan }) => plan.id === ask.id)
        if (child === undefined) return 'not_found'
        if (child.pid !== undefined || child.isRestarting) return child.isRestarting ? 'restarting' : 'running'
        this.forget(child)
        return 'ok'
      }
      case 'which_children': {
        // Of a dynamic one those that are tried again stand last, as they have failed; otherwise in reverse.
        const order = this.isDynamic
          ? [...this.kept.filter((one) => !one.isRestarting), ...this.kept.filter((one) => one.isRestarting)]
          : this.kept.toReversed()
        return order.map(({ plan, pid, isRestarting }) => `${plan.id}:${isRestarting ? 'restarting' : pid}`).join(' ')
      }
    }
  }

  private startChild(plan: ChildPlan): string {
    const known = this.isDynamic ? undefined : this.kept.find((one) => one.plan.id === plan.id)
    if (known !== undefined) return known.pid === undefined ? 'already_present' : 'already_started'
    const child: Kept = { plan, pid: undefined, isRestarting: false }
    this.kept.push(child)
    const failed = this.start(child)
    if (failed !== undefined) this.forget(child)
    return failed ?? 'ok'
  }

  private forget(child: Kept): void {
    this.kept = this.kept.filter((one) => one !== child)
  }

  /** The next thing that it did. */
  private peek(): Done {
    const next = this.done[this.next]
    if (next === undefined) throw new Broken('it does nothing any more, and should')
    if (next.type === 'ended' && next.reason === 'killed') throw new Over()
    return next
  }

  /** Says why it could not be started. */
  private start(child: Kept): 'start_failed' | undefined {
    const next = this.peek()
    if (next.type !== 'start' || next.child !== child.plan)
      throw new Broken(`it should start ${child.plan.id}: ${entryText(next)}`)
    this.next++
    const outcome = this.entries.find(
      (entry) =>
        entry.seq > next.seq &&
        (entry.type === 'started' || entry.type === 'start_failed') &&
        entry.supervisor === this.life.pid,
    )
    if (outcome === undefined) this.peek()
    if (outcome?.type === 'start_failed') {
      this.statistics.failedStarts++
      return 'start_failed'
    }
    if (outcome?.type !== 'started') throw new Broken(`the start of ${child.plan.id} has no end`)
    child.pid = outcome.pid
    if (child.pid === undefined && (child.plan.restart === 'temporary' || this.isDynamic)) this.forget(child)
    else if (this.isDynamic) this.kept = [...this.kept.filter((one) => one !== child), child]
    return undefined
  }

  private stopAll(children: readonly Kept[]): void {
    for (const child of children.toReversed()) this.stop(child)
  }

  /** Stops a child that runs, and waits for its end before it does anything else. */
  private stop(child: Kept): void {
    const { pid, plan } = child
    if (pid === undefined) return
    child.pid = undefined
    if (plan.restart === 'temporary') this.forget(child)
    this.stopProcess(pid, plan)
  }

  private stopProcess(pid: string, { shutdown, id }: ChildPlan): void {
    const next = this.peek()
    const end = this.endOf.get(pid)
    if (next.type !== 'signal' || next.to !== pid) {
      // Nobody signals the dead.
      if (end !== undefined && end.seq < next.seq) return
      throw new Broken(`it should stop ${id} ${pid}: ${entryText(next)}`)
    }
    this.next++
    const wanted = shutdown === 'brutal_kill' ? 'kill' : 'shutdown'
    if (next.reason !== wanted) throw new Broken(`it should stop ${id} with ${wanted}: ${entryText(next)}`)
    this.awaitEnd(pid, { id, fromMs: next.atMs, shutdown })
  }

  private awaitEnd(
    pid: string,
    { id, fromMs, shutdown }: { id: string; fromMs: number; shutdown: ChildPlan['shutdown'] },
  ): void {
    const end = this.endOf.get(pid)
    const dueMs = shutdown === 'brutal_kill' ? Infinity : fromMs + shutdown
    if (end === undefined || end.atMs > dueMs || this.isKillOf(pid)) {
      const kill = this.peek()
      if (kill.type !== 'signal' || kill.to !== pid || kill.reason !== 'kill')
        throw new Broken(`it should kill ${id} ${pid}: ${entryText(kill)}`)
      if (kill.atMs !== dueMs) throw new Broken(`it kills ${id} at ${kill.atMs} ms and not at ${dueMs} ms`)
      this.next++
      this.statistics.killsAfterTimeout++
    }
    const after = this.done[this.next]
    if (
      after !== undefined &&
      !(after.type === 'ended' && after.reason === 'killed') &&
      (end === undefined || end.seq > after.seq)
    )
      throw new Broken(`it doesn't wait for the end of ${id} ${pid}: ${entryText(after)}`)
  }

  /** In the very moment of its time's end it may have ended, or not. */
  private isKillOf(pid: string): boolean {
    const next = this.done[this.next]
    return next?.type === 'signal' && next.to === pid && next.reason === 'kill'
  }

  /** It stops all its children, and ends with that reason. Doesn't return. */
  private end(reason: ExitReason): never {
    if (this.isDynamic) this.stopTogether()
    else this.stopAll([...this.kept])
    return this.expectEnd((told) => reasonText(told) === reasonText(reason), reasonText(reason))
  }

  private stopTogether(): void {
    const left = this.kept.filter((child) => child.pid !== undefined)
    const told = new Map<string, { fromMs: number; plan: ChildPlan }>()
    const atMs = left.length === 0 ? 0 : this.peek().atMs
    while (this.done[this.next]?.type === 'signal') {
      const signal = this.peek()
      if (signal.type !== 'signal') break
      this.next++
      const child = left.find((one) => one.pid === signal.to)
      if (child === undefined) throw new Broken(`it stops what is no child of it: ${entryText(signal)}`)
      const before = told.get(signal.to)
      const { shutdown } = child.plan
      if (before === undefined) {
        if (signal.atMs !== atMs) throw new Broken(`its children don't stop together: ${entryText(signal)}`)
        if (signal.reason !== (shutdown === 'brutal_kill' ? 'kill' : 'shutdown'))
          throw new Broken(`with another reason: ${entryText(signal)}`)
        told.set(signal.to, { fromMs: signal.atMs, plan: child.plan })
      } else if (signal.reason !== 'kill' || shutdown === 'brutal_kill' || signal.atMs !== before.fromMs + shutdown) {
        throw new Broken(`not when it should: ${entryText(signal)}`)
      } else this.statistics.killsAfterTimeout++
    }
    const last = this.peek()
    for (const { pid = '', plan } of left) {
      const end = this.endOf.get(pid)
      if (end === undefined || end.seq > last.seq) throw new Broken(`it doesn't stop ${plan.id} ${pid}`)
    }
  }

  private expectEnd(isRight: (reason: ExitReason) => boolean, wanted: string = 'failed_to_start_child'): never {
    const next = this.peek()
    if (next.type !== 'ended' || !isRight(next.reason))
      throw new Broken(`it should end with ${wanted}: ${entryText(next)}`)
    this.next++
    throw new Over()
  }
}
