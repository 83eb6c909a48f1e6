import { describe, expect, it } from 'vitest'

import { initialConnection, socketOf, step } from '../page/src/connection.ts'
import type { ConnectionEffect, ConnectionEvent, ConnectionState } from '../page/src/connection.ts'

const NODES = [1, 2, 3].map((i) => ({ name: `chat${i}@127.0.0.1`, url: `http://127.0.0.1:808${i}` }))

/** Runs events through the machine; what is asked of the world is in `effects`, those of the last event only. */
class Machine {
  state: ConnectionState
  effects: readonly ConnectionEffect[] = []
  /** Every address that was tried. */
  opened: string[] = []

  constructor(url = 'http://127.0.0.1:8081') {
    this.state = initialConnection(url)
  }

  on(event: ConnectionEvent): this {
    const next = step(this.state, event)
    this.state = next.state
    this.effects = next.effects
    for (const effect of next.effects) if (effect.type === 'open') this.opened.push(effect.url)
    return this
  }

  enter({ user = 'alice', room = 'lobby', held = false } = {}): this {
    return this.on({ type: 'enter', user, room, held })
  }

  opens(): this {
    return this.on({ type: 'opened', socket: this.socket })
  }

  welcomed(i: number, { room = 'lobby', nodes = NODES } = {}): this {
    const node = `chat${i}@127.0.0.1`
    return this.opens().on({
      type: 'frame',
      socket: this.socket,
      message: { type: 'welcome', node, user: this.state.user, room, nodes },
    })
  }

  /** Long enough for the connection to count as good. */
  stable(): this {
    return this.ticks(3).frame().ticks(4).frame().ticks(4).frame()
  }

  frame(): this {
    return this.on({ type: 'frame', socket: this.socket, message: { type: 'pong' } })
  }

  closed(code = 1006, reason = ''): this {
    return this.on({ type: 'closed', socket: this.socket, code, reason })
  }

  ticks(count: number): this {
    for (let i = 0; i < count; i++) this.on({ type: 'tick' })
    return this
  }

  retryDue(): this {
    const { phase } = this.state
    if (phase.is !== 'waiting') throw new Error(`waits for no retry: ${phase.is}`)
    return this.on({ type: 'retryDue', retry: phase.retry })
  }

  get socket(): number {
    const socket = socketOf(this.state.phase)
    if (socket === undefined) throw new Error(`no socket: ${this.state.phase.is}`)
    return socket
  }

  get phase(): string {
    return this.state.phase.is
  }

  get delay(): [number, number] | undefined {
    const effect = this.effects.find((one) => one.type === 'retryAfter')
    return effect && [effect.minMs, effect.maxMs]
  }
}

const online = (i = 1): Machine => new Machine(NODES[i - 1]?.url).enter().welcomed(i).stable()

describe('entering', () => {
  it('opens a socket to the node that served the page, with name and room', () => {
    const machine = new Machine('http://127.0.0.1:8082').enter({ user: 'bob', room: 'cats' })
    expect(machine.effects).toEqual([
      { type: 'open', socket: 1, url: 'http://127.0.0.1:8082', user: 'bob', room: 'cats' },
    ])
  })

  it('is online when it is welcomed, not when the socket opens', () => {
    const machine = new Machine().enter().opens()
    expect(machine.phase).toBe('joining')
    expect(machine.state.entered).toBe(false)
    machine.welcomed(1)
    expect(machine.state).toMatchObject({ phase: { is: 'online', node: 'chat1@127.0.0.1' }, entered: true })
  })

  it('tells that the name is taken, and does not try again', () => {
    const machine = new Machine().enter().opens().closed(4009)
    expect(machine.state).toMatchObject({ phase: { is: 'out' }, notice: { code: 'name-taken', detail: 'alice' } })
    expect(machine.effects).toEqual([])
  })

  it('tells why a node refused it', () => {
    const machine = new Machine().enter().opens().closed(4400, 'bad name')
    expect(machine.state).toMatchObject({ phase: { is: 'out' }, notice: { code: 'refused', detail: 'bad name' } })
  })

  it('forgets the last notice', () => {
    const machine = new Machine().enter().closed(4009).enter({ user: 'bob' })
    expect(machine.state.notice).toBeUndefined()
  })

  it('goes on trying a node that cannot be reached, since it knows no other', () => {
    const machine = new Machine().enter().closed().retryDue().closed().retryDue()
    expect(machine.opened).toEqual(Array(3).fill('http://127.0.0.1:8081'))
  })

  it('is done once: a second one while connecting changes nothing', () => {
    const machine = new Machine().enter()
    const before = machine.state
    expect(machine.enter({ user: 'bob' }).state).toBe(before)
  })
})

