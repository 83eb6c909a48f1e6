// The page's state as signals, and what a user can do. The one place where client, log and table meet.

import { connect } from '@pidmesh/client'
import type { Client } from '@pidmesh/client'
import { computed, signal } from '@preact/signals'
import type { ReadonlySignal, Signal } from '@preact/signals'

import { FIRST_ROOM } from '../../src/limits.ts'
import type { ChatNode, ClientMessage, OnlineUser, ServerMessage } from '../../src/messages.ts'
import { append, EMPTY_LOG, entryOf, markDoubtful } from './chat-log.ts'
import type { ChatLog, EntryBody } from './chat-log.ts'
import { firstThenRandom, socketUrl } from './nodes.ts'
import { afterMessage, EMPTY_OUTBOX, withSaid, withTold } from './outbox.ts'
import { initialStay, isIn, step } from './stay.ts'
import type { Stay, StayEvent } from './stay.ts'
import type { TabMemory } from './tab-memory.ts'

export type Chat = {
  /** All that the page may connect to, the one that has served it first. */
  nodes: readonly ChatNode[]
  stay: ReadonlySignal<Stay>
  isOnline: ReadonlySignal<boolean>
  online: ReadonlySignal<readonly OnlineUser[]>
  /** Names of the nodes that the node in use sees, or saw last; undefined before it has told. */
  upNodes: ReadonlySignal<readonly string[] | undefined>
  log: ReadonlySignal<ChatLog>
  /** Whom the next message is for; the whole room when undefined. */
  target: Signal<string | undefined>
  enter(user: string): void
  leave(): void
  chooseRoom(room: string): void
  /** False when there is no connection: the text should stay where it is. */
  submit(text: string): boolean
  /** The page is seen again, or the network is back. */
  wake(): void
}

/** A demo must be seen to notice: a node that is silent for 3.5 s is given up. */
const PACE = {
  pingAfterMs: 1000,
  pingTimeoutMs: 2500,
  connectTimeoutMs: 5000,
  minRetryMs: 200,
  maxRetryMs: 2000,
} as const

export function startChat(nodes: readonly ChatNode[], memory: TabMemory): Chat {
  const stay = signal(initialStay(memory.who()?.user ?? ''))
  const online = signal<readonly OnlineUser[]>([])
  const upNodes = signal<readonly string[] | undefined>(undefined)
  const log = signal(EMPTY_LOG)
  const target = signal<string | undefined>(undefined)
  let client: Client<ClientMessage, ServerMessage> | undefined
  let outbox = EMPTY_OUTBOX

  function dispatch(event: StayEvent): void {
    const next = step(stay.peek(), event)
    const wasOut = stay.peek().is === 'out'
    stay.value = next.stay
    for (const body of next.notes) note(body)
    if (!wasOut && next.stay.is === 'out') onOut()
  }

  function enter(user: string, room: string): void {
    if (stay.peek().is !== 'out') return
    dispatch({ type: 'enter', user, room })
    client = connect<ClientMessage, ServerMessage>({
      urls: nodes.map(socketUrl),
      // A session that has to begin anew begins where the user is by then.
      token: () => `${user}@${stay.peek().room}`,
      memory: memory.resume,
      random: firstThenRandom(Math.random),
      ...PACE,
    })
    client.on('message', onMessage)
    client.on('gap', onGap)
    client.on('close', ({ code, reason, retryInMs }) =>
      dispatch({ type: 'closed', code, reason, isFinal: retryInMs === undefined }),
    )
  }

  function onMessage(message: ServerMessage): void {
    if (message.type === 'welcome') onWelcome(message)
    if (message.type === 'online') {
      online.value = message.users
      upNodes.value = message.nodes
    }
    const { user } = stay.peek()
    outbox = afterMessage(outbox, message, user)
    const entry = entryOf(message, user)
    if (entry !== undefined) note(entry)
  }

  function onWelcome({ node, room: told }: { node: string; room: string }): void {
    dispatch({ type: 'welcomed', node })
    const { user, room } = stay.peek()
    memory.keepWho({ user, room })
    // A reload may have been faster than the choice of a room.
    if (told !== room) client?.send({ type: 'join', room })
  }

  function onGap(): void {
    dispatch({ type: 'gap' })
    const { user } = stay.peek()
    for (const sent of outbox.said) note({ kind: 'undelivered', from: user, ...sent })
    log.value = markDoubtful(
      log.peek(),
      outbox.told.map(({ entryId }) => entryId),
    )
    outbox = EMPTY_OUTBOX
  }

  function onOut(): void {
    memory.keepWho(undefined)
    client = undefined
    online.value = []
    upNodes.value = undefined
    log.value = EMPTY_LOG
    target.value = undefined
    outbox = EMPTY_OUTBOX
  }

  function note(body: EntryBody): void {
    log.value = append(log.peek(), Date.now(), body)
  }

  const held = memory.who()
  if (held !== undefined && memory.resume.load() !== undefined) enter(held.user, held.room)

  return {
    nodes,
    stay,
    isOnline: computed(() => stay.value.is === 'online'),
    online,
    upNodes,
    log,
    target,
    enter(user) {
      enter(user, FIRST_ROOM)
    },
    leave() {
      const left = client
      dispatch({ type: 'leave' })
      left?.close()
    },
    chooseRoom(room) {
      target.value = undefined
      const { user, room: former } = stay.peek()
      if (room === former || !isIn(stay.peek())) return
      dispatch({ type: 'room', room })
      memory.keepWho({ user, room })
      client?.send({ type: 'join', room })
    },
    submit(text) {
      const { is, user, room, node = '' } = stay.peek()
      if (is !== 'online') return false
      const to = target.peek()
      const status = client?.send(to === undefined ? { type: 'say', text } : { type: 'tell', to, text })
      if (status !== 'sent' && status !== 'queued') return false
      if (to === undefined) {
        outbox = withSaid(outbox, { room, node, text })
      } else if (to !== user) {
        note({ kind: 'direct', from: user, to, node, text })
        outbox = withTold(outbox, { entryId: log.peek().lastId, to, text })
      }
      return true
    },
    wake() {
      client?.wake()
    },
  }
}
