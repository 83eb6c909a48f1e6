// PURPOSE: what somebody with a page in front of him sees: people on other nodes, and, when his node dies or stops, hardly anything. What is lost then, if anything, he is told.
// The time limits are the product's requirements, on the real clock.

import { describe, expect, it } from 'vitest'

import { ChatClient, expectAllToTalk, expectSameTables } from './support/chat-client.ts'
import { ChatPage } from './support/chat-page.ts'
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

/** A killed node is known by its broken connections. */
const GONE_AFTER_KILL_MS = 1000
/** A stopped one by its silence: four ticks of a second, looked at eight times a tick, and the way to the clients. */
const GONE_AFTER_STOP_MS = 4500
const PAGE_BACK_AFTER_STOP_MS = 8000

const browser = browserForAll()

describe('the page', () => {
  it('shows who is online on which node, and carries messages between nodes, to a room and to one', async () => {
    const [chat1, chat2] = await startCluster()
    const alice = await enter(browser(), chat1, 'alice')
    const bob = await enter(browser(), chat2, 'bob')
    for (const page of [alice, bob]) await expectOnline(page, { alice: chat1, bob: chat2 })

    await alice.say('hello from alice')
    await bob.say('hello from bob')
    await alice.tell('bob', 'for bob only')
    await bob.tell('alice', 'for alice only')
    await expectMessage(bob, { kind: 'room', from: 'alice', node: chat1.name, text: 'hello from alice' })
    await expectMessage(alice, { kind: 'room', from: 'bob', node: chat2.name, text: 'hello from bob' })
    await expectMessage(bob, { kind: 'direct', from: 'alice', node: chat1.name, text: 'for bob only' })
    await expectMessage(alice, { kind: 'direct', from: 'bob', node: chat2.name, text: 'for alice only' })
    await expectPanelByKeyboard(alice)
    expect([...alice.errors, ...bob.errors]).toEqual([])
  })

  it('fits a narrow screen, however long the names are', async () => {
    const [chat1, chat2] = await startCluster()
    const [first, second] = ['W'.repeat(32), 'M'.repeat(32)]
    const alice = await enter(browser(), chat1, first)
    await enter(browser(), chat2, second)
    await alice.page.setViewportSize({ width: 390, height: 844 })
    await expectOnline(alice, { [second]: chat2, [first]: chat1 })
    await alice.tell(second, 'for one only')
    await expectMessage(alice, { kind: 'direct', from: first, node: chat1.name, text: 'for one only' })
    expect(await overflowing(alice)).toEqual([])

    const ofSeveralLines = await heightOfInput(alice)
    await alice.page.getByTestId('tell-target').selectOption('')
    expect(await heightOfInput(alice)).toBeLessThan(ofSeveralLines)
    expect(await overflowing(alice)).toEqual([])
  })

  it('tells a second person that the name is taken, and the first one notices nothing', async () => {
    const [chat1, chat2] = await startCluster()
    const alice = await enter(browser(), chat1, 'alice')
    const second = await ChatPage.open(browser(), chat2)
    await second.enter('alice')
    const problem = await until('the second is told', async () => (await second.loginProblem()) || undefined)
    expect(problem).toBe('Somebody is already here as alice. Choose another name.')
    await until('the name can be written at once', async () => (await second.focused()) === 'name-input')

    await second.enter('bob')
    await expectOnline(alice, { alice: chat1, bob: chat2 })
    expect((await alice.see()).notices).toEqual([])
  })

  it('moves to another node when its node is killed, whose names are gone from the others at once', async () => {
    const [chat1, chat2, chat3] = await startCluster()
    const alice = await enter(browser(), chat1, 'alice')
    const bob = await enter(browser(), chat2, 'bob')
    await ChatClient.connect(chat1, 'extra')
    const probes = [await ChatClient.connect(chat2, 'probe2'), await ChatClient.connect(chat3, 'probe3')]
    const others = { bob: chat2, probe2: chat2, probe3: chat3 }
    await expectSameTables(probes, { ...others, alice: chat1, extra: chat1 })

    await expectNodes(bob, { up: [chat1, chat2, chat3] })

    const killedMs = performance.now()
    process.kill(chat1.pid, 'SIGKILL')
    const back = await backOnAnother(alice, chat1, PAGE_BACK_AFTER_KILL_MS, killedMs)
    await expectSameTables(probes, { ...others, alice: back.node })
    const goneMs = probes.map((probe) => goneAtMs(probe, chat1) - killedMs)
    report('kill -9', goneMs, back.afterMs)
    for (const ms of goneMs) expect(ms).toBeLessThan(GONE_AFTER_KILL_MS)
    expect(back.afterMs).toBeLessThan(PAGE_BACK_AFTER_KILL_MS)
    expect((await alice.see()).notices).toEqual([
      'chat1 is gone. Looking for another node.',
      'Some messages may be missing.',
      `Moved from chat1 to ${shortName(back.node)}.`,
    ])
    for (const page of [alice, bob]) await expectNodes(page, { up: [chat2, chat3], gone: [chat1] })

    await expectPagesToTalk(alice, bob)
    expect([...alice.errors, ...bob.errors]).toEqual([])
  })

  it('moves to another node when its node stops answering, and the node comes back by itself when it goes on', async () => {
    const [chat1, chat2, chat3] = await startCluster()
    const alice = await enter(browser(), chat1, 'alice')
    const bob = await enter(browser(), chat2, 'bob')
    const patient = await ChatClient.connect(chat1, 'patient')
    const leaver = await ChatClient.connect(chat1, 'leaver')
    const probes = [await ChatClient.connect(chat2, 'probe2'), await ChatClient.connect(chat3, 'probe3')]
    const others = { bob: chat2, probe2: chat2, probe3: chat3 }
    await expectSameTables(probes, { ...others, alice: chat1, patient: chat1, leaver: chat1 })

    const stoppedMs = performance.now()
    process.kill(chat1.pid, 'SIGSTOP')
    leaver.vanish()
    await alice.tell('bob', 'told to a frozen node')
    await alice.say('said to a frozen node')
    expect((await alice.see()).node).toBe(chat1.name)
    const back = await backOnAnother(alice, chat1, PAGE_BACK_AFTER_STOP_MS, stoppedMs)
    await expectSameTables(probes, { ...others, alice: back.node })
    const goneMs = probes.map((probe) => goneAtMs(probe, chat1) - stoppedMs)
    report('SIGSTOP', goneMs, back.afterMs)
    for (const ms of goneMs) expect(ms).toBeLessThan(GONE_AFTER_STOP_MS)
    expect(back.afterMs).toBeLessThan(PAGE_BACK_AFTER_STOP_MS)
    await expectMessage(alice, {
      kind: 'undelivered',
      from: 'alice',
      node: chat1.name,
      text: 'said to a frozen node',
    })
    expect((await alice.see()).doubtful).toEqual(['told to a frozen node'])
    for (const page of [alice, bob]) await expectNodes(page, { up: [chat2, chat3], gone: [chat1] })
    await expectPagesToTalk(alice, bob)

    const continuedMs = performance.now()
    process.kill(chat1.pid, 'SIGCONT')
    const living = { ...others, alice: back.node, patient: chat1 }
    await expectSameTables([...probes, patient], living)
    console.log(`SIGCONT: all tables agree after ${Math.round(performance.now() - continuedMs)} ms`)
    for (const page of [alice, bob]) await expectNodes(page, { up: [chat1, chat2, chat3] })
    const newcomer = await ChatClient.connect(chat1, 'newcomer')
    const clients = [...probes, patient, newcomer]
    await expectSameTables(clients, { ...living, newcomer: chat1 })
    await expectAllToTalk(clients)
    await expectPagesToTalk(alice, bob)
    newcomer.tell('alice', 'from the node that was stopped')
    await expectMessage(alice, {
      kind: 'direct',
      from: 'newcomer',
      node: chat1.name,
      text: 'from the node that was stopped',
    })
    expect((await alice.see()).node).toBe(back.node.name)
    await expectSameTables(clients, { ...living, newcomer: chat1 })
    expect([...alice.errors, ...bob.errors]).toEqual([])
  })
})

