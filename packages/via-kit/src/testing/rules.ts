/**
 * The rules that every way of keeping names holds, as far as its capabilities go: for the test runner of who has made one.
 *
 *   for (const { rule, needs, check } of conformance)
 *     it.skipIf(!needs(capabilities))(rule, () => check(lab))
 */
import { deepStrictEqual, rejects } from 'node:assert/strict'
import {
  handler,
  type Awaitable,
  type ExitReason,
  type Node,
  type Pid,
  type Via,
  type ViaCapabilities,
} from '@pidmesh/runtime'

/** A node, and its part in the way that is tested. */
export interface ConformanceMember {
  readonly node: Node
  readonly names: Via
}

export interface ConformanceLab {
  /** Two, whose names belong together. */
  readonly members: readonly [ConformanceMember, ConformanceMember]
  /** Resolves with what the promise does. Where time is virtual, that goes on meanwhile. */
  run<T>(promise: Promise<T>): Promise<T>
  /** Lets so much time pass. */
  pass(ms: number): Promise<void>
}

export interface ConformanceRule {
  readonly rule: string
  readonly needs: (capabilities: ViaCapabilities) => boolean
  readonly check: (lab: ConformanceLab) => Promise<void>
}

/** So often something is looked at that is waited for, and so many times. */
const LOOK_EVERY_MS = 20
const LOOKS = 500
const MESSAGES = 300

const always = (): boolean => true
const hasOne = ({ holders }: ViaCapabilities): boolean => holders === 'one'
const hasMany = ({ holders }: ViaCapabilities): boolean => holders === 'many'
const isFound = ({ resolve }: ViaCapabilities): boolean => resolve !== 'none'

/** What is done with the two members, with names of its own. */
class Play {
  readonly one: ConformanceMember
  readonly other: ConformanceMember
  readonly name: string
  private readonly lab: ConformanceLab

  constructor(lab: ConformanceLab) {
    const [one, other] = lab.members
    this.lab = lab
    this.one = one
    this.other = other
    this.name = this.fresh()
  }

  fresh(): string {
    return `name:${Buffer.from(this.one.node.random.bytes(9)).toString('hex')}`
  }

  run<T>(value: Awaitable<T>): Promise<T> {
    return this.lab.run(Promise.resolve(value))
  }

  /** A process that keeps what it is sent. */
  spawn({ node }: ConformanceMember, got: unknown[] = []): Pid {
    return node.spawn(handler(() => (message: unknown) => got.push(message)))
  }

  async until(what: string, isSo: () => Awaitable<boolean>): Promise<void> {
    for (let look = 0; look < LOOKS; look++) {
      if (await this.run(isSo())) return
      await this.lab.pass(LOOK_EVERY_MS)
    }
    throw new Error(`in vain it was waited for that ${what}`)
  }

  /** A name that is registered, and known at both. */
  async registered(name: string, member: ConformanceMember, got: unknown[] = []): Promise<Pid> {
    const pid = this.spawn(member, got)
    deepStrictEqual(await this.run(member.names.registerName(name, pid)), 'yes')
    await this.until('the name is known', async () => {
      if (member.names.capabilities.resolve === 'none') return true
      return (
        (await this.other.names.resolveName(name)) !== undefined &&
        (await this.one.names.resolveName(name)) !== undefined
      )
    })
    return pid
  }

  async isRefused(ask: () => Awaitable<unknown>, code: string): Promise<void> {
    await rejects(this.run((async () => ask())()), (error: unknown) => {
      deepStrictEqual((error as { readonly code?: unknown }).code, code)
      return true
    })
  }
}

const rule = (
  text: string,
  needs: (capabilities: ViaCapabilities) => boolean,
  play: (play: Play) => Promise<void>,
): ConformanceRule => ({ rule: text, needs, check: (lab) => play(new Play(lab)) })

