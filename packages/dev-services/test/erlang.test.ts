/**
 * PURPOSE: who compares something with Erlang is told what is wrong with his module.
 */
import { ErlangProcess, erlangMissing, makeFolder, mustSkip } from '@pidmesh/dev-services'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'

function moduleOf(body: string): string {
  const { folder, remove } = makeFolder('module')
  onTestFinished(remove)
  const path = join(folder, 'told.erl')
  writeFileSync(path, `-module(told).\n-export([main/0]).\n${body}\n`)
  return path
}

describe.skipIf(mustSkip(erlangMissing()))('erl with modules of a test', () => {
  it('runs the first of them, and is gone when it is stopped', { timeout: 60_000 }, async () => {
    const erlang = await ErlangProcess.start([moduleOf('main() -> io:put_chars("here\\n"), receive never -> ok end.')])
    expect(await erlang.line()).toBe('here')
    await erlang.stop()
    await expect(erlang.line()).rejects.toThrow('erl has ended')
  })

  it('is not started with a module that does not compile, and says why', { timeout: 60_000 }, async () => {
    await expect(ErlangProcess.start([moduleOf('main() -> Unused = 1.')])).rejects.toThrow(
      "variable 'Unused' is unused",
    )
    await expect(ErlangProcess.start(['/nowhere/to_be_found.erl'])).rejects.toThrow('no such file')
  })

  it('says what has ended it', { timeout: 60_000 }, async () => {
    const said = ErlangProcess.start([moduleOf('main() -> error(out_of_order).')]).then((erlang) => erlang.line())
    await expect(said).rejects.toThrow('out_of_order')
  })
})