describe('the list of nodes', () => {
  it('is learnt from the welcome, beginning a round with the node after this one', () => {
    const machine = online(2).closed().closed().retryDue().closed().retryDue()
    expect(machine.opened).toEqual([2, 3, 1, 2].map((i) => `http://127.0.0.1:808${i}`))
  })

  it('keeps the address that worked for the node that it is on', () => {
    const machine = new Machine('http://localhost:8081').enter().welcomed(1)
    expect(machine.state.nodes.map(({ url }) => url)).toEqual([
      'http://localhost:8081',
      'http://127.0.0.1:8082',
      'http://127.0.0.1:8083',
    ])
  })

  it('keeps nodes that a later welcome does not name', () => {
    const machine = online(1)
      .closed()
      .welcomed(2, { nodes: NODES.slice(1, 2) })
    expect(machine.state.nodes.map(({ name }) => name)).toEqual([2, 1, 3].map((i) => `chat${i}@127.0.0.1`))
    expect(machine.state.cursor).toBe(0)
  })

  it('has the node that it is on, even if that node does not name itself', () => {
    const machine = new Machine().enter().welcomed(1, { nodes: NODES.slice(1) })
    expect(machine.state.nodes.map(({ url }) => url)).toEqual(NODES.map(({ url }) => url))
    expect(machine.state.cursor).toBe(0)
  })
})

describe('a lost connection', () => {
  it.each([1001, 1006, 1011, 1012, 4008, 4011, 4400])(
    'closed with %i is replaced at once, on the next node',
    (code) => {
      const machine = online(1).closed(code)
      expect(machine.effects).toMatchObject([
        { type: 'open', url: 'http://127.0.0.1:8082', user: 'alice', room: 'lobby' },
      ])
      expect(machine.state.entered).toBe(true)
    },
  )

  it('is retried after a growing, bounded time once the first try has failed', () => {
    const machine = online(1)
    const delays: unknown[] = []
    machine.closed()
    for (let i = 0; i < 6; i++) {
      delays.push(machine.closed().delay)
      machine.retryDue()
    }
    expect(delays).toEqual([
      [150, 250],
      [300, 500],
      [600, 1000],
      [1200, 2000],
      [1500, 2000],
      [1500, 2000],
    ])
  })

  it('is not retried at once after a connection that was welcomed and closed right away', () => {
    const machine = online(1).closed().welcomed(2).ticks(7).closed()
    expect(machine.phase).toBe('waiting')
    expect(machine.delay).toEqual([150, 250])
  })

  it('is retried at once again after a connection that was good', () => {
    expect(online(1).closed().welcomed(2).stable().closed().phase).toBe('connecting')
  })

  it('is retried at once when the tab is seen again', () => {
    const machine = online(1).closed().closed()
    expect(machine.on({ type: 'woke' }).phase).toBe('connecting')
  })

  it('is not replaced twice: a retry that is no longer waited for does nothing', () => {
    const machine = online(1).closed().closed()
    const { phase } = machine.state
    if (phase.is !== 'waiting') throw new Error('must wait')
    machine.on({ type: 'woke' })
    const before = machine.state
    expect(machine.on({ type: 'retryDue', retry: phase.retry }).state).toBe(before)
  })

  it('is replaced in the room that was chosen last', () => {
    const machine = online(1).on({ type: 'room', room: 'cats' }).closed()
    expect(machine.effects).toMatchObject([{ type: 'open', room: 'cats' }])
  })
})

describe('a name that is taken while reconnecting', () => {
  it('is tried again for 15 s: the old session is not forgotten at once', () => {
    const machine = online(1).closed()
    for (let quarters = 0; quarters < 60; quarters += 4) {
      machine.opens().closed(4009)
      expect(machine.phase).toBe('waiting')
      machine.ticks(4).retryDue()
    }
    machine.opens().closed(4009)
    expect(machine.state).toMatchObject({ phase: { is: 'out' }, notice: { code: 'name-lost', detail: 'alice' } })
  })

  it('is tried on the node that said so: it works, and the next one may not', () => {
    const machine = online(1).closed().closed(4009).retryDue().closed(4009).retryDue()
    expect(machine.opened.slice(1)).toEqual(Array(3).fill('http://127.0.0.1:8082'))
    expect(machine.closed(1006).retryDue().opened.at(-1)).toBe('http://127.0.0.1:8083')
  })

  it('is tried at least every second', () => {
    const machine = online(1).closed()
    for (let i = 0; i < 8; i++) machine.closed(4009).retryDue()
    expect(machine.closed(4009).delay).toEqual([750, 1000])
  })

  it('has its 15 s anew after the name was ours again', () => {
    const machine = online(1).closed().closed(4009).ticks(50).retryDue().welcomed(3).stable()
    expect(machine.state.nameTakenTicks).toBeUndefined()
    expect(machine.closed().closed(4009).ticks(50).retryDue().closed(4009).phase).toBe('waiting')
  })

  it('includes a reload: the name was held by this tab', () => {
    expect(new Machine().enter({ held: true }).closed(4009).phase).toBe('waiting')
  })

  it('includes a session that was killed by a name clash', () => {
    expect(online(1).closed(4011).closed(4009).phase).toBe('waiting')
  })
})

