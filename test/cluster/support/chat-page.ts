// The demo's page in a browser, as somebody sees and uses it.

import type { Browser, Page } from 'playwright-core'
import { onTestFinished } from 'vitest'

import type { OnlineUser } from './chat-client.ts'
import type { DemoNode } from './demo-process.ts'

const ACT_WITHIN_MS = 10_000

export type SeenMessage = { kind: string; from: string; node: string; text: string }

export type Seen = {
  node: string
  state: string
  online: readonly OnlineUser[]
  messages: readonly SeenMessage[]
  notices: readonly string[]
  /** Texts of direct messages that are shown as maybe not delivered. */
  doubtful: readonly string[]
  /** Every node that is listed, and whether it is shown as up. */
  nodes: Readonly<Record<string, boolean>>
}

export class ChatPage {
  readonly page: Page
  /** What the page has thrown, and what the browser has forbidden it. */
  readonly errors: string[] = []

  /** A page of its own: nothing is shared with other pages, neither storage nor connections. */
  static async open(browser: Browser, { url }: DemoNode): Promise<ChatPage> {
    const context = await browser.newContext({ viewport: { width: 1000, height: 640 } })
    onTestFinished(() => context.close())
    context.setDefaultTimeout(ACT_WITHIN_MS)
    const page = new ChatPage(await context.newPage())
    await page.page.goto(url)
    return page
  }

  private constructor(page: Page) {
    this.page = page
    page.on('pageerror', (error) => this.errors.push(error.message))
    page.on('console', (message) => {
      if (message.text().includes('Content Security Policy')) this.errors.push(message.text())
    })
  }

  async enter(name: string): Promise<void> {
    await this.page.getByTestId('name-input').fill(name)
    await this.page.getByTestId('enter').click()
  }

  async join(room: string): Promise<void> {
    await this.page.getByTestId('room-input').fill(room)
    await this.page.getByTestId('room-join').click()
  }

  async say(text: string): Promise<void> {
    await this.#send('', text)
  }

  async tell(to: string, text: string): Promise<void> {
    await this.#send(to, text)
  }

  async #send(target: string, text: string): Promise<void> {
    await this.page.getByTestId('tell-target').selectOption(target)
    await this.page.getByTestId('message-input').fill(text)
    await this.page.getByTestId('send').click()
  }

  /** Why it was not let in; empty when nothing is said about that. */
  async loginProblem(): Promise<string> {
    const line = this.page.getByTestId('login-problem')
    return (await line.count()) === 0 ? '' : ((await line.textContent()) ?? '')
  }

  /** The test id of what has the focus. */
  focused(): Promise<string | undefined> {
    return this.page.evaluate(() =>
      document.activeElement instanceof HTMLElement ? document.activeElement.dataset['testid'] : undefined,
    )
  }

  /** All at one moment. */
  see(): Promise<Seen> {
    return this.page.evaluate(() => {
      const all = (id: string): HTMLElement[] => [...document.querySelectorAll<HTMLElement>(`[data-testid="${id}"]`)]
      return {
        node: all('node')[0]?.textContent ?? '',
        state: all('state')[0]?.dataset['state'] ?? '',
        online: all('online-user').map(({ dataset }) => ({
          user: dataset['user'] ?? '',
          node: dataset['node'] ?? '',
          room: dataset['inRoom'] ?? '',
        })),
        messages: all('message').map((element) => ({
          kind: element.dataset['kind'] ?? '',
          from: element.dataset['from'] ?? '',
          node: element.dataset['node'] ?? '',
          text: element.querySelector('.text')?.textContent ?? '',
        })),
        notices: all('notice').map(({ textContent }) => textContent),
        doubtful: all('message')
          .filter(({ dataset }) => dataset['doubtful'] === 'true')
          .map((element) => element.querySelector('.text')?.textContent ?? ''),
        nodes: Object.fromEntries(
          all('node-item').map(({ dataset }) => [dataset['node'] ?? '', dataset['up'] === 'true']),
        ),
      }
    })
  }
}
