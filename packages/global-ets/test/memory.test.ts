import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { GlobalEts } from '@pidmesh/global-ets'
import { TestCluster } from '@pidmesh/runtime/testing'
import { expect, it } from 'vitest'
import { idle } from './lab.ts'

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

function heldBytes(): number {
  collectGarbage()
  collectGarbage()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

it.each([15, 64])('a name of %d characters does not keep the text that it was cut from', async (length) => {
  const cluster = new TestCluster()
  const node = await cluster.start('a')
  const names = await cluster.run(GlobalEts.start(node))
  const pid = idle({ node })
  const before = heldBytes()
  for (let n = 0; n < 30; n++) {
    const body = Buffer.alloc(1_000_000, `${n}`.padStart(length, 'n')).toString('latin1')
    expect(names.registerName(body.slice(0, length), pid)).toBe('yes')
  }
  expect(heldBytes() - before).toBeLessThan(10_000_000)
  expect(names.size).toBe(30)
  await cluster.stop()
})