/** The page's list of nodes, whole. */
async function expectNodes(
  page: ChatPage,
  { up, gone = [] }: { up: readonly DemoNode[]; gone?: readonly DemoNode[] },
): Promise<void> {
  const wanted = [...up.map(({ name }) => `${name} up`), ...gone.map(({ name }) => `${name} gone`)].toSorted()
  const shown = async (): Promise<string[]> =>
    Object.entries((await page.see()).nodes)
      .map(([name, isUp]) => `${name} ${isUp ? 'up' : 'gone'}`)
      .toSorted()
  await until(`the list of nodes is ${wanted.join()}`, async () => (await shown()).join() === wanted.join())
}

/** On a narrow screen the list of rooms is over the talk: nothing behind it has the focus, and Escape closes it. */
async function expectPanelByKeyboard(alice: ChatPage): Promise<void> {
  const { page } = alice
  const isInTalk = (): Promise<boolean> => page.evaluate(() => document.activeElement?.closest('main') !== null)
  await page.setViewportSize({ width: 400, height: 640 })
  const toggle = page.getByTestId('side-toggle')
  await toggle.press('Enter')
  expect(await alice.focused()).toBe('room')
  // The room's form, the other person, three nodes.
  for (let stop = 0; stop < 6; stop++) {
    await page.keyboard.press('Tab')
    expect(await isInTalk()).toBe(false)
  }
  await page.keyboard.press('Tab')
  expect(await alice.focused()).toBe('side-toggle')
  await page.keyboard.press('Tab')
  expect(await isInTalk()).toBe(false)

  await page.keyboard.press('Escape')
  expect(await alice.focused()).toBe('side-toggle')
  await page.keyboard.press('Tab')
  expect(await isInTalk()).toBe(true)

  await toggle.press('Enter')
  await alice.join('attic')
  expect(await alice.focused()).toBe('message-input')
}

