import type { JSX } from 'preact'
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks'

import { NAME, NAME_MAX_LENGTH } from '../../src/limits.ts'
import type { ChatNode } from '../../src/messages.ts'
import type { Chat } from './chat.ts'
import { focusMessageInput } from './composer.tsx'
import { NodeBadge } from './node-badge.tsx'
import { isUp, roomsOf } from './presence.ts'

/** Where it is a panel over the talk, as in style.css. */
const NARROW = '(max-width: 720px)'

/** `isOpen`: as a panel. */
type Props = { chat: Chat; isOpen: boolean; onChosen: () => void; onClose: () => void }

export function Sidebar({ chat, isOpen, onChosen, onClose }: Props): JSX.Element {
  const side = useRef<HTMLElement>(null)

  useLayoutEffect(() => {
    if (isOpen) side.current?.querySelector('button')?.focus()
  }, [isOpen])

  useEffect(() => {
    if (!isOpen) return undefined
    const width = matchMedia(NARROW)
    const onKeyDown = (event: KeyboardEvent): void => {
      if (event.key === 'Escape' && !event.isComposing) onClose()
    }
    window.addEventListener('keydown', onKeyDown)
    width.addEventListener('change', onClose)
    return () => {
      window.removeEventListener('keydown', onKeyDown)
      width.removeEventListener('change', onClose)
    }
  }, [isOpen])

  function chooseRoom(room: string): void {
    chat.chooseRoom(room)
    onChosen()
    focusMessageInput()
  }

  function choosePerson(user: string): void {
    chat.target.value = user
    onChosen()
    focusMessageInput()
  }

  return (
    <aside id="side" ref={side} class={isOpen ? 'side open' : 'side'} aria-label="Rooms, people and nodes">
      <Rooms chat={chat} onChoose={chooseRoom} />
      <People chat={chat} onChoose={choosePerson} />
      <Nodes chat={chat} />
    </aside>
  )
}

function Rooms({ chat, onChoose }: { chat: Chat; onChoose: (room: string) => void }): JSX.Element {
  const current = chat.stay.value.room
  return (
    <section aria-labelledby="rooms-title">
      <h2 id="rooms-title">Rooms</h2>
      <ul class="list">
        {roomsOf(chat.online.value, current).map((room) => (
          <li key={room.name}>
            <button
              type="button"
              class="row"
              data-testid="room"
              data-room={room.name}
              aria-current={room.name === current ? 'true' : undefined}
              onClick={() => onChoose(room.name)}
            >
              <span class="ellipsis">
                <span class="hash">#</span>
                {room.name}
              </span>
              <span class="count" title={`${room.users} here`}>
                {room.users}
              </span>
            </button>
          </li>
        ))}
      </ul>
      <RoomForm onChoose={onChoose} />
    </section>
  )
}

function RoomForm({ onChoose }: { onChoose: (room: string) => void }): JSX.Element {
  const [name, setName] = useState('')
  const [isBad, setBad] = useState(false)

  function onSubmit(event: Event): void {
    event.preventDefault()
    const room = name.trim().replace(/^#/, '')
    setBad(!NAME.test(room))
    if (!NAME.test(room)) return
    setName('')
    onChoose(room)
  }

  return (
    <form class="room-form" onSubmit={onSubmit} noValidate>
      <label class="hidden" for="room">
        Join or create a room
      </label>
      <input
        id="room"
        data-testid="room-input"
        placeholder="Join or create a room"
        value={name}
        onInput={(event) => setName(event.currentTarget.value)}
        maxLength={NAME_MAX_LENGTH}
        autoComplete="off"
        autoCapitalize="off"
        spellcheck={false}
        aria-invalid={isBad}
        aria-describedby="room-problem"
      />
      <button type="submit" data-testid="room-join">
        Join
      </button>
      <p id="room-problem" class="problem" role="alert">
        {isBad && 'Letters, digits, _ and - only.'}
      </p>
    </form>
  )
}

function People({ chat, onChoose }: { chat: Chat; onChoose: (user: string) => void }): JSX.Element {
  const { user: self, room: current } = chat.stay.value
  const online = chat.online.value
  return (
    <section aria-labelledby="people-title" class={chat.isOnline.value ? '' : 'stale'}>
      <h2 id="people-title">
        Online <span class="count">{new Set(online.map(({ user }) => user)).size}</span>
      </h2>
      <ul class="list">
        {online.map(({ user, node, room }, index) => (
          // A user may be there twice, also on one node.
          <li key={`${user} ${index}`} data-testid="online-user" data-user={user} data-node={node} data-in-room={room}>
            <button
              type="button"
              class="row"
              disabled={user === self}
              aria-pressed={user === self ? undefined : chat.target.value === user}
              title={user === self ? 'You' : `Write to ${user}`}
              onClick={() => onChoose(user)}
            >
              <span class="ellipsis">
                {user}
                {user === self && <span class="quiet"> (you)</span>}
                {room !== current && <span class="quiet"> in #{room}</span>}
              </span>
              <NodeBadge node={node} />
            </button>
          </li>
        ))}
      </ul>
    </section>
  )
}

function Nodes({ chat }: { chat: Chat }): JSX.Element {
  const here = chat.isOnline.value ? chat.stay.value.node : undefined
  return (
    <section aria-labelledby="nodes-title" class={chat.isOnline.value ? '' : 'stale'}>
      <h2 id="nodes-title">Nodes</h2>
      <ul class="list">
        {chat.nodes.map((node) => (
          <NodeItem key={node.url} node={node} isHere={node.name === here} isUp={isUp(node.name, chat.upNodes.value)} />
        ))}
      </ul>
    </section>
  )
}

type NodeItemProps = { node: ChatNode; isHere: boolean; isUp: boolean }

function NodeItem({ node: { name, url }, isHere, isUp }: NodeItemProps): JSX.Element {
  const { host } = new URL(url)
  return (
    <li class={isUp ? 'row plain' : 'row plain gone'} data-testid="node-item" data-node={name} data-up={isUp}>
      {isUp ? (
        <a class="ellipsis" href={url} target="_blank" rel="noreferrer" title="Open this node's page in a new tab">
          {host}
        </a>
      ) : (
        <span class="ellipsis">{host}</span>
      )}
      {isHere && <span class="quiet">here</span>}
      {!isUp && <span class="quiet">gone</span>}
      <NodeBadge node={name} />
    </li>
  )
}
