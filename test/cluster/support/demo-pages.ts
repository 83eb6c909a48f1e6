// Pages of a demo cluster, in one browser for a whole file of tests.

import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, beforeEach, expect } from 'vitest'

import { startBrowser } from './browser.ts'
import type { Places } from './chat-client.ts'
import { ChatPage } from './chat-page.ts'
import { startLauncher } from './demo-process.ts'
import type { DemoNode } from './demo-process.ts'
import { until } from './until.ts'

/** A requirement, on the real clock. */
export const PAGE_BACK_AFTER_KILL_MS = 3000

/** Starts a browser before the tests of the file, and skips them if there is none. Gives the browser, for use in a test. */
export function browserForAll(): () => Browser {
  let browser: Browser | string = 'not started yet'

  beforeAll(async () => {
    browser = await startBrowser()
    if (typeof browser !== 'string') return
    if (process.env['PIDMESH_NO_SKIP'] === '1') throw new Error(browser)
    console.warn(`browser tests skipped: ${browser}`)
  })

  afterAll(async () => {
    if (typeof browser === 'object') await browser.close()
  })

  beforeEach(({ skip }) => skip(typeof browser === 'string', 'no browser'))

  return () => {
    if (typeof browser === 'string') throw new Error(browser)
    return browser
  }
}

export type ThreeNodes = readonly [DemoNode, DemoNode, DemoNode]

export async function startCluster(): Promise<ThreeNodes> {
  const [chat1, chat2, chat3] = (await startLauncher()).nodes
  if (chat1 === undefined || chat2 === undefined || chat3 === undefined)
    throw new Error('the banner has no three nodes')
  return [chat1, chat2, chat3]
}

/** A page of this node, in under this name. */
export async function enter(browser: Browser, node: DemoNode, name: string): Promise<ChatPage> {
  const page = await ChatPage.open(browser, node)
  await page.enter(name)
  await until(`${name} is in`, async () => (await page.see()).state === 'connected')
  expect((await page.see()).node).toBe(node.name)
  return page
}

export async function expectOnline(page: ChatPage, users: Places): Promise<void> {
  const wanted = Object.entries(users).map(([user, { name }]) => `${user} ${name}`)
  const shown = async (): Promise<string> => (await page.see()).online.map(({ user, node }) => `${user} ${node}`).join()
  await until(`the list of those online is ${wanted.join()}`, async () => (await shown()) === wanted.join())
}

/** The node on which the page is connected again, and how long after `sinceMs` that was seen. */
export async function backOnAnother(
  page: ChatPage,
  lost: DemoNode,
  withinMs: number,
  sinceMs: number,
): Promise<{ node: Pick<DemoNode, 'name'>; afterMs: number }> {
  const node = await until(
    'the page is back on another node',
    async () => {
      const { state, node } = await page.see()
      return state === 'connected' && node !== lost.name ? node : undefined
    },
    { withinMs },
  )
  return { node: { name: node }, afterMs: performance.now() - sinceMs }
}

/** As the page calls it. */
export function shortName({ name }: Pick<DemoNode, 'name'>): string {
  return name.replace(/@.*/, '')
}