/** What is wider than the place that it has, or has hardly any: names that are cut are not. */
function overflowing({ page }: ChatPage): Promise<string[]> {
  return page.evaluate(() => {
    const scrolled = [...document.querySelectorAll('html, .messages')].filter(
      (element) => element.scrollWidth > element.clientWidth,
    )
    const squeezed = [
      ...document.querySelectorAll('.message-head strong, .composer select, .composer textarea'),
    ].filter((element) => element.clientWidth < 100)
    return [...scrolled, ...squeezed].map(({ tagName, className }) => `${tagName} ${className}`)
  })
}

function heightOfInput({ page }: ChatPage): Promise<number> {
  return page.getByTestId('message-input').evaluate((input) => input.clientHeight)
}

async function expectMessage(
  page: ChatPage,
  wanted: { kind: string; from: string; node: string; text: string },
): Promise<void> {
  await until(`a message ${JSON.stringify(wanted)}`, async () => {
    const { messages } = await page.see()
    return messages.some((message) => JSON.stringify(message) === JSON.stringify(wanted))
  })
}

/** In the room and directly, both ways, wherever the pages are now. */
async function expectPagesToTalk(alice: ChatPage, bob: ChatPage): Promise<void> {
  const round = Math.random().toString(36).slice(2)
  const [ofAlice, ofBob] = [(await alice.see()).node, (await bob.see()).node]
  await bob.tell('alice', `${round} to alice`)
  await expectMessage(alice, { kind: 'direct', from: 'bob', node: ofBob, text: `${round} to alice` })
  await alice.tell('bob', `${round} to bob`)
  await expectMessage(bob, { kind: 'direct', from: 'alice', node: ofAlice, text: `${round} to bob` })
  await alice.say(`${round} alice to all`)
  await expectMessage(bob, { kind: 'room', from: 'alice', node: ofAlice, text: `${round} alice to all` })
  await bob.say(`${round} bob to all`)
  await expectMessage(alice, { kind: 'room', from: 'bob', node: ofBob, text: `${round} bob to all` })
}

/** When the client was told of the last change after which its node has had no user on `node`. */
function goneAtMs(client: ChatClient, node: DemoNode): number {
  const last = client.tables.findLastIndex(({ users }) => users.some((row) => row.node === node.name))
  return client.tables[last + 1]?.atMs ?? Number.POSITIVE_INFINITY
}

function report(what: string, goneMs: readonly number[], backMs: number): void {
  const gone = goneMs.map((ms) => Math.round(ms)).join(' and ')
  console.log(`${what}: names gone from the other nodes after ${gone} ms, page back after ${Math.round(backMs)} ms`)
}
