import { handler } from '@pidmesh/runtime'
import { describe, expect, it } from 'vitest'
import { useLab } from './probe.ts'

const lab = useLab()

describe('Links', () => {
  it('Bidirectional: each side is told of the end of the other', async () => {
    for (const first of [true, false]) {
      const a = await lab.probe()
      const b = await lab.probe()
      a.self.link(b.pid)
      const [goes, stays] = first ? [a, b] : [b, a]
      lab.node.exit(goes.pid, 'kill')
      await lab.settle()
      expect(stays.messages).toEqual([{ type: 'EXIT', from: goes.pid, reason: 'killed' }])
    }
  })

  it('idempotent: however often two are linked, from either side, one exit signal comes', async () => {
    const a = await lab.probe()
    const b = await lab.probe()
    a.self.link(b.pid)
    a.self.link(b.pid)
    b.self.link(a.pid)
    expect(lab.node.processInfo(a.pid)?.links).toEqual([b.pid])
    lab.node.exit(a.pid, 'kill')
    await lab.settle()
    expect(b.messages).toHaveLength(1)
  })

  it('idempotent: one unlink, from either side, ends it, however often they were linked', async () => {
    const a = await lab.probe()
    const b = await lab.probe()
    a.self.link(b.pid)
    a.self.link(b.pid)
    b.self.unlink(a.pid)
    expect(lab.node.processInfo(a.pid)?.links).toEqual([])
    expect(lab.node.processInfo(b.pid)?.links).toEqual([])
    lab.node.exit(a.pid, 'kill')
    await lab.settle()
    expect(b.messages).toEqual([])
  })

  it('linking to oneself does nothing', async () => {
    const a = await lab.probe()
    a.self.link(a.pid)
    await lab.settle()
    expect(a.messages).toEqual([])
    expect(lab.node.processInfo(a.pid)?.links).toEqual([])
    a.self.unlink(a.pid)
    expect(a.self.isAlive).toBe(true)
  })

  it('Linking to a dead process gives `noproc` as an exit signal: an EXIT message if it is trapped', async () => {
    const a = await lab.probe()
    const dead = await lab.dead()
    a.self.link(dead)
    await lab.settle()
    expect(a.messages).toEqual([{ type: 'EXIT', from: dead, reason: 'noproc' }])
    expect(lab.node.processInfo(a.pid)?.links).toEqual([])
  })

  it('Linking to a dead process gives `noproc` as an exit signal: the end of a process that does not trap', async () => {
    // BEAM: the error noproc, thrown by link/1; what SEMANTICS says is the signal, which ends the process all the same.
    const dead = await lab.dead()
    expect(await lab.endOf(() => lab.node.spawn((self) => self.link(dead)))).toBe('noproc')
  })

  it('Linking to an unknown process gives `noproc` as an exit signal', async () => {
    const a = await lab.probe()
    const pid = await lab.dead()
    const { Pid } = await import('@pidmesh/runtime')
    const unknown = new Pid(pid.origin, 1_000_000)
    a.self.link(unknown)
    await lab.settle()
    expect(a.messages).toEqual([{ type: 'EXIT', from: unknown, reason: 'noproc' }])
  })

  it('Linking to a process of an earlier life of this node gives `noproc` as an exit signal', async () => {
    const a = await lab.probe()
    const { Pid } = await import('@pidmesh/runtime')
    const earlier = new Pid({ name: lab.node.name, incarnation: lab.node.incarnation - 1 }, a.pid.id)
    a.self.link(earlier)
    await lab.settle()
    expect(a.messages).toEqual([{ type: 'EXIT', from: earlier, reason: 'noproc' }])
  })

  it('After `unlink` returns, no exit signal from that link arrives', async () => {
    const a = await lab.probe()
    const b = await lab.probe(false)
    a.self.link(b.pid)
    b.self.unlink(a.pid)
    lab.node.exit(a.pid, 'kill')
    await lab.settle()
    expect(lab.node.isProcessAlive(b.pid)).toBe(true)
  })

  it('After `unlink` returns, no exit signal from that link arrives: unlinked in the turn in which both end', async () => {
    const a = await lab.probe()
    const b = await lab.probe()
    a.self.link(b.pid)
    lab.node.spawn(() => {
      a.self.unlink(b.pid)
      b.self.exit(b.pid, 'kill')
    })
    await lab.settle()
    expect(a.messages).toEqual([])
  })

  it('After `unlink` returns, no exit signal from that link arrives: also if it is called while the other is ending', async () => {
    // The listener runs when the process is dead and nobody has been told of it: see signals/exits.ts.
    const a = await lab.probe()
    const b = await lab.probe()
    a.self.link(b.pid)
    let toldBefore: number | undefined
    b.self.signal.addEventListener('abort', () => {
      a.self.unlink(b.pid)
      toldBefore = lab.mailboxOf(a.pid)?.length
    })
    lab.node.exit(b.pid, 'kill')
    await lab.settle()
    expect(toldBefore).toBe(0)
    expect(a.messages).toEqual([])
  })

  it('an EXIT that is in the mailbox when `unlink` is called stays there', async () => {
    // BEAM: the same; the documentation of unlink/1 shows how to flush it.
    const self = await lab.deaf()
    const other = await lab.probe()
    self.link(other.pid)
    lab.node.exit(other.pid, 'kill')
    self.unlink(other.pid)
    expect(lab.mailboxOf(self.pid)).toHaveLength(1)
  })

  it('unlinking one that is not linked, is dead, or is unknown does nothing', async () => {
    const a = await lab.probe()
    const b = await lab.probe()
    a.self.unlink(b.pid)
    a.self.unlink(await lab.dead())
    await lab.settle()
    expect(a.messages).toEqual([])
  })

  it('linked again after an unlink, they are linked', async () => {
    const a = await lab.probe()
    const b = await lab.probe()
    a.self.link(b.pid)
    a.self.unlink(b.pid)
    b.self.link(a.pid)
    lab.node.exit(b.pid, 'kill')
    await lab.settle()
    expect(a.messages).toHaveLength(1)
  })

  it('a normal exit does not end a linked process that does not trap', async () => {
    const stays = await lab.probe(false)
    const quiet = lab.node.spawn((self) => self.link(stays.pid))
    await lab.settle()
    expect(lab.node.isProcessAlive(quiet)).toBe(false)
    expect(lab.node.isProcessAlive(stays.pid)).toBe(true)
    expect(lab.node.processInfo(stays.pid)?.links).toEqual([])
  })

  it('a normal exit is an EXIT message to a linked process that traps', async () => {
    const a = await lab.probe()
    const pid = lab.node.spawn((self) => self.link(a.pid))
    await lab.settle()
    expect(a.messages).toEqual([{ type: 'EXIT', from: pid, reason: 'normal' }])
  })

  it('another reason ends a linked process that does not trap, with the same reason', async () => {
    const goes = await lab.probe(false)
    const end = await lab.endOf(() => {
      lab.node.spawn((self) => {
        self.link(goes.pid)
        self.exit({ shutdown: 'boom' })
      })
      return goes.pid
    })
    expect(end).toEqual({ shutdown: 'boom' })
  })

  it('a kill that comes over a link can be trapped', async () => {
    // BEAM: {'EXIT', Pid, kill}.
    const a = await lab.probe(true)
    const pid = lab.node.spawn((self) => {
      self.link(a.pid)
      self.exit('kill')
    })
    await lab.settle()
    expect(a.messages).toEqual([{ type: 'EXIT', from: pid, reason: 'kill' }])
  })

  it('a kill that comes over a link ends a process that does not trap with the reason kill, not killed', async () => {
    // BEAM: 'DOWN' with kill.
    const end = await lab.endOf(() =>
      lab.node.spawn(async (self) => {
        self.spawnLink((child) => child.exit('kill'))
        await self.receive()
      }),
    )
    expect(end).toBe('kill')
  })

  it('the end of a process that was killed ends its linked with the reason killed', async () => {
    const a = await lab.probe()
    const b = await lab.probe(false)
    a.self.link(b.pid)
    const end = await lab.endOf(() => {
      queueMicrotask(() => lab.node.exit(a.pid, 'kill'))
      return b.pid
    })
    expect(end).toBe('killed')
  })

  it('an exit signal passes from link to link, through those that do not trap to the first that does', async () => {
    const chain = [await lab.probe(false), await lab.probe(false), await lab.probe(true), await lab.probe(false)]
    const [a, b, c, d] = chain
    if (a === undefined || b === undefined || c === undefined || d === undefined) throw new Error('four')
    a.self.link(b.pid)
    b.self.link(c.pid)
    c.self.link(d.pid)
    lab.node.exit(a.pid, 'boom')
    await lab.settle()
    expect(chain.map(({ self }) => self.isAlive)).toEqual([false, false, true, true])
    expect(c.messages).toEqual([{ type: 'EXIT', from: b.pid, reason: 'boom' }])
  })

  it('`exit(pid, reason)` to a linked process is told once: an exit signal of its own is not one of the link', async () => {
    const a = await lab.probe(true)
    const b = await lab.probe(true)
    a.self.link(b.pid)
    a.self.exit(b.pid, 'boom')
    await lab.settle()
    expect(b.messages).toEqual([{ type: 'EXIT', from: a.pid, reason: 'boom' }])
    expect(lab.node.processInfo(a.pid)?.links).toEqual([b.pid])
  })

  it('spawnLink links before the new process can run', async () => {
    const a = await lab.probe()
    const child = a.self.spawnLink((self) => self.exit('at once'))
    expect(lab.node.processInfo(child)?.links).toEqual([a.pid])
    await lab.settle()
    expect(a.messages).toEqual([{ type: 'EXIT', from: child, reason: 'at once' }])
  })

  it('the exit of the first of 100,000 linked processes ends them all and overflows no stack', async () => {
    let last = lab.node.spawn(async (self) => void (await self.receive()))
    const first = last
    for (let i = 0; i < 100_000; i++) {
      const next = last
      last = lab.node.spawn(
        handler((self) => {
          self.link(next)
          return () => undefined
        }),
      )
    }
    await lab.settle()
    lab.node.exit(first, 'boom')
    expect(lab.node.processes()).toHaveLength(1)
  })

  it.each([0, 1])('When the connection to the other node is lost both ends get `noconnection`: end %i', async (end) => {
    const b = await lab.cluster.start('b')
    const here = await lab.probe()
    const messages: unknown[] = []
    b.spawn(
      handler((self) => {
        self.trapExit = true
        self.link(here.pid)
        return (message) => void messages.push(message)
      }),
    )
    await lab.advance(10)
    lab.cluster.partition(['a'], ['b'])
    await lab.advance(10_000)
    expect([here.messages, messages][end]).toMatchObject([{ type: 'EXIT', reason: 'noconnection' }])
  })

  it('reconnecting restores nothing', async () => {
    const b = await lab.cluster.start('b')
    const here = await lab.probe()
    const there = b.spawn(handler(() => () => undefined))
    here.self.link(there)
    await lab.advance(10)
    lab.cluster.partition(['a'], ['b'])
    await lab.advance(10_000)
    lab.cluster.heal()
    await lab.advance(10_000)
    expect(lab.node.nodes()).toEqual([b.name])
    b.exit(there, 'kill')
    await lab.advance(100)
    expect(here.messages).toHaveLength(1)
    expect(lab.node.processInfo(here.pid)?.links).toEqual([])
  })

  it('a lost connection gives no exit signal of a link that is ended while the others get theirs', async () => {
    const far = await lab.cluster.start('b')
    await lab.settle()
    const linked = await lab.probe()
    const [first, second] = [1, 2].map(() => far.spawn(handler(() => () => undefined)))
    if (first === undefined || second === undefined) throw new Error('not spawned')
    linked.self.link(first)
    linked.self.link(second)
    lab.node.trace(linked.pid, { receive: true }, () => linked.self.unlink(second))
    lab.node.disconnectNode(far.name)
    await lab.settle()
    expect(linked.messages).toEqual([{ type: 'EXIT', from: first, reason: 'noconnection' }])
    expect(lab.node.processInfo(linked.pid)?.links).toEqual([])
  })
})
