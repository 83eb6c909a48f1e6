import type { JSX } from 'preact'
import { useState } from 'preact/hooks'

import type { Chat } from './chat.ts'
import { Composer } from './composer.tsx'
import { Header } from './header.tsx'
import { Login } from './login.tsx'
import { Messages } from './messages.tsx'
import { roomsOf } from './presence.ts'
import { Sidebar } from './sidebar.tsx'
import { isIn } from './stay.ts'

/** `names`: how they are kept. */
type Props = { chat: Chat; names: string }

export function App({ chat, names }: Props): JSX.Element {
  return isIn(chat.stay.value) ? <ChatView chat={chat} names={names} /> : <Login chat={chat} names={names} />
}

function ChatView({ chat, names }: Props): JSX.Element {
  const [isSideOpen, setSideOpen] = useState(false)
  const { room } = chat.stay.value
  const here = roomsOf(chat.online.value, room).find(({ name }) => name === room)?.users ?? 0
  return (
    <div class="chat">
      <Header chat={chat} names={names} />
      <Sidebar chat={chat} isOpen={isSideOpen} onChosen={() => setSideOpen(false)} />
      <main class="talk">
        <div class="talk-head">
          <h1>
            <span class="hash">#</span>
            {room}
          </h1>
          <span class="quiet">{here === 1 ? '1 person here' : `${here} people here`}</span>
          <button
            type="button"
            class="side-toggle"
            aria-expanded={isSideOpen}
            aria-controls="side"
            onClick={() => setSideOpen(!isSideOpen)}
          >
            {isSideOpen ? 'Close' : 'Rooms & people'}
          </button>
        </div>
        <Messages chat={chat} />
        <Composer chat={chat} />
      </main>
    </div>
  )
}
