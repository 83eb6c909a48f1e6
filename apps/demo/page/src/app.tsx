import type { JSX } from 'preact'
import { useLayoutEffect, useRef, useState } from 'preact/hooks'

import type { Chat } from './chat.ts'
import { Composer, focusMessageInput } from './composer.tsx'
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
  const toggle = useRef<HTMLButtonElement>(null)
  const focusNext = useRef<() => void>(undefined)
  const { room } = chat.stay.value
  const here = roomsOf(chat.online.value, room).find(({ name }) => name === room)?.users ?? 0

  // What is behind the panel takes no focus before that is away.
  function closeSide(focus: () => void): void {
    focusNext.current = focus
    setSideOpen(false)
  }

  useLayoutEffect(() => {
    if (!isSideOpen) focusNext.current?.()
  }, [isSideOpen])

  return (
    <div class="chat">
      <Header chat={chat} names={names} />
      <Sidebar
        chat={chat}
        isOpen={isSideOpen}
        onChosen={() => closeSide(focusMessageInput)}
        onClose={() => closeSide(() => toggle.current?.focus())}
      />
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
            data-testid="side-toggle"
            ref={toggle}
            aria-expanded={isSideOpen}
            aria-controls="side"
            onClick={() => setSideOpen(!isSideOpen)}
          >
            {isSideOpen ? 'Close' : 'Rooms & people'}
          </button>
        </div>
        <div class="talk-body" inert={isSideOpen}>
          <Messages chat={chat} />
          <Composer chat={chat} />
        </div>
      </main>
    </div>
  )
}
