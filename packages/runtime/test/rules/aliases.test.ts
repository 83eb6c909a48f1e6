import { handler, Ref, type Context } from '@pidmesh/runtime'
import { describe, expect, it } from 'vitest'
import { useLab } from './probe.ts'

const lab = useLab()

/** How many aliases are open. */
const open = (): number => lab.node.counters().aliases

describe('Aliases: a process’s own', () => {
  it('what is sent to an alias comes to its process, in order with what is sent to its pid, until `unalias`', async () => {
    const a = await lab.probe()
    const ref = a.self.alias()
    lab.node.send(ref, 1)
    lab.node.send(a.pid, 2)
    lab.node.send(ref, 3)
    expect(a.self.unalias(ref)).toBe(true)
    lab.node.send(ref, 4)
    await lab.settle()
    expect(a.messages).toEqual([1, 2, 3])
    expect(open()).toBe(0)
  })

  it('`reply`: the first message to it closes it', async () => {
    const a = await lab.probe()
    const ref = a.self.alias({ reply: true })
    lab.node.send(ref, 'one')
    lab.node.send(ref, 'two')
    await lab.settle()
    expect(a.messages).toEqual(['one'])
    expect(a.self.unalias(ref)).toBe(false)
    expect(open()).toBe(0)
  })

  it('a process may have many, each closed for itself', async () => {
    const a = await lab.probe()
    const [first, second] = [a.self.alias(), a.self.alias()]
    a.self.unalias(first)
    lab.node.send(first, 'first')
    lab.node.send(second, 'second')
    await lab.settle()
    expect(a.messages).toEqual(['second'])
  })

  it('`unalias` of one that is closed, of another process’s, and of what is no alias is false, and closes nothing', async () => {
    // BEAM: the same.
    const a = await lab.probe()
    const b = await lab.probe()
    const ref = a.self.alias()
    expect(b.self.unalias(ref)).toBe(false)
    expect(b.self.unalias(b.self.monitor(a.pid))).toBe(false)
    expect(b.self.unalias(new Ref({ name: lab.node.name, incarnation: 1 }, ref.id))).toBe(false)
    lab.node.send(ref, 'still open')
    await lab.settle()
    expect(a.messages).toEqual(['still open'])
    expect([a.self.unalias(ref), a.self.unalias(ref)]).toEqual([true, false])
  })

  it('a message to the alias of a dead process is dropped silently', async () => {
    const a = await lab.probe()
    const ref = a.self.alias()
    lab.node.exit(a.pid, 'kill')
    expect(open()).toBe(0)
    expect(lab.node.send(ref, 'anybody?')).toBe('ok')
  })

  it('a message to a reference that is no alias is dropped silently', async () => {
    const a = await lab.probe()
    const other = await lab.probe()
    expect(lab.node.send(a.self.monitor(other.pid), 'x')).toBe('ok')
    expect(lab.node.send(a.self.sendAfter(5, other.pid, 'timer'), 'x')).toBe('ok')
    await lab.advance(5)
    expect([a.messages, other.messages]).toEqual([[], ['timer']])
  })

  it('an alias of an earlier life of the node reaches nobody of this one', async () => {
    const a = await lab.probe()
    const ref = a.self.alias()
    lab.node.send(new Ref({ name: lab.node.name, incarnation: lab.node.incarnation - 1 }, ref.id), 'x')
    await lab.settle()
    expect(a.messages).toEqual([])
  })
})

