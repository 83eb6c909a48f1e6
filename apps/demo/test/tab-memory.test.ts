import { expect, it } from 'vitest'

import { tabMemory } from '../page/src/tab-memory.ts'
import type { TextStorage } from '../page/src/tab-memory.ts'

class MemoryStorage implements TextStorage {
  readonly texts = new Map<string, string>()
  getItem(key: string): string | null {
    return this.texts.get(key) ?? null
  }
  setItem(key: string, text: string): void {
    this.texts.set(key, text)
  }
  removeItem(key: string): void {
    this.texts.delete(key)
  }
}

it('gives after a reload what was kept before it', () => {
  const storage = new MemoryStorage()
  const before = tabMemory(() => storage)
  before.keepWho({ user: 'alice', room: 'cats' })
  before.resume.save({ token: 't', seq: 7 })
  const after = tabMemory(() => storage)
  expect(after.who()).toEqual({ user: 'alice', room: 'cats' })
  expect(after.resume.load()).toEqual({ token: 't', seq: 7 })
})

it('forgets', () => {
  const storage = new MemoryStorage()
  const memory = tabMemory(() => storage)
  memory.keepWho({ user: 'alice', room: 'cats' })
  memory.resume.save({ token: 't', seq: 7 })
  memory.keepWho(undefined)
  memory.resume.save(undefined)
  expect(memory.who()).toBeUndefined()
  expect(memory.resume.load()).toBeUndefined()
  expect(storage.texts.size).toBe(0)
})

it.each(['{', 'null', '"alice"', '{"user":"alice"}', '{"user":1,"room":"cats"}'])(
  'takes %s in the storage for nobody',
  (text) => {
    const storage = new MemoryStorage()
    const memory = tabMemory(() => storage)
    memory.keepWho({ user: 'alice', room: 'cats' })
    for (const key of storage.texts.keys()) storage.setItem(key, text)
    expect(memory.who()).toBeUndefined()
  },
)

it('remembers nothing, and fails at nothing, where storage is forbidden', () => {
  const memory = tabMemory(() => {
    throw new DOMException('The operation is insecure.', 'SecurityError')
  })
  memory.keepWho({ user: 'alice', room: 'cats' })
  memory.resume.save({ token: 't', seq: 7 })
  expect(memory.who()).toBeUndefined()
  expect(memory.resume.load()).toBeUndefined()
})
