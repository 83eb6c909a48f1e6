// The page's state as signals, and what a user can do. The one place where connection, log and table meet.

import { computed, signal } from '@preact/signals'
import type { ReadonlySignal, Signal } from '@preact/signals'

import { FIRST_ROOM } from '../../src/limits.ts'
import type { OnlineUser, ServerMessage } from '../../src/messages.ts'
import { append, EMPTY_LOG, entryOf, markDoubtful } from './chat-log.ts'
import type { ChatLog, EntryBody } from './chat-log.ts'
import { closeCause } from './close-codes.ts'
import { startConnection } from './connection-shell.ts'
import { initialConnection, nodeAt } from './connection.ts'
import type { ConnectionEvent, ConnectionState } from './connection.ts'
import { afterFrame, EMPTY_OUTBOX, withSaid, withTold } from './outbox.ts'
import { shortName } from './presence.ts'
import { forgetHeld, heldName, holdName } from './session-memory.ts'

export type Chat = {
  connection: ReadonlySignal<ConnectionState>
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
}

export function startChat(pageUrl: string): Chat {
  const connection = signal(initialConnection(pageUrl))
  const online = signal<readonly OnlineUser[]>([])
  const upNodes = signal<readonly string[] | undefined>(undefined)
  const log = signal(EMPTY_LOG)
  const target = signal<string | undefined>(undefined)
  /** The node whose loss was told and that has no successor yet. */
  let lost: string | undefined
  let outbox = EMPTY_OUTBOX

  const shell = startConnection(pageUrl, { onState, onMessage })

  function onState(next: ConnectionState, cause: ConnectionEvent): void {
    const before = connection.peek()
    connection.value = next
    if (before.phase.is === 'online' && next.phase.is !== 'online') onLost(before.phase.node, next, cause)
    if (before.phase.is !== 'online' && next.phase.is === 'online') onFound(next.phase.node, next.user)
    if (before.phase.is !== 'out' && next.phase.is === 'out') onOut()
  }

  function onLost(node: string, next: ConnectionState, cause: ConnectionEvent): void {
    if (next.phase.is === 'out') return
    lost = node
    const why = cause.type === 'closed' ? closeCause(cause.code) : 'does not answer'
    note({ kind: 'notice', text: `${shortName(node)} ${why}. Looking for another node.`, tone: 'warning' })
    for (const sent of outbox.said) note({ kind: 'undelivered', from: next.user, ...sent })
    log.value = markDoubtful(log.peek(), outbox.told)
    outbox = EMPTY_OUTBOX
  }

  function onFound(node: string, user: string): void {
    holdName(user)
    if (lost === undefined) return
    const back = lost === node ? 'Back on' : `Moved from ${shortName(lost)} to`
    note({ kind: 'notice', text: `${back} ${shortName(node)}. What was said meanwhile may be missing.`, tone: 'calm' })
    lost = undefined
  }

  function onOut(): void {
    forgetHeld()
    online.value = []
    upNodes.value = undefined
    log.value = EMPTY_LOG
    target.value = undefined
    lost = undefined
    outbox = EMPTY_OUTBOX
  }

  function onMessage(message: ServerMessage): void {
    if (message.type === 'online') {
      online.value = message.users
      upNodes.value = message.nodes
    }
    const { user } = connection.peek()
    outbox = afterFrame(outbox, message, user)
    const entry = entryOf(message, user)
    if (entry !== undefined) note(entry)
  }

  function note(body: EntryBody): void {
    log.value = append(log.peek(), Date.now(), body)
  }

  return {
    connection,
    isOnline: computed(() => connection.value.phase.is === 'online'),
    online,
    upNodes,
    log,
    target,
    enter(user) {
      shell.enter(user, FIRST_ROOM, heldName() === user)
    },
    leave() {
      shell.leave()
    },
    chooseRoom(room) {
      shell.chooseRoom(room)
      target.value = undefined
    },
    submit(text) {
      const to = target.peek()
      if (!shell.send(to === undefined ? { type: 'say', text } : { type: 'tell', to, text })) return false
      const { user, room, phase } = connection.peek()
      const node = phase.is === 'online' ? phase.node : (nodeAt(connection.peek()).name ?? '')
      if (to === undefined) {
        outbox = withSaid(outbox, { room, node, text })
      } else if (to !== user) {
        note({ kind: 'direct', from: user, to, node, text })
        outbox = withTold(outbox, log.peek().lastId)
      }
      return true
    },
  }
}
