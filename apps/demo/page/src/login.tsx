import type { JSX } from 'preact'
import { useEffect, useRef, useState } from 'preact/hooks'

import { NAME, NAME_MAX_LENGTH } from '../../src/limits.ts'
import type { Chat } from './chat.ts'
import type { Notice } from './close-codes.ts'

export function Login({ chat, names }: { chat: Chat; names: string }): JSX.Element {
  const stay = chat.stay.value
  const [name, setName] = useState(stay.user)
  const [isBad, setBad] = useState(false)
  const input = useRef<HTMLInputElement>(null)
  const isBusy = stay.is !== 'out'

  useEffect(() => input.current?.focus(), [])
  // Whoever is out again has to write another name, and had pressed the button.
  useEffect(() => {
    if (stay.notice !== undefined) input.current?.focus()
  }, [stay.notice])

  function onSubmit(event: Event): void {
    event.preventDefault()
    const chosen = name.trim()
    setBad(!NAME.test(chosen))
    if (NAME.test(chosen)) chat.enter(chosen)
    else input.current?.focus()
  }

  const problem = isBad
    ? `A name has 1 to ${NAME_MAX_LENGTH} letters, digits, _ or -.`
    : stay.notice && noticeText(stay.notice)

  return (
    <main class="login">
      <form class="card" onSubmit={onSubmit} noValidate>
        <img src="/favicon.svg" alt="" width="40" height="40" />
        <h1>pidmesh chat</h1>
        <p class="quiet">One chat on several nodes. Whichever node you are on, everybody can reach you.</p>
        <p class="quiet" data-testid="names">
          names: {names}
        </p>
        <label for="name">Your name</label>
        <input
          id="name"
          ref={input}
          data-testid="name-input"
          value={name}
          onInput={(event) => setName(event.currentTarget.value)}
          maxLength={NAME_MAX_LENGTH}
          autoComplete="off"
          autoCapitalize="off"
          spellcheck={false}
          readOnly={isBusy}
          aria-invalid={problem !== undefined}
          aria-describedby="login-problem"
        />
        <p id="login-problem" class="problem" role="alert" data-testid="login-problem">
          {problem}
        </p>
        <button type="submit" class="primary" data-testid="enter" disabled={isBusy}>
          {isBusy ? 'Connecting…' : 'Enter'}
        </button>
        {isBusy && (
          <p class="quiet" role="status">
            Looking for a node{' '}
            <button type="button" class="link" onClick={() => chat.leave()}>
              Cancel
            </button>
          </p>
        )}
      </form>
    </main>
  )
}

function noticeText({ code, detail }: Notice): string {
  switch (code) {
    case 'name-taken':
      return `Somebody is already here as ${detail}. Choose another name.`
    case 'name-lost':
      return `The name ${detail} now belongs to another session. Choose another name.`
    case 'elsewhere':
      return `${detail} goes on in another tab.`
    case 'refused':
      return detail === '' ? 'The node refused this name.' : `The node refused: ${detail}`
  }
}
