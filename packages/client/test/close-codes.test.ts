import { CLOSE } from '@pidmesh/ws-gateway'
import { expect, it } from 'vitest'
import { afterClose } from '../src/close-codes.ts'

it('is what the gateway says of each of its codes', () => {
  for (const { code, reconnect } of Object.values(CLOSE))
    expect(afterClose(code) === 'retry', `${code}`).toBe(reconnect)
})

it('retries what nobody knows, but for the codes that are the application’s own', () => {
  for (const code of [1001, 1005, 1006, 1014, 1015, 3000, 3999, 5000]) expect(afterClose(code)).toBe('retry')
  for (const code of [1002, 1007, 1008, 1009, 4000, 4042, 4999]) expect(afterClose(code)).toBe('end')
})

it('asks once more for a token if it was refused', () => {
  expect(afterClose(4003)).toBe('renew')
})
