// The list of messages. Texts reach the document as text nodes only; there is no markup in a message.

import { Component } from 'preact'
import type { ComponentChildren, JSX } from 'preact'
import { useLayoutEffect, useRef, useState } from 'preact/hooks'

import { visibleIn } from './chat-log.ts'
import type { Entry } from './chat-log.ts'
import type { Chat } from './chat.ts'
import { NodeBadge } from './node-badge.tsx'

/** Pixels from the end within which the reader is taken to follow the talk. */
const FOLLOW_PX = 48

/** Made once: `toLocaleTimeString` makes one at each call, 0.4 ms each, for each of 500 messages. */
const CLOCK = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit' })

export function Messages({ chat }: { chat: Chat }): JSX.Element {
  const { room, user } = chat.stay.value
  const entries = visibleIn(chat.log.value, room)
  const lastId = entries.at(-1)?.id
  const list = useRef<HTMLDivElement>(null)
  const isFollowing = useRef(true)
  const [hasUnread, setUnread] = useState(false)

  function toEnd(): void {
    const element = list.current
    if (element !== null) element.scrollTop = element.scrollHeight
  }

  function onScroll(): void {
    const element = list.current
    if (element === null) return
    isFollowing.current = element.scrollHeight - element.scrollTop - element.clientHeight < FOLLOW_PX
    if (isFollowing.current) setUnread(false)
  }

  useLayoutEffect(() => {
    if (isFollowing.current) toEnd()
    else setUnread(true)
  }, [lastId])

  useLayoutEffect(() => {
    isFollowing.current = true
    setUnread(false)
    toEnd()
  }, [room])

  return (
    <div class="messages-frame">
      <div class="messages" ref={list} onScroll={onScroll} tabIndex={0} role="log" aria-label={`Messages of ${room}`}>
        {entries.length === 0 && <p class="empty quiet">Nothing was said here yet.</p>}
        {entries.map((entry) =>
          entry.kind === 'notice' ? (
            <p key={entry.id} class={`notice ${entry.tone}`} data-testid="notice">
              {entry.text}
            </p>
          ) : (
            <Message key={entry.id} entry={entry} self={user} />
          ),
        )}
      </div>
      {hasUnread && (
        <button type="button" class="unread" onClick={toEnd}>
          New messages ↓
        </button>
      )}
    </div>
  )
}

type Said = Exclude<Entry, { kind: 'notice' }>

type MessageProps = { entry: Said; self: string }

/** A class for the one thing that a function can't say: an entry never changes, so 499 of 500 need no second look. */
class Message extends Component<MessageProps> {
  override shouldComponentUpdate(next: MessageProps): boolean {
    return next.entry !== this.props.entry || next.self !== this.props.self
  }

  override render({ entry, self }: MessageProps): JSX.Element {
    const { from, node, kind, text, atMs } = entry
    const isDoubtful = entry.kind === 'direct' && entry.isDoubtful === true
    return (
      <article
        class={`message ${kind} ${from === self ? 'own' : ''}`}
        data-testid="message"
        data-from={from}
        data-kind={kind}
        data-node={node}
        data-doubtful={isDoubtful}
      >
        <div class="message-head">
          <strong class="ellipsis">{from}</strong>
          <NodeBadge node={node} />
          {entry.kind === 'direct' && <span class="direct-mark">direct to {entry.to === self ? 'you' : entry.to}</span>}
          {isDoubtful && <FailMark>maybe not delivered</FailMark>}
          {entry.kind === 'undelivered' && <FailMark>not delivered to #{entry.room}</FailMark>}
          <time class="quiet" dateTime={new Date(atMs).toISOString()}>
            {CLOCK.format(atMs)}
          </time>
        </div>
        <p class="text">{text}</p>
      </article>
    )
  }
}

function FailMark({ children }: { children: ComponentChildren }): JSX.Element {
  return (
    <span class="fail-mark" title="The node did not confirm it before the session was lost; it may still have arrived">
      {children}
    </span>
  )
}
