// The effects of connection.ts: sockets, timers and chance. It decides nothing.

import type { ServerMessage } from '../../src/messages.ts'
import { CLOSE } from './close-codes.ts'
import { initialConnection, step, TICK_MS } from './connection.ts'
import type { ConnectionEffect, ConnectionEvent, ConnectionState } from './connection.ts'

export type Connection = {
  enter(user: string, room: string, held: boolean): void
  leave(): void
  chooseRoom(room: string): void
  /** Whether the message was handed to a socket; what becomes of it nobody knows, as in Erlang. */
  send(message: Sendable): boolean
}

type Sendable = { type: 'say'; text: string } | { type: 'tell'; to: string; text: string }

export type ConnectionListener = {
  onState(state: ConnectionState, cause: ConnectionEvent): void
  onMessage(message: ServerMessage): void
}

/** @param pageUrl the node that served the page */
export function startConnection(pageUrl: string, listener: ConnectionListener): Connection {
  let state = initialConnection(pageUrl)
  let current: { id: number; socket: WebSocket } | undefined

  function dispatch(event: ConnectionEvent): void {
    const next = step(state, event)
    state = next.state
    for (const effect of next.effects) run(effect)
    listener.onState(state, event)
  }

  function run(effect: ConnectionEffect): void {
    switch (effect.type) {
      case 'open':
        return open(effect.socket, effect)
      case 'send':
        if (current?.id === effect.socket) current.socket.send(JSON.stringify(effect.message))
        return
      case 'close':
        // A dead peer never answers the closing handshake: the socket is forgotten at once, and its late events are told by its number.
        if (current?.id === effect.socket) current.socket.close(CLOSE.normal)
        current = undefined
        return
      case 'retryAfter':
        setTimeout(
          () => dispatch({ type: 'retryDue', retry: effect.retry }),
          effect.minMs + Math.random() * (effect.maxMs - effect.minMs),
        )
        return
    }
  }

  function open(id: number, { url, user, room }: { url: string; user: string; room: string }): void {
    let socket: WebSocket
    try {
      socket = new WebSocket(socketUrl(url, user, room))
    } catch {
      // A page served by https may not open a plain socket, and a node may tell a bad address: both are a node that can't be reached.
      queueMicrotask(() => dispatch({ type: 'closed', socket: id, code: 1006, reason: '' }))
      return
    }
    current = { id, socket }
    socket.addEventListener('open', () => dispatch({ type: 'opened', socket: id }))
    socket.addEventListener('close', ({ code, reason }) => dispatch({ type: 'closed', socket: id, code, reason }))
    socket.addEventListener('message', ({ data }) => {
      const message = parse(data)
      if (message === undefined) return
      const isCurrent = current?.id === id
      dispatch({ type: 'frame', socket: id, message })
      if (isCurrent) listener.onMessage(message)
    })
  }

  function woke(): void {
    if (document.visibilityState === 'visible') dispatch({ type: 'woke' })
  }

  setInterval(() => dispatch({ type: 'tick' }), TICK_MS)
  document.addEventListener('visibilitychange', woke)
  window.addEventListener('online', woke)
  // A reload is a leave, told as one: the node need not keep the session for somebody who may not come back.
  window.addEventListener('pagehide', () => current?.socket.close(CLOSE.normal))

  return {
    enter(user, room, held) {
      dispatch({ type: 'enter', user, room, held })
    },
    leave() {
      dispatch({ type: 'leave' })
    },
    chooseRoom(room) {
      dispatch({ type: 'room', room })
    },
    send(message) {
      if (state.phase.is !== 'online' || current?.socket.readyState !== WebSocket.OPEN) return false
      current.socket.send(JSON.stringify(message))
      return true
    },
  }
}

function socketUrl(nodeUrl: string, user: string, room: string): string {
  const url = new URL('/ws', nodeUrl)
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:'
  url.searchParams.set('user', user)
  url.searchParams.set('room', room)
  return url.href
}

function parse(data: unknown): ServerMessage | undefined {
  if (typeof data !== 'string') return undefined
  try {
    const value: unknown = JSON.parse(data)
    return isServerMessage(value) ? value : undefined
  } catch {
    return undefined
  }
}

const TYPES: Record<ServerMessage['type'], true> = {
  welcome: true,
  online: true,
  said: true,
  told: true,
  undeliverable: true,
  pong: true,
  refused: true,
}

/** By its tag alone: a page trusts the node that served it. */
function isServerMessage(value: unknown): value is ServerMessage {
  return typeof value === 'object' && value !== null && 'type' in value && Object.hasOwn(TYPES, String(value.type))
}
