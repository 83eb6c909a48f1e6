/**
 * The rules that the logs of any history must keep, whatever the order in which things went: what Erlang promises of each pair of processes, of each link
 * and of each monitor, as long as no connection is lost.
 */
import type { BurstLog, Entry } from './bursts.ts'

type Of<T extends Entry['type']> = Extract<Entry, { type: T }>

/** The rules that are broken, each with where. */
export function brokenRules(logs: readonly BurstLog[]): string[] {
  const broken: string[] = []
  const seen = new Judge(logs, (rule) => broken.push(rule))
  seen.judge()
  return broken
}

class Judge {
  private readonly logs: readonly BurstLog[]
  private readonly breach: (rule: string) => void

  constructor(logs: readonly BurstLog[], breach: (rule: string) => void) {
    this.logs = logs
    this.breach = breach
  }

  judge(): void {
    for (const [index, log] of this.logs.entries()) {
      for (const { act } of all(log, 'acted_dead')) this.breach(`${index} could ${act.type} after its end`)
      this.pairOrder(index, log)
      this.nothingAfterTheEnd(index, log)
      for (const monitor of all(log, 'monitored')) this.monitor(index, log, monitor)
      for (const { ref, once } of all(log, 'opened')) this.alias(index, log, ref, once)
      for (const [other] of this.logs.entries()) this.link(index, log, other)
      this.nothingIsLost(index, log)
      this.bothSidesAgree(index, log)
    }
  }

  /** What comes from one process comes in the order in which it was sent, by whatever address and of whatever kind, and once. */
  private pairOrder(index: number, log: BurstLog): void {
    const last = new Map<number, number>()
    for (const entry of log.entries) {
      if (entry.type !== 'got' && entry.type !== 'got_exit') continue
      const { from, seq } = entry
      const before = last.get(from) ?? 0
      if (seq <= before) this.breach(`${index} got ${seq} of ${from} after ${before}`)
      last.set(from, seq)
    }
  }

  /** After a `DOWN` or a link's `EXIT` of a process nothing comes that it sent. */
  private nothingAfterTheEnd(index: number, log: BurstLog): void {
    const monitored = new Map(all(log, 'monitored').map(({ ref, to }) => [ref, to]))
    const ended = new Set<number | undefined>()
    for (const entry of log.entries) {
      if (entry.type === 'got_down') ended.add(monitored.get(entry.ref))
      else if (entry.type === 'got_link_exit') ended.add(entry.from)
      else if ((entry.type === 'got' || entry.type === 'got_exit') && ended.has(entry.from))
        this.breach(`${index} got ${entry.seq} of ${entry.from} after its end`)
    }
  }

  private monitor(index: number, log: BurstLog, { ref, to, alias }: Of<'monitored'>): void {
    const downs = all(log, 'got_down').filter((down) => down.ref === ref)
    const demonitored = all(log, 'demonitored').filter((entry) => entry.ref === ref)
    const messages = all(log, 'got').filter((entry) => entry.ref === ref)
    const what = `${index} of monitor ${ref} of ${to}`
    const end = this.logs[to]?.exited
    if (downs.length > 1) this.breach(`${what}: ${downs.length} DOWNs`)
    if (downs.length > 0 && end === undefined) this.breach(`${what}: a DOWN of the living`)
    for (const { reason } of downs)
      if (reason !== end && reason !== 'noproc') this.breach(`${what}: DOWN with ${reason}, and not ${end}`)
    const isOver = demonitored.length > 0 || (alias === 'reply_demonitor' && messages.length > 0)
    if (log.exited === undefined && end !== undefined && !isOver && downs.length === 0) this.breach(`${what}: no DOWN`)
    for (const entry of demonitored) {
      const later = after(log, entry).filter((other) => other.type === 'got_down' && other.ref === ref)
      if (later.length > (entry.flush ? 0 : entry.pendingDown)) this.breach(`${what}: a DOWN after demonitor`)
      if (alias === 'demonitor' || alias === 'reply_demonitor') this.closed(what, log, entry)
    }
    if (alias === 'none') return
    this.alias(index, log, ref, alias === 'reply_demonitor')
    const [down] = downs
    if (down === undefined || alias === 'explicit_unalias') return
    if (after(log, down).some((entry) => entry.type === 'got' && entry.ref === ref))
      this.breach(`${what}: a message to its alias after its DOWN`)
    const [first] = messages
    if (alias === 'reply_demonitor' && first !== undefined && after(log, first).includes(down))
      this.breach(`${what}: a DOWN after the reply`)
  }

