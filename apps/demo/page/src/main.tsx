import { render } from 'preact'

import type { KnownNodes } from '../../src/messages.ts'
import { App } from './app.tsx'
import { startChat } from './chat.ts'
import { nodesToConnect } from './nodes.ts'
import { tabMemory } from './tab-memory.ts'

const known = JSON.parse(elementOf('nodes').textContent) as KnownNodes
const chat = startChat(
  nodesToConnect(known, location.origin),
  tabMemory(() => sessionStorage),
)

document.addEventListener('visibilitychange', () => {
  if (document.visibilityState === 'visible') chat.wake()
})
window.addEventListener('online', () => chat.wake())

render(<App chat={chat} names={known.names} />, elementOf('app'))

function elementOf(id: string): HTMLElement {
  const element = document.getElementById(id)
  if (element === null) throw new Error(`index.html has no #${id}`)
  return element
}
