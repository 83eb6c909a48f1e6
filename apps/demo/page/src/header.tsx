import type { JSX } from 'preact'

import type { Chat } from './chat.ts'
import { nodeAt } from './connection.ts'
import type { ConnectionState } from './connection.ts'
import { colourOf, shortName } from './presence.ts'

export function Header({ chat }: { chat: Chat }): JSX.Element {
  const connection = chat.connection.value
  const { phase, user } = connection
  const isOnline = phase.is === 'online'
  return (
    <header class="bar">
      <img class="logo" src="/favicon.svg" alt="pidmesh chat" width="26" height="26" />
      <div class="where" role="status">
        <span class="where-label">Node</span>
        <strong class={`node ${isOnline ? `node-${colourOf(phase.node)}` : 'node-none'}`} data-testid="node">
          {isOnline ? phase.node : '–'}
        </strong>
        <span class="state" data-testid="state" data-state={isOnline ? 'connected' : 'reconnecting'}>
          {isOnline ? 'Connected' : attempt(connection)}
        </span>
      </div>
      <span class="me">
        <span class="quiet">You are</span> <strong>{user}</strong>
      </span>
      <button type="button" onClick={() => chat.leave()}>
        Leave
      </button>
    </header>
  )
}

function attempt(connection: ConnectionState): string {
  const { name } = nodeAt(connection)
  return name === undefined ? 'Reconnecting…' : `Trying ${shortName(name)}…`
}
