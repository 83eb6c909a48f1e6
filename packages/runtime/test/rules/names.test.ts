import { handler, Pid } from '@pidmesh/runtime'
import { describe, expect, it } from 'vitest'
import { codeOf, untyped, useLab } from './probe.ts'

const lab = useLab()

describe('Names on one node', () => {
  it('`register(name, pid)`: a second pid for a name is an error', async () => {
    const a = await lab.probe()
    const b = await lab.probe()
    a.self.register('a')
    expect(codeOf(() => lab.node.register('a', b.pid))).toBe('ERR_NAME_TAKEN')
    expect(codeOf(() => b.self.register('a'))).toBe('ERR_NAME_TAKEN')
    expect(lab.node.whereis('a')).toBe(a.pid)
    expect(lab.node.processInfo(b.pid)?.registeredName).toBeUndefined()
  })

  it('`register(name, pid)`: a second name for a pid is an error', async () => {
    const a = await lab.probe()
    a.self.register('a')
    expect(codeOf(() => lab.node.register('other', a.pid))).toBe('ERR_NAME_TAKEN')
    expect(lab.node.registered()).toEqual(['a'])
    expect(lab.node.processInfo(a.pid)?.registeredName).toBe('a')
  })

  it('`register(name, pid)`: the same name for the same pid once more is an error', async () => {
    // BEAM: badarg.
    const a = await lab.probe()
    a.self.register('a')
    expect(codeOf(() => a.self.register('a'))).toBe('ERR_NAME_TAKEN')
    expect(lab.node.whereis('a')).toBe(a.pid)
  })

  it('`register(name, pid)`: half of a character, which could not be sent as it is, is no name', async () => {
    const a = await lab.probe()
    for (const name of ['\ud800', 'x\udc00', '\ud800x']) {
      expect(codeOf(() => lab.node.register(name, a.pid))).toBe('ERR_BAD_ARGUMENT')
      expect(codeOf(() => lab.node.send({ name, node: lab.node.name }, 1))).toBe('ERR_BAD_ARGUMENT')
    }
    lab.node.register('🙂', a.pid)
    expect(lab.node.whereis('🙂')).toBe(a.pid)
  })

  it('`register(name, pid)`: a dead pid is an error', async () => {
    const dead = await lab.dead()
    expect(codeOf(() => lab.node.register('dead', dead))).toBe('ERR_BAD_ARGUMENT')
    expect(lab.node.whereis('dead')).toBeUndefined()
  })

  it('`register(name, pid)`: a pid of another node, or of an earlier life of this one, is an error', async () => {
    const b = await lab.cluster.start('b')
    const a = await lab.probe()
    const { name, incarnation } = lab.node
    const strangers = [
      b.spawn(handler(() => () => undefined)),
      new Pid({ name, incarnation: incarnation - 1 }, a.pid.id),
    ]
    for (const pid of strangers) expect(codeOf(() => lab.node.register('x', pid))).toBe('ERR_BAD_ARGUMENT')
    expect(lab.node.registered()).toEqual([])
  })

  it('`register(name, pid)`: the name `undefined` is an error', async () => {
    const a = await lab.probe()
    expect(codeOf(() => lab.node.register('undefined', a.pid))).toBe('ERR_BAD_ARGUMENT')
    expect(codeOf(() => lab.node.register(untyped(undefined), a.pid))).toBe('ERR_BAD_ARGUMENT')
    expect(codeOf(() => lab.node.spawn(() => undefined, { name: 'undefined' }))).toBe('ERR_BAD_ARGUMENT')
    expect(lab.node.registered()).toEqual([])
  })

  it('a name has 1 to 255 characters, as an atom has', async () => {
    const a = await lab.probe()
    for (const name of ['', 'x'.repeat(256)]) {
      expect(codeOf(() => a.self.register(name))).toBe('ERR_BAD_ARGUMENT')
      expect(codeOf(() => lab.node.spawn(() => undefined, { name }))).toBe('ERR_BAD_ARGUMENT')
    }
    const longest = 'x'.repeat(255)
    a.self.register(longest)
    expect(lab.node.whereis(longest)).toBe(a.pid)
  })

  it.each(['__proto__', 'constructor', 'toString', ' ', 'ünïcödé', '名前', 'a.b/c', '0'])(
    'a name is a text, and no text means more than itself: %s',
    async (name) => {
      expect(lab.node.whereis(name)).toBeUndefined()
      const a = await lab.probe()
      a.self.register(name)
      lab.node.send(name, 'x')
      await lab.settle()
      expect(lab.node.registered()).toEqual([name])
      expect(a.messages).toEqual(['x'])
    },
  )

  it('A send to an unregistered local name is an error', () => {
    expect(codeOf(() => lab.node.send('nobody', 1))).toBe('ERR_NOT_REGISTERED')
  })

  it('A send to an unregistered local name is an error of the process that sends, and its end if it lets it be', async () => {
    const end = await lab.endOf(() => lab.node.spawn((self) => void self.send('nobody', 1)))
    expect(end).toMatchObject({ error: { code: 'ERR_NOT_REGISTERED' } })
  })

  it('to `{ name, node }` it is silent', () => {
    expect(lab.node.send({ name: 'nobody', node: lab.node.name }, 1)).toBe('ok')
  })

  it('to `{ name, node }` it comes to the one who has the name', async () => {
    const a = await lab.probe()
    a.self.register('a')
    lab.node.send({ name: 'a', node: lab.node.name }, 1)
    lab.node.send('a', 2)
    await lab.settle()
    expect(a.messages).toEqual([1, 2])
  })

  it('a process may send to its own name', async () => {
    const a = await lab.probe()
    a.self.register('a')
    a.self.send('a', 'to myself')
    await lab.settle()
    expect(a.messages).toEqual(['to myself'])
  })

  it('what is sent to a name goes to who has it at that moment', async () => {
    const a = await lab.probe()
    const b = await lab.probe()
    lab.node.register('name', a.pid)
    lab.node.send('name', 1)
    lab.node.unregister('name')
    lab.node.register('name', b.pid)
    lab.node.send('name', 2)
    await lab.settle()
    expect([a.messages, b.messages]).toEqual([[1], [2]])
  })

  it('`unregister` of a name that nobody has is an error', () => {
    expect(codeOf(() => lab.node.unregister('nobody'))).toBe('ERR_NOT_REGISTERED')
  })

  it('any process may unregister a name, and its process may then have another', async () => {
    const a = await lab.probe()
    const b = await lab.probe()
    a.self.register('first')
    b.self.unregister('first')
    expect(lab.node.whereis('first')).toBeUndefined()
    a.self.register('second')
    expect(lab.node.processInfo(a.pid)?.registeredName).toBe('second')
  })

  it('any process may register another', async () => {
    const a = await lab.probe()
    const b = await lab.probe()
    b.self.register('a', a.pid)
    expect(b.self.whereis('a')).toBe(a.pid)
  })

  it('a name ends with its process, and can be had by another at once', async () => {
    const a = await lab.probe()
    const b = await lab.probe()
    a.self.register('name')
    lab.node.exit(a.pid, 'kill')
    expect(lab.node.whereis('name')).toBeUndefined()
    b.self.register('name')
    expect(lab.node.whereis('name')).toBe(b.pid)
  })

  it('a process that gave up its name leaves it to whoever has it when it ends', async () => {
    const a = await lab.probe()
    const b = await lab.probe()
    a.self.register('name')
    a.self.unregister('name')
    b.self.register('name')
    lab.node.exit(a.pid, 'kill')
    expect(lab.node.whereis('name')).toBe(b.pid)
  })

  it('`registered` gives all names, sorted', async () => {
    expect(lab.node.registered()).toEqual([])
    for (const name of ['c', 'a', 'b'])
      lab.node.spawn(
        handler(() => () => undefined),
        { name },
      )
    expect(lab.node.registered()).toEqual(['a', 'b', 'c'])
    expect(lab.node.counters().registeredNames).toBe(3)
  })

  it('`spawn` with a name registers it before the process can run, and before `spawn` returns', async () => {
    const seen: unknown[] = []
    const pid = lab.node.spawn((self) => void seen.push(self.whereis('name')?.equals(self.pid)), { name: 'name' })
    expect(lab.node.whereis('name')).toBe(pid)
    await lab.settle()
    expect(seen).toEqual([true])
  })

  it.each(['spawn', 'spawnLink', 'spawnMonitor'] as const)(
    '`%s` with a name that is taken is an error, and leaves nothing behind',
    async (method) => {
      const a = await lab.probe()
      const holder = await lab.probe()
      holder.self.register('taken')
      const before = { processes: lab.node.processes(), counters: lab.node.counters() }
      let ran = false
      const body = (): void => {
        ran = true
      }
      expect(codeOf(() => a.self[method](body, { name: 'taken' }))).toBe('ERR_NAME_TAKEN')
      expect(lab.node.processes()).toEqual(before.processes)
      expect(lab.node.counters()).toEqual(before.counters)
      await lab.settle()
      expect(ran).toBe(false)
      expect(a.messages).toEqual([])
      expect(lab.node.processInfo(a.pid)).toMatchObject({ links: [], monitors: [] })
    },
  )
})
