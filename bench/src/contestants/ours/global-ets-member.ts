/**
 * What a node of the contestant `ours` in group `global-ets` can be told to do. Every node of it exports the same functions, and the contestant calls
 * them with `erpc`, its own node's as well.
 *
 * Names are made where they are used, and kept by nobody but the table: `nameOf(7)` is `user:0000007`. Their processes are idle handlers, each with so
 * many names as it is told.
 */
import { GlobalEts, ProcessGroups } from '@pidmesh/global-ets'
import { handler, type Context, type Node, type Pid } from '@pidmesh/runtime'
import { collectGarbage } from '../serve.ts'
import { BlockSampler } from './block-sampler.ts'

/** Names of a node that are registered, looked up, or watched for: the first one's number, and how many. */
export interface Span {
  readonly from: number
  readonly count: number
}

export interface Registering extends Span {
  /** Processes that share the work. */
  readonly callers: number
  /** Names that a caller registers before others have their turn. */
  readonly perTurn: number
}

export interface Registered {
  /** From the first call until the last has returned. */
  readonly ms: number
  /** Of a single call. */
  readonly slowestMs: number
}

const POLL_MS = 1
/** As many as there are on BEAM's side. */
const GROUPS = 100
const EXITS_PER_TURN = 1_000

/** Lets this node be told. It has no table yet. */
export function exportMember(node: Node): void {
  const member = new Member(node)
  node.exportFunctions({
    startTable: () => member.startTable(),
    join: (self: Context, size: number, withinMs: number) => member.join(self, size, withinMs),
    untilSize: (self: Context, size: number, withinMs: number) => member.untilSize(self, size, withinMs),
    hold: (_self: Context, holders: number, namesPerHolder: number) => member.hold(holders, namesPerHolder),
    register: (self: Context, registering: Registering) => member.register(self, registering),
    registerPaced: (self: Context, span: Span, intervalMs: number) => member.registerPaced(self, span, intervalMs),
    watch: (_self: Context, span: Span) => member.watch(span),
    seen: () => member.seen(),
    release: (self: Context) => member.release(self),
    lookups: (_self: Context, span: Span, passes: number) => member.lookups(span, passes),
    startGroups: () => member.startGroups(),
    untilMembers: (self: Context, count: number, withinMs: number) => member.untilMembers(self, count, withinMs),
    changeGroups: (self: Context, change: 'join' | 'leave') => member.changeGroups(self, change),
    getMembers: (_self: Context, count: number) => member.getMembers(count),
    bytes: () => bytesHeld(),
    startBlocks: () => member.startBlocks(),
    longestBlock: () => member.longestBlock(),
  })
}

class Member {
  private readonly node: Node
  private table: GlobalEts | undefined = undefined
  private groups: ProcessGroups | undefined = undefined
  private holders: Pid[] = []
  private namesPerHolder = 1
  private watching: Promise<number[]> | undefined = undefined
  private sampler: BlockSampler | undefined = undefined

  constructor(node: Node) {
    this.node = node
  }

  async startTable(): Promise<void> {
    this.table = await GlobalEts.start(this.node, { scope: 'bench' })
  }

  /** From the start of the table server until the table has so many names. */
  async join(self: Context, size: number, withinMs: number): Promise<number> {
    const startMs = performance.now()
    await this.startTable()
    await this.untilSize(self, size, withinMs)
    return performance.now() - startMs
  }

  /** Looks every millisecond. */
  async untilSize(self: Context, size: number, withinMs: number): Promise<void> {
    const deadlineMs = performance.now() + withinMs
    while (this.names.size !== size) {
      if (performance.now() > deadlineMs) {
        throw new Error(`${this.node.name} has ${this.names.size} names after ${withinMs} ms, not ${size}`)
      }
      await self.receive({ timeoutMs: POLL_MS })
    }
  }

  /** Spawns the processes that names are registered for. */
  hold(holders: number, namesPerHolder: number): Promise<void> {
    this.namesPerHolder = namesPerHolder
    return new Promise((resolve) => {
      let waiting = 0
      const body = handler(() => {
        if (++waiting === holders) setImmediate(resolve)
        return () => undefined
      })
      this.holders = Array.from({ length: holders }, () => this.node.spawn(body))
    })
  }

  async register(self: Context, { from, count, callers, perTurn }: Registering): Promise<Registered> {
    const each = Math.ceil(count / callers)
    const shares = Array.from({ length: callers }, (_, caller): Span => {
      const first = caller * each
      return { from: from + first, count: Math.max(0, Math.min(each, count - first)) }
    })
    const startMs = performance.now()
    const slowest = await Promise.all(
      shares.map((share) =>
        inProcess(self, (caller) => this.registerShare(caller, share, { firstOfAll: from, perTurn })),
      ),
    )
    return { ms: performance.now() - startMs, slowestMs: Math.max(...slowest) }
  }

  private async registerShare(
    self: Context,
    { from, count }: Span,
    { firstOfAll, perTurn }: { readonly firstOfAll: number; readonly perTurn: number },
  ): Promise<number> {
    let slowestMs = 0
    for (let n = from; n < from + count; n++) {
      if (n > from && (n - from) % perTurn === 0) await nextTurn(self)
      const startMs = performance.now()
      this.registerOne(n, n - firstOfAll)
      const tookMs = performance.now() - startMs
      if (tookMs > slowestMs) slowestMs = tookMs
    }
    return slowestMs
  }