describe('a node that is silent', () => {
  it('is pinged every second', () => {
    const machine = online(1)
    const pings: number[] = []
    for (let tick = 1; tick <= 12; tick++) {
      machine.on({ type: 'tick' })
      if (machine.effects.length === 0) continue
      expect(machine.effects).toEqual([{ type: 'send', socket: machine.socket, message: { type: 'ping' } }])
      pings.push(tick)
      machine.frame()
    }
    expect(pings).toHaveLength(3)
    expect(Number(pings[1]) - Number(pings[0])).toBe(4)
  })

  it('is dead when 2.5 s of ticks have run since a ping was sent', () => {
    const machine = new Machine().enter().welcomed(1).ticks(4)
    expect(machine.effects).toMatchObject([{ type: 'send' }])
    expect(machine.ticks(9).phase).toBe('online')
    const { socket } = machine
    machine.ticks(1)
    expect(machine.effects).toMatchObject([
      { type: 'close', socket },
      { type: 'open', url: 'http://127.0.0.1:8082' },
    ])
  })

  it('is not dead if any frame came after the ping, whatever the frame', () => {
    const machine = new Machine().enter().welcomed(1).ticks(13)
    machine.on({ type: 'frame', socket: machine.socket, message: { type: 'online', users: [], nodes: [] } })
    expect(machine.ticks(9).phase).toBe('online')
  })

  it('is not dead for a silence without a ping: a tab that woke up after an hour pings first', () => {
    const machine = online(1)
    machine.on({ type: 'woke' })
    expect(machine.effects).toEqual([])
    machine.ticks(1)
    expect(machine.effects).toMatchObject([{ type: 'send', message: { type: 'ping' } }])
    expect(machine.ticks(9).phase).toBe('online')
  })

  it('is given up when it accepts no connection for 2.5 s', () => {
    const machine = online(1).closed().ticks(10)
    expect(machine.effects).toMatchObject([{ type: 'close' }, { type: 'retryAfter' }])
  })

  it('is given up when it accepts a connection and welcomes nobody for 5 s', () => {
    const machine = online(1).closed().opens()
    expect(machine.ticks(19).phase).toBe('joining')
    expect(machine.ticks(1).phase).toBe('waiting')
  })

  it('cannot disturb after that: frames and the end of an abandoned socket change nothing', () => {
    const machine = new Machine().enter().welcomed(1)
    const { socket } = machine
    machine.ticks(14)
    const before = machine.state
    machine.on({ type: 'frame', socket, message: { type: 'pong' } })
    machine.on({ type: 'opened', socket })
    machine.on({ type: 'closed', socket, code: 1006, reason: '' })
    expect(machine.state).toBe(before)
    expect(machine.effects).toEqual([])
  })
})

describe('choosing a room', () => {
  it('joins it', () => {
    const machine = online(1).on({ type: 'room', room: 'cats' })
    expect(machine.effects).toEqual([{ type: 'send', socket: machine.socket, message: { type: 'join', room: 'cats' } }])
  })

  it('is made good by the welcome if it was chosen while connecting', () => {
    const machine = online(1).closed().on({ type: 'room', room: 'cats' })
    expect(machine.effects).toEqual([])
    machine.welcomed(2, { room: 'lobby' })
    expect(machine.effects).toMatchObject([{ type: 'send', message: { type: 'join', room: 'cats' } }])
  })

  it('does nothing for the room that one is in', () => {
    expect(online(1).on({ type: 'room', room: 'lobby' }).effects).toEqual([])
  })
})

describe('leaving', () => {
  it('closes the socket and stays out', () => {
    const machine = online(1)
    const { socket } = machine
    machine.on({ type: 'leave' })
    expect(machine.effects).toEqual([{ type: 'close', socket }])
    expect(machine.state).toMatchObject({ phase: { is: 'out' }, entered: false, held: false, notice: undefined })
    machine.on({ type: 'closed', socket, code: 1000, reason: '' }).ticks(100)
    expect(machine.phase).toBe('out')
  })

  it('ends a wait for a retry', () => {
    const machine = online(1).closed().closed()
    const { phase } = machine.state
    machine.on({ type: 'leave' })
    if (phase.is === 'waiting') machine.on({ type: 'retryDue', retry: phase.retry })
    expect(machine.phase).toBe('out')
  })
})
