import type { JSX } from 'preact'

import type { Chat } from './chat.ts'
import { colourOf } from './presence.ts'

export function Header({ chat, names }: { chat: Chat; names: string }): JSX.Element {
  const { node, user } = chat.stay.value
  const here = chat.isOnline.value ? node : undefined
  return (
    <header class="bar">
      <img class="logo" src="/favicon.svg" alt="pidmesh chat" width="26" height="26" />
      <div class="where" role="status">
        <span class="where-label">Node</span>
        <strong class={`node ${here === undefined ? 'node-none' : `node-${colourOf(here)}`}`} data-testid="node">
          {here ?? '–'}
        </strong>
        <span class="state" data-testid="state" data-state={here === undefined ? 'reconnecting' : 'connected'}>
          {here === undefined ? 'Reconnecting…' : 'Connected'}
        </span>
      </div>
      <span class="way quiet" data-testid="names">
        names: {names}
      </span>
      <span class="me">
        <span class="quiet">You are</span> <strong>{user}</strong>
      </span>
      <button type="button" onClick={() => chat.leave()}>
        Leave
      </button>
    </header>
  )
}
