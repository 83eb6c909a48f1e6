// What a reload of this tab must not forget: who is in it, where, and the session to go on with. Without that a reloaded page would be somebody else, who finds the name taken.

import type { ResumeMemory, ResumeState } from '@pidmesh/client'

export type Who = { user: string; room: string }

export type TabMemory = {
  /** Anything that is not the client's own state it passes over. */
  resume: ResumeMemory
  who(): Who | undefined
  keepWho(who: Who | undefined): void
}

/** Of a `Storage`. */
export type TextStorage = Pick<Storage, 'getItem' | 'setItem' | 'removeItem'>

const WHO = 'pidmesh-demo.who'
const SESSION = 'pidmesh-demo.session'

/** @param storage throws where storage is forbidden: then a reload is a first login */
export function tabMemory(storage: () => TextStorage): TabMemory {
  function read(key: string): unknown {
    try {
      const text = storage().getItem(key)
      return text === null ? undefined : JSON.parse(text)
    } catch {
      return undefined
    }
  }

  function write(key: string, value: object | undefined): void {
    try {
      if (value === undefined) storage().removeItem(key)
      else storage().setItem(key, JSON.stringify(value))
    } catch {
      // As above.
    }
  }

  return {
    resume: {
      load: () => read(SESSION) as ResumeState | undefined,
      save: (state) => write(SESSION, state),
    },
    who() {
      const who = read(WHO)
      return isWho(who) ? who : undefined
    },
    keepWho: (who) => write(WHO, who),
  }
}

function isWho(value: unknown): value is Who {
  if (typeof value !== 'object' || value === null) return false
  return 'user' in value && typeof value.user === 'string' && 'room' in value && typeof value.room === 'string'
}
