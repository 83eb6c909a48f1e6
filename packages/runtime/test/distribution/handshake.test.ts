import { describe, expect, it } from 'vitest'
import { Cookies } from '../../src/distribution/cookies.ts'
import {
  startDialer,
  startListener,
  stepHandshake,
  type HandshakeConfig,
  type HandshakeEffect,
  type HandshakeState,
} from '../../src/distribution/handshake.ts'
import { nodeName } from '../../src/ids.ts'
import type { HandshakeMessage } from '../../src/wire/frame.ts'

function config(name: string, more: Partial<HandshakeConfig> = {}): HandshakeConfig {
  return {
    self: { name: nodeName(`${name}@127.0.0.1`), incarnation: 1_000 },
    cookies: new Cookies(['a shared secret']),
    nonce: new Uint8Array(32).fill(name.charCodeAt(0)),
    address: `127.0.0.1:${name.charCodeAt(0)}`,
    versions: { oldest: 1, newest: 1 },
    isHidden: false,
    tickMs: 1_000,
    prove: () => 'prove',
    admit: () => 'admit',
    ...more,
  }
}

interface Outcome {
  readonly dialer: HandshakeEffect[]
  readonly listener: HandshakeEffect[]
  readonly wire: HandshakeMessage[]
}

/** Runs both machines against each other; `tamper` stands between them. */
function shake(
  dialer: HandshakeConfig,
  listener: HandshakeConfig,
  tamper = (message: HandshakeMessage) => message,
): Outcome {
  const outcome: Outcome = { dialer: [], listener: [], wire: [] }
  const started = startDialer(dialer)
  const states: { dialer: HandshakeState; listener: HandshakeState } = {
    dialer: started.state,
    listener: startListener(),
  }
  const queue: Array<{ to: 'dialer' | 'listener'; message: HandshakeMessage }> = []
  const apply = (who: 'dialer' | 'listener', effects: readonly HandshakeEffect[]): void => {
    outcome[who].push(...effects)
    for (const effect of effects) {
      if (effect.type === 'send')
        queue.push({ to: who === 'dialer' ? 'listener' : 'dialer', message: tamper(effect.message) })
    }
  }
  apply('dialer', started.effects)
  for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
    outcome.wire.push(next.message)
    const { state, effects } = stepHandshake(states[next.to], next.message, next.to === 'dialer' ? dialer : listener)
    states[next.to] = state
    apply(next.to, effects)
  }
  return outcome
}

const ends = (effects: readonly HandshakeEffect[]) => effects.filter((effect) => effect.type !== 'send')

