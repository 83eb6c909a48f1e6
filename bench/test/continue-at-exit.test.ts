import { spawn } from 'node:child_process'
import { EventEmitter, once } from 'node:events'
import { describe, expect, it } from 'vitest'
import { continueAtExit } from '../src/contestants/continue-at-exit.ts'

describe('a child that is stopped', () => {
  it('ends with its parent', async () => {
    const parent = new EventEmitter()
    // Ends when its stdin does.
    const child = spawn('cat', { stdio: ['pipe', 'ignore', 'ignore'] })
    try {
      continueAtExit(child, parent)
      child.kill('SIGSTOP')
      child.stdin.end()
      parent.emit('exit')
      expect(await once(child, 'exit')).toEqual([0, null])
      expect(parent.listenerCount('exit')).toBe(0)
    } finally {
      child.kill('SIGKILL')
    }
  })
})
