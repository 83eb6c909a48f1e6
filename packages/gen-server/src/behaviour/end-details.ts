/**
 * What the crash report of a server says besides the reason.
 *
 * Invariant: neither state nor message is shown otherwise than through `formatStatus`; if that fails, neither is.
 */
import { formatReason, reasonOfThrown, type ExitReason, type LogFields } from '@pidmesh/runtime'
import { isCallMessage, isCastMessage } from '../protocol.ts'
import type { Behaviour } from './behaviour.ts'
import { shownValue } from './shown-value.ts'

/** @param message what it was at; `undefined`: nothing */
export function endDetails(behaviour: Behaviour, reason: ExitReason, message: unknown): LogFields {
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
