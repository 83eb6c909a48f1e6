import type { JSX } from 'preact'
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks'

import { TEXT_MAX_LENGTH } from '../../src/limits.ts'
import type { Chat } from './chat.ts'

const INPUT_ID = 'message'
const INPUT_MAX_PX = 160

export function focusMessageInput(): void {
  document.getElementById(INPUT_ID)?.focus()
}

export function Composer({ chat }: { chat: Chat }): JSX.Element {
  const [text, setText] = useState('')
  const input = useRef<HTMLTextAreaElement>(null)
  const { room } = chat.stay.value
  const isOnline = chat.isOnline.value
  const target = chat.target.value
  const placeholder = target === undefined ? `Message #${room}` : `Message to ${target} only (Esc: back to #${room})`

  useEffect(focusMessageInput, [])

  useLayoutEffect(() => {
    const element = input.current
    if (element === null) return
    element.style.height = 'auto'
    element.style.height = `${Math.min(element.scrollHeight + 2, INPUT_MAX_PX)}px`
  }, [text, placeholder])

  function send(): void {
    if (text.trim() !== '' && chat.submit(text.trim())) setText('')
    focusMessageInput()
  }

  function onKeyDown(event: KeyboardEvent): void {
    if (event.key === 'Escape') chat.target.value = undefined
    // While an input method composes, Enter chooses a word.
    if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return
    event.preventDefault()
    send()
  }

  return (
    <form
      class={target === undefined ? 'composer' : 'composer direct'}
      onSubmit={(event) => {
        event.preventDefault()
        send()
      }}
    >
      <TargetSelect chat={chat} />
      <label class="hidden" for={INPUT_ID}>
        Message
      </label>
      <textarea
        id={INPUT_ID}
        ref={input}
        rows={1}
        data-testid="message-input"
        placeholder={placeholder}
        maxLength={TEXT_MAX_LENGTH}
        value={text}
        onInput={(event) => setText(event.currentTarget.value)}
        onKeyDown={onKeyDown}
      />
      <button type="submit" class="primary" data-testid="send" disabled={!isOnline || text.trim() === ''}>
        Send
      </button>
    </form>
  )
}

function TargetSelect({ chat }: { chat: Chat }): JSX.Element {
  const { user: self } = chat.stay.value
  const target = chat.target.value
  const others = chat.online.value.map(({ user }) => user).filter((user) => user !== self)
  return (
    <>
      <label class="to" for="tell-target">
        To
      </label>
      <select
        id="tell-target"
        data-testid="tell-target"
        value={target ?? ''}
        onChange={(event) => {
          chat.target.value = event.currentTarget.value || undefined
        }}
      >
        <option value="">everyone here</option>
        {target !== undefined && !others.includes(target) && <option value={target}>{target} (not online)</option>}
        {others.map((user) => (
          <option key={user} value={user}>
            {user}
          </option>
        ))}
      </select>
    </>
  )
}
