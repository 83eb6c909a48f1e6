import { handler, type Node, type NodeIdentity, type Pid, type TableListener } from '@pidmesh/runtime'
import { TestCluster } from '@pidmesh/runtime/testing'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'

let cluster: TestCluster
let a: Node
let b: Node
let told: string[]

beforeEach(async () => {
  cluster = new TestCluster()
  a = await cluster.start('a')
  b = await cluster.start('b')
  await cluster.advance(100)
  told = []
})

afterEach(async () => {
  await cluster.stop()
})

const listener: TableListener = {
  onProcessEnd: (pid: Pid) => void told.push(`ended ${pid.id}`),
  onNodeDown: ({ name }: NodeIdentity) => void told.push(`down ${name}`),
}

const idle = (node: Node): Pid => node.spawn(handler(() => () => undefined))

describe('a table beside the processes', () => {
  it('is told of the end of a process that it watches before anyone else is, and of no other process', async () => {
    const [watched, other] = [idle(a), idle(a)]
    a.spawn(
      handler((self) => {
        self.monitor(watched)
        return () => void told.push('DOWN')
      }),
    )
    await cluster.settle()
    const table = a.self.attachTable(listener)
    expect(table.watch(watched)).toBe(true)
    a.exit(other, 'kill')
    a.exit(watched, 'kill')
    expect(told).toEqual([`ended ${watched.id}`])
    await cluster.settle()
    expect(told).toEqual([`ended ${watched.id}`, 'DOWN'])
  })

  it('cannot watch the dead, nor processes of other nodes', async () => {
    const table = a.self.attachTable(listener)
    const dead = a.spawn(() => undefined)
    await cluster.settle()
    expect(table.watch(dead)).toBe(false)
    expect(table.watch(idle(b))).toBe(false)
  })

  it('is told of a lost connection before nodedown, and nothing after it is detached', async () => {
    a.spawn(
      handler((self) => {
        self.monitorNodes(true)
        return (message) => void told.push((message as { type: string }).type)
      }),
    )
    await cluster.settle()
    const table = a.self.attachTable(listener)
    cluster.crash('b')
    await cluster.advance(10)
    expect(told).toEqual(['down b@127.0.0.1', 'nodedown'])
    table.detach()
    const pid = idle(a)
    table.watch(pid)
    a.exit(pid, 'kill')
    expect(told).toHaveLength(2)
  })

  it('tells its processes even what a full mailbox would drop; those that have ended, and those of other nodes, nothing', async () => {
    let release = (): void => undefined
    const gate = new Promise<void>((resolve) => (release = resolve))
    const got: unknown[] = []
    const full = a.spawn(
      handler(() => async (message) => {
        got.push(message)
        await gate
      }),
      { mailbox: { limit: 2, policy: 'drop' } },
    )
    a.send(full, 'is being handled')
    await cluster.settle()
    for (let i = 0; i < 5; i++) a.send(full, i)
    const table = a.self.attachTable(listener)
    table.tell(full, 'told')
    table.tell(idle(b), 'told')
    release()
    await cluster.settle()
    expect(got).toEqual(['is being handled', 0, 1, 'told'])
    a.exit(full, 'kill')
    table.tell(full, 'told')
    await cluster.settle()
    expect(got).toHaveLength(4)
  })

  it('that throws keeps nobody from being told', () => {
    a.self.attachTable({
      onProcessEnd: () => {
        throw new Error('broken')
      },
      onNodeDown: () => undefined,
    })
    const pid = idle(a)
    a.self.attachTable(listener).watch(pid)
    a.exit(pid, 'kill')
    expect(told).toEqual([`ended ${pid.id}`])
    expect(cluster.log.lines.map(({ message }) => message)).toContain('a table has failed over an end')
  })
})

describe('tagRemote', () => {
  it('says which node a message has come from, whatever it says itself; messages of the own node stay as they are', async () => {
    const got: unknown[] = []
    const pid = a.spawn(
      handler((self) => {
        self.tagRemote((message, { name }) => [name, message])
        self.register('tagged')
        return (message) => void got.push(message)
      }),
    )
    await cluster.settle()
    b.send(pid, 'by pid')
    b.send({ name: 'tagged', node: a.name }, 'by name')
    b.sendAll([pid], 'to all')
    await cluster.advance(10)
    a.send(pid, 'from here')
    await cluster.settle()
    expect(got).toEqual([[b.name, 'by pid'], [b.name, 'by name'], [b.name, 'to all'], 'from here'])
  })
})

describe('drained', () => {
  it('resolves at once if the connection is not busy, and with noconnection if there is none', async () => {
    await expect(cluster.run(a.self.drained(b.name))).resolves.toBe('ok')
    b.send(a.self.pid, 'x')
    expect(a.send(b.self.pid, new Uint8Array(2 * 1024 * 1024))).toBe('busy')
    await expect(cluster.run(a.self.drained(b.name))).resolves.toBe('ok')
    cluster.crash('b')
    await cluster.advance(10)
    await expect(cluster.run(a.self.drained(b.name))).resolves.toBe('noconnection')
  })
})
