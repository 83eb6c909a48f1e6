import { readFileSync } from 'node:fs'
import { CLOSE } from '@pidmesh/ws-gateway'
import { expect, it } from 'vitest'
import { causeOfExit } from '../src/close-cause.ts'

it('docs/gateway.md lists every close code with its reason and whether to connect again', () => {
  const text = readFileSync(new URL('../../../docs/gateway.md', import.meta.url), 'utf8')
  for (const { code, reason, reconnect } of Object.values(CLOSE)) {
    expect(text).toMatch(new RegExp(`^\\| ${code} \\| \`${reason}\` \\|.*\\| ${reconnect ? 'yes' : 'no'} \\|$`, 'm'))
  }
})

it('each exit reason of a session has its close cause, and one that is unheard of is an internal error', () => {
  expect(causeOfExit('normal')).toBe(CLOSE.normal)
  expect(causeOfExit('shutdown')).toBe(CLOSE.restart)
  expect(causeOfExit({ shutdown: 'drain' })).toBe(CLOSE.restart)
  expect(causeOfExit('killed')).toBe(CLOSE.killed)
  expect(causeOfExit({ name_conflict: {} })).toBe(CLOSE.nameConflict)
  expect(causeOfExit({ close: { code: 4123, reason: 'mine' } })).toMatchObject({ code: 4123 })
  for (const reason of [
    'boom',
    { error: { name: 'Error', message: 'x' } },
    { close: 'nonsense' },
    { close: { code: 1005, reason: '' } },
  ]) {
    expect(causeOfExit(reason)).toBe(CLOSE.internal)
  }
})
