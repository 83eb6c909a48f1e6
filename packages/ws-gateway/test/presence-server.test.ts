/**
 * PURPOSE: all who watch a room are told of it by the same message, which is made and encoded once however many they are.
 */
import { cast, start } from '@pidmesh/gen-server'
import { ProcessGroups } from '@pidmesh/global-ets'
import { handler, type Node, type Pid } from '@pidmesh/runtime'
import { TestCluster } from '@pidmesh/runtime/testing'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { PresenceChange, PresenceServer, type PresenceCast } from '../src/presence-server.ts'

let cluster: TestCluster
let node: Node
let groups: ProcessGroups
let server: Pid

beforeEach(async () => {
  cluster = new TestCluster()
  node = await cluster.start('a')
  groups = await cluster.run(ProcessGroups.start(node))
  server = await cluster.run(start(node, PresenceServer, [groups]))
})

afterEach(async () => {
  await cluster.stop()
})

const MEMBER = { session: 's', moves: 0, meta: {} }

/** What a process that watches the hall has been told. */
async function watch(): Promise<PresenceChange[]> {
  const told: PresenceChange[] = []
  const session = node.spawn(
    handler(() => (message) => void (message instanceof PresenceChange ? told.push(message) : undefined)),
  )
  cast<PresenceCast>(node, server, { type: 'watch', room: 'hall', session })
  await cluster.settle()
  return told
}

async function enter(id: string): Promise<void> {
  const pid = node.spawn(handler(() => () => undefined))
  groups.join('room:hall', pid, { ...MEMBER, id })
  await cluster.advance(1)
}

const present = (...ids: readonly string[]) => ids.map((id) => ({ id, metas: [{}] }))

it('all who watch between two changes get the same message', async () => {
  await enter('ann')
  const [[first], [second]] = [await watch(), await watch()]
  expect(second).toBe(first)
  expect(first?.message).toEqual({ type: 'presence_state', room: 'hall', present: present('ann') })
})

it('who watches after a change is told how it is since, and the others of the change alone', async () => {
  await enter('ann')
  const before = await watch()
  await enter('bob')
  const after = await watch()
  expect(before.map(({ message }) => message)).toEqual([
    { type: 'presence_state', room: 'hall', present: present('ann') },
    { type: 'presence_diff', room: 'hall', joined: present('bob'), left: [] },
  ])
  expect(after.map(({ message }) => message)).toEqual([
    { type: 'presence_state', room: 'hall', present: present('ann', 'bob') },
  ])
})

it('who ends, or gives up a room, takes nothing from others who watch it; with the last one its monitor ends', async () => {
  const ended = vi.spyOn(groups, 'demonitor')
  const told: unknown[][] = [[], []]
  const sessions = told.map((messages) => node.spawn(handler(() => (message) => void messages.push(message))))
  const [one, other] = sessions as [Pid, Pid]
  const ask = (type: 'watch' | 'unwatch', room: string, session: Pid): void => {
    cast<PresenceCast>(node, server, { type, room, session })
  }
  for (const room of ['hall', 'yard', 'attic']) ask('watch', room, one)
  ask('watch', 'hall', other)
  await cluster.settle()
  node.exit(one, 'kill')
  await cluster.settle()
  expect(ended).toHaveBeenCalledTimes(2)
  await enter('ann')
  expect(told[1]).toHaveLength(2)
  ask('unwatch', 'hall', other)
  await cluster.settle()
  expect(ended).toHaveBeenCalledTimes(3)
  await enter('bob')
  expect(told[1]).toHaveLength(2)
})
