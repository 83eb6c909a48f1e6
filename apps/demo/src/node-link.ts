// What the launcher and a node say to each other over the IPC channel. Both are ours, and both check: a channel is an outside.

/** The node serves its page and its sockets. */
export type Ready = { type: 'ready'; url: string }

/** End, and let those connected know. */
export type Stop = { type: 'stop' }

export function isReady(message: unknown): message is Ready {
  return hasType(message, 'ready') && 'url' in message && typeof message.url === 'string'
}

export function isStop(message: unknown): message is Stop {
  return hasType(message, 'stop')
}

function hasType(message: unknown, type: string): message is object {
  return typeof message === 'object' && message !== null && 'type' in message && message.type === type
}
