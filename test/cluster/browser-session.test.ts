// PURPOSE: the session of a page goes on where it can: over a reload, and at another node when its own stops in good order. Where it can't, the page says so.

import { describe, expect, it } from 'vitest'

import { ChatClient, expectSameTables } from './support/chat-client.ts'
import type { OnlineUser } from './support/chat-client.ts'
import type { ChatPage } from './support/chat-page.ts'
import {
  backOnAnother,
  browserForAll,
  enter,
  expectOnline,
  PAGE_BACK_AFTER_KILL_MS,
  shortName,
  startCluster,
} from './support/demo-pages.ts'
import type { DemoNode } from './support/demo-process.ts'
import { until } from './support/until.ts'

/** Of what is said to a page that is away a session keeps 64 messages, and some from before may be among them. */
const SAID_MEANWHILE = 40

const browser = browserForAll()

describe('the session of a page', () => {
  it('goes to another node when its own is told to stop, with its room, and nothing of what is said meanwhile is lost', async () => {
    const [chat1, chat2] = await startCluster()
    const { alice, bob } = await meetInRoom('cats', chat1, chat2)

    const toldMs = performance.now()
    process.kill(chat1.pid, 'SIGTERM')
    const said: string[] = []
    const node = await until('the page is back on another node', async () => {
      if (said.length < SAID_MEANWHILE) sayAndTell(bob, said)
      const seen = await alice.see()
      return seen.state === 'connected' && seen.node !== chat1.name ? seen.node : undefined
    })
    const back = { name: node }
    console.log(
      `SIGTERM: page back after ${Math.round(performance.now() - toldMs)} ms, ${said.length} messages meanwhile`,
    )
    sayAndTell(bob, said)
    await until('all that was said is shown, each once', async () => (await heardFrom('bob', alice)) === sorted(said), {
      instead: () => ({ said: sorted(said) }),
    })
    expect((await alice.see()).notices).toEqual([
      'chat1 is shutting down. Looking for another node.',
      `Moved from chat1 to ${shortName(back)}.`,
    ])
    await expectOnline(alice, { alice: back, bob: chat2 })
    await alice.say('still among cats')
    await until('the room hears the page', () => bob.heard('still among cats'))
    expect(bob.tables.every(({ users }) => users.some(({ user }) => user === 'alice'))).toBe(true)
    expect(alice.errors).toEqual([])
  })

  it('is lost with its node when that is killed: the page says so, in one line, and goes on in its room with another', async () => {
    const [chat1, chat2] = await startCluster()
    const { alice, bob } = await meetInRoom('cats', chat1, chat2)
    const killedMs = performance.now()
    process.kill(chat1.pid, 'SIGKILL')
    const { node } = await backOnAnother(alice, chat1, PAGE_BACK_AFTER_KILL_MS, killedMs)
    await expectSameTables([bob], { alice: node, bob: chat2 })
    const { notices } = await alice.see()
    expect(notices.filter((text) => text === 'Some messages may be missing.')).toHaveLength(1)
    await alice.say('still among cats')
    await until('the room hears the page', () => bob.heard('still among cats'))
    const said: string[] = []
    sayAndTell(bob, said)
    await until('the page hears the room', async () => (await heardFrom('bob', alice)) === sorted(said))
    expect(alice.errors).toEqual([])
  })

  it('goes on when the page is loaded again: nobody sees it go, and it shows what was said meanwhile', async () => {
    const [chat1, chat2] = await startCluster()
    const { alice, bob } = await meetInRoom('cats', chat1, chat2)
    await alice.page.goto('about:blank')
    const said: string[] = []
    sayAndTell(bob, said)
    await alice.page.goto(chat1.url)
    await until('the page shows it', async () => (await heardFrom('bob', alice)) === sorted(said))
    const seen = await alice.see()
    expect(seen.node).toBe(chat1.name)
    expect(seen.notices).toEqual([])
    expect(bob.tables.at(-1)?.users).toContainEqual({ user: 'alice', node: chat1.name, room: 'cats' })
    expect(bob.tables.every(({ users }) => users.some(({ user }) => user === 'alice'))).toBe(true)
    expect(alice.errors).toEqual([])
  })
})

/** A page on one node, somebody on another, and each knows that the other is in the room. Nobody else is there. */
async function meetInRoom(
  room: string,
  ofAlice: DemoNode,
  ofBob: DemoNode,
): Promise<{ alice: ChatPage; bob: ChatClient }> {
  const alice = await enter(browser(), ofAlice, 'alice')
  const bob = await ChatClient.connect(ofBob, 'bob')
  await alice.join(room)
  bob.join(room)
  const areIn = (users: readonly OnlineUser[]): boolean =>
    ['alice', 'bob'].every((name) => users.some((row) => row.user === name && row.room === room))
  await until('both see both', async () => areIn(bob.online) && areIn((await alice.see()).online))
  // What came before he saw her.
  bob.tables.splice(0, bob.tables.length - 1)
  return { alice, bob }
}

/** One more in the room, and one more to alice. */
function sayAndTell(bob: ChatClient, said: string[]): void {
  const [toRoom, toAlice] = [`to the room ${said.length}`, `to alice ${said.length}`]
  bob.say(toRoom)
  bob.tell('alice', toAlice)
  said.push(toRoom, toAlice)
}

async function heardFrom(user: string, page: ChatPage): Promise<string> {
  const { messages } = await page.see()
  return sorted(messages.filter(({ from }) => from === user).map(({ text }) => text))
}

function sorted(texts: readonly string[]): string {
  return texts.toSorted().join('\n')
}
