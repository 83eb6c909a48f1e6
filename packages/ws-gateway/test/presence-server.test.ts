/**
 * PURPOSE: all who watch a room are told of it by the same message, which is made and encoded once however many they are.
 */
import { cast, start } from '@pidmesh/gen-server'
import { ProcessGroups } from '@pidmesh/global-ets'
import { handler, type Node, type Pid } from '@pidmesh/runtime'
import { TestCluster } from '@pidmesh/runtime/testing'
import { afterEach, beforeEach, expect, it } from 'vitest'
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