  private alias(index: number, log: BurstLog, ref: number, once: boolean): void {
    const what = `${index} of alias ${ref}`
    const messages = all(log, 'got').filter((entry) => entry.ref === ref)
    if (once && messages.length > 1) this.breach(`${what}: ${messages.length} replies`)
    for (const entry of all(log, 'closed')) if (entry.ref === ref) this.closed(what, log, entry)
  }

  private closed(what: string, log: BurstLog, closing: Of<'closed' | 'demonitored'>): void {
    const later = after(log, closing).filter((entry) => entry.type === 'got' && entry.ref === closing.ref)
    if (later.length > closing.pendingMessages) this.breach(`${what}: a message to an alias that is closed`)
  }

  private link(index: number, log: BurstLog, other: number): void {
    const what = `${index} of its link to ${other}`
    const theirs = this.logs[other]
    if (theirs === undefined || index === other) return
    const links = all(log, 'linked').filter(({ to }) => to === other)
    const linksOfTheirs = all(theirs, 'linked').filter(({ to }) => to === index)
    const exits = all(log, 'got_link_exit').filter(({ from }) => from === other)
    if (exits.length > 0 && theirs.exited === undefined) this.breach(`${what}: an EXIT of the living`)
    if (exits.length > links.length + (linksOfTheirs.length > 0 ? 1 : 0)) this.breach(`${what}: too many EXITs`)
    for (const { reason } of exits)
      if (reason !== theirs.exited && reason !== 'noproc')
        this.breach(`${what}: EXIT with ${reason}, and not ${theirs.exited}`)
    const unlinks = all(log, 'unlinked').filter(({ to }) => to === other)
    for (const unlink of unlinks) {
      const later = after(log, unlink)
      // A link of the other side may have been on its way.
      if (linksOfTheirs.length > 0 || later.some((entry) => entry.type === 'linked' && entry.to === other)) continue
      const late = later.filter((entry) => entry.type === 'got_link_exit' && entry.from === other)
      if (late.length > unlink.pending) this.breach(`${what}: an EXIT after unlink`)
    }
    const isUnlinked = unlinks.length > 0 || all(theirs, 'unlinked').some(({ to }) => to === index)
    if (links.length + linksOfTheirs.length === 0 || isUnlinked || theirs.exited === undefined) return
    if (log.exited === undefined && log.traps && exits.length === 0) this.breach(`${what}: no EXIT`)
    if (log.exited === undefined && !log.traps && theirs.exited !== 'normal') this.breach(`${what}: it lives on`)
  }

  /** Both ends know of a link, and of a monitor. */
  private bothSidesAgree(index: number, log: BurstLog): void {
    for (const [other, theirs] of this.logs.entries()) {
      const count = (items: readonly number[], item: number): number => items.filter((one) => one === item).length
      if (count(log.links, other) !== count(theirs.links, index)) this.breach(`${index} and ${other}: half a link`)
      const made = count(log.monitors, other)
      const known = count(theirs.monitoredBy, index)
      if (made !== known) this.breach(`${index} has ${made} monitors of ${other}, which knows of ${known}`)
    }
  }

  /** What was sent to one who lives has come. */
  private nothingIsLost(index: number, log: BurstLog): void {
    for (const { to, seq, via } of all(log, 'sent')) {
      const receiver = this.logs[to]
      if (receiver?.exited !== undefined || receiver === undefined) continue
      const type = via === 'exit' ? 'got_exit' : 'got'
      const came = receiver.entries.some((entry) => entry.type === type && entry.from === index && entry.seq === seq)
      if (!came) this.breach(`${to} never got ${seq} of ${index}`)
    }
    for (const { to, seq, ref } of all(log, 'sent_alias')) {
      const receiver = this.logs[to]
      const isOpenForEver = receiver?.exited === undefined && receiver?.entries.some((entry) => staysOpen(entry, ref))
      if (isOpenForEver !== true || all(receiver, 'closed').some((closed) => closed.ref === ref)) continue
      if (!all(receiver, 'got').some((got) => got.from === index && got.seq === seq))
        this.breach(`${to} never got ${seq} of ${index}, sent to its alias ${ref}`)
    }
  }
}

/** An alias that only `unalias` closes. */
function staysOpen(entry: Entry, ref: number): boolean {
  if (entry.type === 'opened') return entry.ref === ref && !entry.once
  return entry.type === 'monitored' && entry.ref === ref && entry.alias === 'explicit_unalias'
}

function all<T extends Entry['type']>(log: BurstLog | undefined, type: T): Of<T>[] {
  return (log?.entries ?? []).filter((entry): entry is Of<T> => entry.type === type)
}

function after(log: BurstLog, entry: Entry): Entry[] {
  return log.entries.slice(log.entries.indexOf(entry) + 1)
}
