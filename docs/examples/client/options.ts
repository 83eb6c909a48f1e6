import { connect, type Client, type ResumeMemory, type ResumeState } from '@pidmesh/client'
import { msgpack } from '@pidmesh/client/msgpack'

// What a browser has.
declare const window: EventTarget
declare const document: EventTarget
declare const sessionStorage: { getItem(key: string): string | null; setItem(key: string, value: string): void }

const urls = ['wss://a.example.org/ws', 'wss://b.example.org/ws']

export function retrying(): Client<unknown, unknown> {
  // #region retry
  const client = connect({ urls, shouldRetry: (code) => (code === 4100 ? true : undefined) })
  // #endregion
  return client
}

export function waking(client: Client<unknown, unknown>): void {
  // #region wake
  window.addEventListener('online', () => client.wake())
  document.addEventListener('visibilitychange', () => client.wake())
  // #endregion
}

export function remembering(): Client<unknown, unknown> {
  // #region memory
  const memory: ResumeMemory = {
    load: () => JSON.parse(sessionStorage.getItem('session') ?? 'null') as ResumeState | undefined,
    save: (state) => sessionStorage.setItem('session', JSON.stringify(state ?? null)),
  }
  const client = connect({ urls, memory })
  // #endregion
  return client
}

export function packed(): Client<unknown, unknown> {
  // #region msgpack
  const client = connect({ urls, codec: msgpack })
  // #endregion
  return client
}
