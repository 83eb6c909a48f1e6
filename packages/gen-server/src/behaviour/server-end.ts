/**
 * What a server throws when all that it does at its end has been done: it ends the process, and tells the crash report what the server knows of it.
 *
 * Invariant: neither state nor message is shown otherwise than through `formatStatus`; if that fails, neither is.
 */
import {
  ExitError,
  formatReason,
  isQuietReason,
  reasonOfThrown,
  type ExitReason,
  type LogFields,
} from '@pidmesh/runtime'
import { isCallMessage, isCastMessage } from '../protocol.ts'
import type { Behaviour } from './behaviour.ts'
import { shownValue } from './shown-value.ts'

export class ServerEnd extends ExitError {
  override readonly details: LogFields | undefined

  /** @param message what it was at; `undefined`: nothing */
  constructor(behaviour: Behaviour, reason: ExitReason, message: unknown) {
    super(reason, 'ERR_EXIT', isQuietReason(reason) ? 'server stopped' : 'server failed')
    this.details = isQuietReason(reason) ? undefined : detailsOf(behaviour, reason, message)
  }
}

function detailsOf(behaviour: Behaviour, reason: ExitReason, message: unknown): LogFields {
  try {
    const lastMessage = message === undefined ? {} : { message: payloadOf(message) }
    const shown = behaviour.formatStatus({ state: behaviour.getState(), reason, ...lastMessage })
    return {
      server: behaviour.name,
      ...('message' in shown ? { lastMessage: shownValue(shown.message) } : {}),
      state: shownValue(shown.state),
    }
  } catch (thrown) {
    return { server: behaviour.name, state: `formatStatus has failed: ${formatReason(reasonOfThrown(thrown))}` }
  }
}

function payloadOf(message: unknown): unknown {
  return isCallMessage(message) || isCastMessage(message) ? message.request : message
}