describe('the handshake', () => {
  it('a node whose name and incarnation only make the same text, one behind the other, is another', () => {
    const self = { name: nodeName('a@127.0.0.1'), incarnation: 1_234 }
    const other = { name: nodeName('a@127.0.0.11'), incarnation: 234 }
    const { listener } = shake(config('a', { self }), config('b'), (message) =>
      message.type === 'hello' ? { ...message, node: other } : message,
    )
    expect(ends(listener)).toMatchObject([{ type: 'close', code: 'bad_cookie', by: 'us' }])
  })

  it('who says that the dialer speaks other versions than it has said is found out, though the one that is chosen is the same', () => {
    const versions = { oldest: 1, newest: 3 }
    for (const change of [{ oldestVersion: 2 }, { oldestVersion: 3 }]) {
      const { dialer, listener } = shake(config('a', { versions }), config('b', { versions }), (message) =>
        message.type === 'hello' ? { ...message, ...change } : message,
      )
      expect(ends(listener)).toMatchObject([{ type: 'close', code: 'bad_cookie', by: 'us' }])
      expect(ends(dialer)).toMatchObject([{ type: 'close', code: 'bad_cookie', by: 'peer' }])
    }
  })

  it('with one cookie both sides are up, and know who the other is', () => {
    const { dialer, listener } = shake(config('a'), config('b'))
    const as = (name: string) => ({
      identity: config(name).self,
      address: config(name).address,
      isHidden: false,
      tickMs: 1_000,
      version: 1,
    })
    expect(ends(dialer)).toEqual([{ type: 'up', peer: as('b') }])
    expect(ends(listener)).toEqual([{ type: 'up', peer: as('a') }])
  })

  it('with different cookies neither side is up, and nothing but names and nonces was disclosed', () => {
    const { dialer, listener, wire } = shake(config('a', { cookies: new Cookies(['another secret']) }), config('b'))
    expect(ends(listener)).toMatchObject([{ type: 'close', code: 'bad_cookie', by: 'us' }])
    expect(ends(dialer)).toMatchObject([{ type: 'close', code: 'bad_cookie', by: 'peer' }])
    expect(wire.map((message) => message.type)).toEqual(['hello', 'challenge', 'proof', 'refused'])
  })

  it('in each step of a rotation, each two nodes know one cookie in common that is good enough', () => {
    const steps = [['old'], ['old', 'new'], ['new', 'old'], ['new']] as const
    for (const [i, ours] of steps.entries()) {
      for (const theirs of steps.slice(Math.max(0, i - 1), i + 2)) {
        const { dialer, listener } = shake(
          config('a', { cookies: new Cookies(ours) }),
          config('b', { cookies: new Cookies(theirs) }),
        )
        expect([ends(dialer), ends(listener)], `${ours.join()} dials ${theirs.join()}`).toMatchObject([
          [{ type: 'up' }],
          [{ type: 'up' }],
        ])
      }
    }
    const { listener } = shake(
      config('a', { cookies: new Cookies(['old']) }),
      config('b', { cookies: new Cookies(['new']) }),
    )
    expect(ends(listener)).toMatchObject([{ type: 'close', code: 'bad_cookie' }])
  })

  it('a listener that does not know the cookie is not believed by the dialer', () => {
    const { dialer } = shake(config('a'), config('b'), (message) =>
      message.type === 'accepted' ? { ...message, mac: new Uint8Array(32) } : message,
    )
    expect(ends(dialer)).toMatchObject([{ type: 'close', code: 'bad_cookie', by: 'us' }])
  })

  it("a dialer's proof sent back to it as the listener's is refused", () => {
    let proof: Uint8Array | undefined
    const { dialer } = shake(config('a'), config('b'), (message) => {
      if (message.type === 'proof') proof = message.mac
      return message.type === 'accepted' && proof !== undefined ? { ...message, mac: proof } : message
    })
    expect(ends(dialer)).toMatchObject([{ type: 'close', code: 'bad_cookie' }])
  })

  it('a proof of an earlier connection does not open a new one', () => {
    const earlier = shake(config('a'), config('b')).wire.find((message) => message.type === 'proof')
    const fresh = config('b', { nonce: new Uint8Array(32).fill(99) })
    const { listener } = shake(config('a', { cookies: new Cookies(['does not know it']) }), fresh, (message) =>
      message.type === 'proof' && earlier !== undefined ? earlier : message,
    )
    expect(ends(listener)).toMatchObject([{ type: 'close', code: 'bad_cookie' }])
  })

  it.each(['name', 'incarnation'] as const)('a %s that was changed on the way is found out', (field) => {
    const { dialer, listener } = shake(config('a'), config('b'), (message) =>
      message.type === 'hello'
        ? { ...message, node: { ...message.node, [field]: field === 'name' ? nodeName('c@127.0.0.1') : 7 } }
        : message,
    )
    expect(ends(listener)).toMatchObject([{ type: 'close', code: 'bad_cookie' }])
    expect(ends(dialer)).toMatchObject([{ type: 'close' }])
  })

  it('a dialer that has been dialed meanwhile gives up its own dial before it proves anything', () => {
    const { dialer, listener, wire } = shake(config('a', { prove: () => 'already_connected' }), config('b'))
    expect(ends(dialer)).toMatchObject([{ type: 'close', code: 'already_connected', by: 'us' }])
    expect(ends(listener)).toMatchObject([{ type: 'close', code: 'already_connected', by: 'peer' }])
    expect(wire.map((message) => message.type)).toEqual(['hello', 'challenge', 'refused'])
  })

  it('nobody is asked whether to admit a peer that has not proved that it knows the cookie', () => {
    let asked = 0
    const admit = () => {
      asked++
      return 'admit' as const
    }
    shake(config('a', { cookies: new Cookies(['wrong']) }), config('b', { admit }))
    expect(asked).toBe(0)
    shake(config('a'), config('b', { admit }))
    expect(asked).toBe(1)
  })

  it('a node that dials itself, or its own name, is refused with a code that says so', () => {
    expect(ends(shake(config('a'), config('a')).dialer)).toMatchObject([{ type: 'close', code: 'self' }])
    const twin = config('a', { self: { name: config('a').self.name, incarnation: 2_000 } })
    expect(ends(shake(config('a'), twin).dialer)).toMatchObject([{ type: 'close', code: 'duplicate_name' }])
  })

  it.each([
    ['the newest that both speak', [1, 3], [2, 5], 3],
    ['the only one of an older node', [1, 3], [1, 1], 1],
    ['the only one of an older dialer', [1, 1], [1, 3], 1],
  ] as const)('of the versions of two nodes they take %s', (_which, [d, dNewest], [l, lNewest], version) => {
    const { dialer, listener } = shake(
      config('a', { versions: { oldest: d, newest: dNewest } }),
      config('b', { versions: { oldest: l, newest: lNewest } }),
    )
    expect(ends(dialer)).toMatchObject([{ type: 'up', peer: { version } }])
    expect(ends(listener)).toMatchObject([{ type: 'up', peer: { version } }])
  })

  it.each([
    [
      [3, 4],
      [1, 2],
    ],
    [
      [1, 2],
      [3, 4],
    ],
  ] as const)(
    'nodes of the versions %j and %j refuse each other, and each knows what the other speaks',
    ([d, dNewest], [l, lNewest]) => {
      const ours = { oldest: d, newest: dNewest }
      const theirs = { oldest: l, newest: lNewest }
      const { dialer, listener } = shake(config('a', { versions: ours }), config('b', { versions: theirs }))
      expect(ends(dialer)).toMatchObject([{ type: 'close', code: 'version', by: 'peer', versions: theirs }])
      expect(ends(listener)).toMatchObject([{ type: 'close', code: 'version', by: 'us', versions: ours }])
    },
  )

  it('a listener that chooses a version that was not offered is refused', () => {
    const { dialer } = shake(config('a'), config('b'), (message) =>
      message.type === 'challenge' ? { ...message, version: 9 } : message,
    )
    expect(ends(dialer)).toMatchObject([{ type: 'close', code: 'version', by: 'us' }])
  })

  it.each([
    ['the versions that are offered', { type: 'hello', version: 1 }],
    ['the version that is chosen', { type: 'challenge', version: 1 }],
    ['the address of the dialer', { type: 'hello', address: '127.0.0.1:6' }],
    ['that the dialer is hidden', { type: 'hello', isHidden: true }],
    ['the address of the listener', { type: 'accepted', address: '127.0.0.1:6' }],
    ['how often the dialer ticks', { type: 'hello', tickMs: 7 }],
    ['how often the listener ticks', { type: 'accepted', tickMs: 7 }],
    ['that the listener is hidden', { type: 'accepted', isHidden: true }],
  ])('%s is covered by the proof: who changes it on the way is found out', (_what, change) => {
    const versions = { oldest: 1, newest: 2 }
    const { dialer } = shake(config('a', { versions }), config('b', { versions }), (message) =>
      message.type === change.type ? ({ ...message, ...change } as HandshakeMessage) : message,
    )
    expect(ends(dialer)).toMatchObject([{ type: 'close', code: 'bad_cookie' }])
  })

  it('each side learns whether the other is hidden', () => {
    const { dialer, listener } = shake(config('a', { isHidden: true }), config('b'))
    expect(ends(dialer)).toMatchObject([{ type: 'up', peer: { isHidden: false, tickMs: 1_000 } }])
    expect(ends(listener)).toMatchObject([{ type: 'up', peer: { isHidden: true } }])
  })

  it('whatever comes out of turn closes the connection', () => {
    const messages: HandshakeMessage[] = [
      {
        type: 'hello',
        version: 1,
        oldestVersion: 1,
        node: config('a').self,
        nonce: new Uint8Array(32),
        address: '',
        isHidden: false,
        tickMs: 1_000,
      },
      { type: 'challenge', version: 1, node: config('a').self, nonce: new Uint8Array(32) },
      { type: 'proof', mac: new Uint8Array(32) },
      { type: 'accepted', mac: new Uint8Array(32), address: '', isHidden: false, tickMs: 1_000 },
      { type: 'refused', code: 'unheard of', versions: undefined },
    ]
    for (const message of messages.slice(1)) {
      expect(stepHandshake(startListener(), message, config('b')).effects.at(-1)).toMatchObject({
        type: 'close',
        code: 'protocol',
      })
    }
    for (const message of messages) {
      expect(stepHandshake({ type: 'done' }, message, config('b')).effects.at(-1)).toMatchObject({
        type: 'close',
        code: 'protocol',
      })
    }
    const short = { ...messages[0], nonce: new Uint8Array(8) } as HandshakeMessage
    expect(stepHandshake(startListener(), short, config('b')).effects.at(-1)).toMatchObject({
      type: 'close',
      code: 'protocol',
    })
  })
})