describe('Aliases: a monitor may make its ref an alias', () => {
  interface Case {
    readonly self: Context
    readonly ref: Ref
    readonly messages: unknown[]
    readonly endTarget: () => Promise<void>
  }

  async function monitorWith(alias: 'explicit_unalias' | 'demonitor' | 'reply_demonitor'): Promise<Case> {
    const { self, messages } = await lab.probe()
    const target = await lab.probe()
    const ref = self.monitor(target.pid, { alias })
    const endTarget = async (): Promise<void> => {
      lab.node.exit(target.pid, 'kill')
      await lab.settle()
    }
    return { self, ref, messages, endTarget }
  }

  async function sendTo(ref: Ref, ...messages: string[]): Promise<void> {
    for (const message of messages) lab.node.send(ref, message)
    await lab.settle()
  }

  // BEAM: each of these, tried with monitor/3.
  it('without the option it is none', async () => {
    const watcher = await lab.probe()
    const target = await lab.probe()
    await sendTo(watcher.self.monitor(target.pid), 'x')
    expect(watcher.messages).toEqual([])
    expect(open()).toBe(0)
  })

  it.each(['explicit_unalias', 'demonitor', 'reply_demonitor'] as const)(
    '`%s`: `unalias` closes it, and the monitor stays',
    async (alias) => {
      const { self, ref, messages, endTarget } = await monitorWith(alias)
      expect([self.unalias(ref), self.unalias(ref)]).toEqual([true, false])
      await sendTo(ref, 'x')
      expect(messages).toEqual([])
      await endTarget()
      expect(messages).toMatchObject([{ type: 'DOWN', ref }])
    },
  )

  it('`explicit_unalias`: it stays open after messages, `demonitor` and all', async () => {
    const { self, ref, messages, endTarget } = await monitorWith('explicit_unalias')
    await sendTo(ref, 'one', 'two')
    expect(self.demonitor(ref, { info: true })).toBe(true)
    await sendTo(ref, 'three')
    await endTarget()
    expect(messages).toEqual(['one', 'two', 'three'])
    expect(self.unalias(ref)).toBe(true)
  })

  it('`explicit_unalias`: it stays open after the `DOWN`', async () => {
    const { self, ref, messages, endTarget } = await monitorWith('explicit_unalias')
    await endTarget()
    await sendTo(ref, 'one')
    expect(messages).toMatchObject([{ type: 'DOWN' }, 'one'])
    expect(self.unalias(ref)).toBe(true)
  })

  it('`demonitor`: it stays open after messages', async () => {
    const { ref, messages, endTarget } = await monitorWith('demonitor')
    await sendTo(ref, 'one', 'two')
    await endTarget()
    expect(messages).toMatchObject(['one', 'two', { type: 'DOWN' }])
  })

  it.each(['demonitor', 'reply_demonitor'] as const)('`%s`: `demonitor` closes it', async (alias) => {
    const { self, ref, messages, endTarget } = await monitorWith(alias)
    expect(self.demonitor(ref, { info: true })).toBe(true)
    expect(open()).toBe(0)
    await sendTo(ref, 'x')
    await endTarget()
    expect(messages).toEqual([])
    expect(self.unalias(ref)).toBe(false)
  })

  it.each(['demonitor', 'reply_demonitor'] as const)('`%s`: the `DOWN` closes it', async (alias) => {
    const { self, ref, messages, endTarget } = await monitorWith(alias)
    await endTarget()
    expect(open()).toBe(0)
    await sendTo(ref, 'x')
    expect(messages).toMatchObject([{ type: 'DOWN' }])
    expect(self.unalias(ref)).toBe(false)
  })

  it.each(['demonitor', 'reply_demonitor'] as const)('`%s`: of a dead process, it is closed at once', async (alias) => {
    const watcher = await lab.probe()
    const ref = watcher.self.monitor(await lab.dead(), { alias })
    expect(open()).toBe(0)
    await sendTo(ref, 'x')
    expect(watcher.messages).toMatchObject([{ type: 'DOWN', reason: 'noproc' }])
  })

  it('a reply can be sent once (`reply_demonitor`): the first message closes it, and ends the monitor', async () => {
    const { self, ref, messages, endTarget } = await monitorWith('reply_demonitor')
    await sendTo(ref, 'one', 'two')
    expect(messages).toEqual(['one'])
    expect(self.demonitor(ref, { info: true })).toBe(false)
    expect(self.unalias(ref)).toBe(false)
    await endTarget()
    expect(messages).toEqual(['one'])
    expect(open()).toBe(0)
  })

  it('`reply_demonitor` by name: the reply ends the monitor of the process that has it', async () => {
    const watcher = await lab.probe()
    const target = await lab.probe()
    target.self.register('target')
    const ref = watcher.self.monitor('target', { alias: 'reply_demonitor' })
    await sendTo(ref, 'one')
    expect(lab.node.processInfo(target.pid)?.monitoredBy).toEqual([])
    lab.node.exit(target.pid, 'kill')
    await lab.settle()
    expect(watcher.messages).toEqual(['one'])
  })

  it('the end of the process closes them all', async () => {
    const { self } = await monitorWith('explicit_unalias')
    self.alias()
    expect(open()).toBe(2)
    lab.node.exit(self.pid, 'kill')
    expect(open()).toBe(0)
  })
})

