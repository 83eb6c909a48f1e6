import { expect, it } from 'vitest'
import { checkNodeOptions } from '../src/options.ts'
import { systemComponents } from '../src/start-node.ts'

it.each([
  [undefined, true],
  [true, true],
  [false, false],
])('a node that is started with busyWait: %s waits awake: %s', (busyWait, waits) => {
  const options = { name: 'a@127.0.0.1', cookie: 'a test cookie', ...(busyWait !== undefined && { busyWait }) }
  expect(systemComponents(checkNodeOptions(options)).busyWait !== undefined).toBe(waits)
})