export const conformance: readonly ConformanceRule[] = [
  rule('a name is its process’s: on its own node it is known at once', always, async (play) => {
    const { one, name } = play
    const pid = play.spawn(one)
    deepStrictEqual(await play.run(one.names.registerName(name, pid, { n: 1 })), 'yes')
    deepStrictEqual(one.names.whereisName(name)?.equals(pid), true)
    deepStrictEqual((await play.run(one.names.resolveName(name)))?.equals(pid), true)
  }),
  rule('any node finds who has a name', isFound, async (play) => {
    const { one, other, name } = play
    const pid = await play.registered(name, one)
    deepStrictEqual((await play.run(other.names.resolveName(name)))?.equals(pid), true)
    deepStrictEqual(await play.run(other.names.resolveName(play.fresh())), undefined)
  }),
  rule('a process has a name once', always, async (play) => {
    const { one, name } = play
    const pid = await play.registered(name, one)
    deepStrictEqual(await play.run(one.names.registerName(name, pid)), 'no')
  }),
  rule('a name is one process’s, on whatever node: the second is told no', hasOne, async (play) => {
    const { one, other, name } = play
    const pid = await play.registered(name, one)
    deepStrictEqual(await play.run(one.names.registerName(name, play.spawn(one))), 'no')
    deepStrictEqual(await play.run(other.names.registerName(name, play.spawn(other))), 'no')
    deepStrictEqual((await play.run(one.names.resolveName(name)))?.equals(pid), true)
  }),
  rule(
    'of two nodes that register a name at once, one is told yes',
    ({ holders, resolve }) => holders === 'one' && resolve === 'store',
    async (play) => {
      const { one, other } = play
      for (let round = 0; round < 20; round++) {
        const name = play.fresh()
        const both = [one, other].map(async (member) => member.names.registerName(name, play.spawn(member)))
        deepStrictEqual((await play.run(Promise.all(both))).sort(), ['no', 'yes'])
      }
    },
  ),
  rule('a name that many have is of no one alone', hasMany, async (play) => {
    const { one, other, name } = play
    const got: unknown[][] = [[], [], []]
    const pids = [play.spawn(one, got[0]), play.spawn(one, got[1]), play.spawn(other, got[2])]
    for (const [index, pid] of pids.entries())
      deepStrictEqual(await play.run((index < 2 ? one : other).names.registerName(name, pid)), 'yes')
    deepStrictEqual(await play.run(other.names.send(name, 'all')), 'ok')
    await play.until('each has it', () => got.every((messages) => messages.length > 0))
    deepStrictEqual(got, [['all'], ['all'], ['all']])
  }),
  rule('a process that has ended, or is of another node, gets no name', always, async (play) => {
    const { one, other, name } = play
    const ended = play.spawn(one)
    one.node.exit(ended, 'kill')
    await play.until('it has ended', () => !one.node.isProcessAlive(ended))
    deepStrictEqual(await play.run(one.names.registerName(name, ended)), 'no')
    deepStrictEqual(await play.run(one.names.registerName(name, play.spawn(other))), 'no')
    deepStrictEqual(await play.run(one.names.registerName(name, play.spawn(one))), 'yes')
  }),
  rule(
    'what is sent to a name reaches its process from any node, each message once, in the order in which it was sent',
    always,
    async (play) => {
      const { one, other, name } = play
      for (const sender of [one, other]) {
        const got: unknown[] = []
        const own = play.fresh()
        await play.registered(own, one, got)
        const sent = Array.from({ length: MESSAGES }, (_, n) => ({ n, name }))
        const statuses = await play.run(Promise.all(sent.map(async (message) => sender.names.send(own, message))))
        deepStrictEqual(new Set(statuses).has('noconnection'), false)
        await play.until('all have come', () => got.length >= MESSAGES)
        await play.run(sender.names.send(own, 'last'))
        await play.until('the last has come', () => got.length > MESSAGES)
        deepStrictEqual(got, [...sent, 'last'])
      }
    },
  ),
  rule('a message has on the other side what it had here', always, async (play) => {
    const { one, other, name } = play
    const got: unknown[] = []
    const pid = await play.registered(name, one, got)
    const message = {
      text: 'ä\u0000😀',
      bytes: new Uint8Array([0, 255, 13, 10]),
      big: 2n ** 70n,
      pid,
      list: [1.5, -1, null, true],
    }
    await play.run(other.names.send(name, message))
    await play.until('it has come', () => got.length > 0)
    const [there] = got as [typeof message]
    deepStrictEqual({ ...there, pid: 0, bytes: [...there.bytes] }, { ...message, pid: 0, bytes: [...message.bytes] })
    deepStrictEqual(there.pid.equals(pid), true)
  }),
  rule(
    'who sends to a name that nobody has is told so',
    ({ knowsAbsence }) => knowsAbsence,
    async (play) => {
      const { one, other, name } = play
      deepStrictEqual(await play.run(one.names.send(name, 1)), 'noproc')
      await play.registered(name, one)
      await play.run(one.names.unregisterName(name))
      await play.until('nobody is known to have it', async () => (await other.names.send(name, 1)) === 'noproc')
    },
  ),
  rule('a name that was given up is free', always, async (play) => {
    const { one, other, name } = play
    const [before, after]: unknown[][] = [[], []]
    await play.registered(name, one, before)
    deepStrictEqual(await play.run(one.names.unregisterName(name)), 'ok')
    deepStrictEqual(one.names.whereisName(name), undefined)
    await play.until(
      'it is free',
      async () => (await other.names.registerName(name, play.spawn(other, after))) === 'yes',
    )
    await play.until('who has it now gets what is sent', async () => {
      await one.names.send(name, 'x')
      return (after?.length ?? 0) > 0
    })
    deepStrictEqual(before, [])
  }),
  rule('who gives up a name for a process leaves it to all others', always, async (play) => {
    const { one, other, name } = play
    const pid = await play.registered(name, one)
    deepStrictEqual(await play.run(one.names.unregisterName(name, play.spawn(one))), 'ok')
    deepStrictEqual(await play.run(other.names.unregisterName(name)), 'ok')
    deepStrictEqual(await play.run(other.names.unregisterName(play.fresh())), 'ok')
    deepStrictEqual((await play.run(one.names.resolveName(name)))?.equals(pid), true)
  }),
  rule('a name ends with its process', always, async (play) => {
    const { one, other, name } = play
    const pid = await play.registered(name, one)
    const second = play.fresh()
    deepStrictEqual(await play.run(one.names.registerName(second, pid)), 'yes')
    one.node.exit(pid, 'kill')
    for (const gone of [name, second]) {
      await play.until('it is free', async () => (await other.names.registerName(gone, play.spawn(other))) === 'yes')
      deepStrictEqual(one.names.whereisName(gone)?.equals(pid) === true, false)
    }
  }),
  rule(
    'the newest who takes a name over has it, and who had it ends',
    ({ newestWins }) => newestWins,
    async (play) => {
      const { one, other, name } = play
      const reasons: ExitReason[] = []
      const former = await play.registered(name, one)
      one.node.spawn(async (self) => {
        self.monitor(former)
        reasons.push((await self.receive('DOWN')).reason)
      })
      const got: unknown[] = []
      const newer = play.spawn(other, got)
      const epoch = await play.run(other.names.takeover?.(name, newer, { meta: { n: 2 } }))
      deepStrictEqual(Number.isSafeInteger(epoch), true)
      await play.until('who had it has ended', () => reasons.length > 0)
      deepStrictEqual((reasons[0] as { readonly name_conflict: { readonly name: string } }).name_conflict.name, name)
      await play.until('all know it', async () => (await one.names.resolveName(name))?.equals(newer) === true)
      await play.run(one.names.send(name, 'to the newest'))
      await play.until('it has come', () => got.length > 0)
      const again = await play.run(one.names.takeover?.(name, play.spawn(one)))
      deepStrictEqual(Number(again) > Number(epoch), true)
    },
  ),
  rule('what is known with a name can be changed on its own node alone', always, async (play) => {
    const { one, other, name } = play
    await play.registered(name, one)
    deepStrictEqual(await play.run(one.names.setMeta(name, { n: 2 })), 'ok')
    deepStrictEqual(await play.run(other.names.setMeta(name, { n: 3 })), 'error')
    deepStrictEqual(await play.run(one.names.setMeta(play.fresh(), {})), 'error')
  }),
  rule('names are bytes: none is taken for another, whatever is in it', always, async (play) => {
    const { one, other } = play
    const tail = play.fresh()
    const odd = [
      'A',
      'a',
      'á',
      'a\u0301',
      '{x}',
      '*',
      '?',
      '[a]',
      "'; --",
      '\n',
      '\u0000',
      ' ',
      ' a',
      'a ',
      '%',
      '_',
      'ß',
      'ss',
      '😀',
      ':',
    ]
    const names = [
      ...odd.map((text) => text + tail),
      ...odd.map((text) => tail + text),
      tail.padEnd(256, 'ä'.repeat(1)).slice(0, 128),
    ]
    const got = new Map<string, unknown[]>()
    for (const name of names) {
      got.set(name, [])
      await play.registered(name, one, got.get(name))
    }
    for (const name of names) await play.run(other.names.send(name, name))
    await play.until('all have come', () => [...got.values()].every((messages) => messages.length > 0))
    for (const [name, messages] of got) deepStrictEqual(messages, [name])
  }),
  rule(
    'what is no name, no pid, no metadata or no message is refused at the caller, and harms nobody',
    always,
    async (play) => {
      const { one, other, name } = play
      const got: unknown[] = []
      await play.registered(name, one, got)
      const { names } = other
      const pid = play.spawn(other)
      for (const wrong of ['', 'x'.repeat(257), 'ä'.repeat(129), '\ud800', 5, undefined, null])
        await play.isRefused(() => names.registerName(wrong as string, pid), 'ERR_BAD_ARGUMENT')
      for (const wrong of [undefined, 5, {}, 'pid'])
        await play.isRefused(() => names.registerName(play.fresh(), wrong as unknown as Pid), 'ERR_BAD_ARGUMENT')
      await play.isRefused(() => names.send(name, () => 1), 'ERR_NOT_SENDABLE')
      await play.run(names.send(name, 'fine'))
      await play.until('it has come', () => got.length > 0)
      deepStrictEqual(got, ['fine'])
    },
  ),
]