describe('Aliases: requests', () => {
  it('a reply settles the request, and a second one is dropped, never left in the mailbox', async () => {
    const outcomes: unknown[] = []
    const echo = lab.node.spawn(
      handler((self) => (message) => {
        for (const value of ['first', 'second']) self.send((message as { replyTo: Ref }).replyTo, value)
      }),
    )
    const asker = await lab.deaf()
    asker
      .request(echo, (replyTo) => ({ replyTo }), 1_000)
      .then(
        (outcome) => outcomes.push(outcome),
        (error: unknown) => outcomes.push(error),
      )
    expect(open()).toBe(1)
    await lab.settle()
    expect(outcomes).toEqual([{ type: 'reply', value: 'first' }])
    expect(lab.mailboxOf(asker.pid)).toEqual([])
    expect(lab.node.counters()).toMatchObject({ aliases: 0, timers: 0 })
    expect(lab.node.processInfo(echo)?.monitoredBy).toEqual([])
  })

  it("a reply after a call's timeout is dropped, never left in the mailbox", async () => {
    const refs: Ref[] = []
    const slow = await lab.probe()
    const asker = await lab.deaf()
    const outcome = asker.request(
      slow.pid,
      (replyTo) => {
        refs.push(replyTo)
        return 'question'
      },
      100,
    )
    await lab.advance(100)
    expect(await outcome).toEqual({ type: 'timeout' })
    for (const ref of refs) slow.self.send(ref, 'late')
    await lab.settle()
    expect(slow.messages).toEqual(['question'])
    expect(lab.mailboxOf(asker.pid)).toEqual([])
    expect(lab.node.counters()).toMatchObject({ aliases: 0, timers: 0 })
    expect(lab.node.processInfo(slow.pid)?.monitoredBy).toEqual([])
  })

  it('the end of the one who is asked settles it with the reason, and leaves no DOWN', async () => {
    const slow = await lab.probe()
    const asker = await lab.deaf()
    const outcome = asker.request(slow.pid, () => 'question', 100)
    lab.node.exit(slow.pid, 'kill')
    expect(await outcome).toEqual({ type: 'down', reason: 'killed' })
    expect(lab.mailboxOf(asker.pid)).toEqual([])
    expect(lab.node.counters()).toMatchObject({ aliases: 0, timers: 0 })
  })

  it.each(['dead', 'nobody', 'on a node'])('one that is not there settles it with noproc: %s', async (who) => {
    const asker = await lab.deaf()
    const targets = { dead: await lab.dead(), nobody: 'nobody', 'on a node': { name: 'nobody', node: lab.node.name } }
    const target = targets[who as keyof typeof targets]
    expect(await asker.request(target, () => 'question', 100)).toEqual({ type: 'down', reason: 'noproc' })
    expect(lab.node.counters()).toMatchObject({ aliases: 0, timers: 0 })
  })
})