  /** One at a time, by the clock. Returns when each was registered, by the clock that all processes of this machine share. */
  async registerPaced(self: Context, { from, count }: Span, intervalMs: number): Promise<number[]> {
    const startMs = sharedMs()
    const begun: number[] = []
    for (let n = 0; n < count; n++) {
      const waitMs = startMs + n * intervalMs - sharedMs()
      if (waitMs > 0) await self.receive({ timeoutMs: waitMs })
      begun.push(sharedMs())
      this.registerOne(from + n, n)
    }
    return begun
  }

  /** Notes when each name is seen, by a process that the table tells of changes, and that looks the next name up then. `seen` gives the times. */
  watch({ from, count }: Span): void {
    this.watching = new Promise((resolve) => {
      const times: number[] = []
      const watcher = this.node.spawn(
        handler((self) => () => {
          while (times.length < count && this.names.whereisName(nameOf(from + times.length)) !== undefined) {
            times.push(sharedMs())
          }
          if (times.length < count) return
          resolve(times)
          self.exit('normal')
        }),
      )
      this.names.watch(watcher)
    })
  }

  seen(): Promise<number[]> {
    if (this.watching === undefined) throw new Error(`${this.node.name} watches for no names`)
    return this.watching
  }

  /** Kills the processes that names are registered for, one after the other. Returns before their names are gone everywhere. */
  async release(self: Context): Promise<void> {
    const { holders } = this
    this.holders = []
    for (const [index, pid] of holders.entries()) {
      if (index > 0 && index % EXITS_PER_TURN === 0) await nextTurn(self)
      self.exit(pid, 'kill')
    }
  }

  /** How long it takes to look all names of the span up once; the mean of so many times. The names are there before. */
  lookups({ from, count }: Span, passes: number): number {
    const prepared = shuffled(Array.from({ length: count }, (_, n) => nameOf(from + n)))
    const { names } = this
    let missing = 0
    const startMs = performance.now()
    for (let pass = 0; pass < passes; pass++) {
      for (const name of prepared) if (names.whereisName(name) === undefined) missing++
    }
    const tookMs = performance.now() - startMs
    if (missing > 0) throw new Error(`${missing} lookups found nothing on ${this.node.name}`)
    return tookMs / passes
  }

  async startGroups(): Promise<void> {
    this.groups = await ProcessGroups.start(this.node, { scope: 'bench' })
  }

  /** Counts the members of all groups every millisecond. */
  async untilMembers(self: Context, count: number, withinMs: number): Promise<void> {
    const deadlineMs = performance.now() + withinMs
    while (this.membersOfAll() !== count) {
      if (performance.now() > deadlineMs) throw new Error(`${this.node.name} has ${this.membersOfAll()} members`)
      await self.receive({ timeoutMs: POLL_MS })
    }
  }

  /** Each of the processes joins, or leaves, one group. How long that took. */
  async changeGroups(self: Context, change: 'join' | 'leave'): Promise<number> {
    const groups = this.running()
    const startMs = performance.now()
    for (const [index, pid] of this.holders.entries()) {
      if (index > 0 && index % EXITS_PER_TURN === 0) await nextTurn(self)
      groups[change](groupOf(index), pid)
    }
    return performance.now() - startMs
  }

  getMembers(count: number): number {
    const groups = this.running()
    const startMs = performance.now()
    for (let n = 0; n < count; n++) groups.members(groupOf(n))
    return performance.now() - startMs
  }

  private membersOfAll(): number {
    const groups = this.running()
    let count = 0
    for (let n = 0; n < GROUPS; n++) count += groups.members(groupOf(n)).length
    return count
  }

  private running(): ProcessGroups {
    if (this.groups === undefined) throw new Error(`${this.node.name} has no groups`)
    return this.groups
  }

  startBlocks(): void {
    this.sampler = new BlockSampler()
  }

  longestBlock(): number {
    if (this.sampler === undefined) throw new Error('nobody has watched the event loop')
    return this.sampler.stop()
  }

  private registerOne(n: number, index: number): void {
    const pid = this.holders[Math.floor(index / this.namesPerHolder)]
    if (pid === undefined) throw new Error(`there is no process for name ${n}`)
    if (this.names.registerName(nameOf(n), pid) !== 'yes') throw new Error(`${nameOf(n)} is taken`)
  }

  private get names(): GlobalEts {
    if (this.table === undefined) throw new Error(`${this.node.name} has no table`)
    return this.table
  }
}

/** 12 bytes. */
export function nameOf(n: number): string {
  return `user:${String(n).padStart(7, '0')}`
}

/** CLOCK_MONOTONIC, which all processes of a Linux machine share. */
function sharedMs(): number {
  return Number(process.hrtime.bigint()) / 1e6
}

/** Lets others have their turn: what waits, the network, and timers. */
async function nextTurn(self: Context): Promise<void> {
  self.send(self.pid, { type: 'next turn' })
  await self.receive('next turn')
}

function inProcess<T>(self: Context, work: (self: Context) => Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    self.spawn(async (worker) => {
      try {
        resolve(await work(worker))
      } catch (thrown) {
        reject(thrown instanceof Error ? thrown : new Error(String(thrown)))
      }
    })
  })
}

/** In an order that no cache foresees, and that is the same in each run: steps of a large prime. */
function shuffled(names: readonly string[]): string[] {
  const stride = 611_953
  return names.map((_, n) => names[(n * stride) % names.length] ?? '')
}

function bytesHeld(): number {
  collectGarbage()
  collectGarbage()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

function groupOf(n: number): string {
  return `group:${n % GROUPS}`
}
