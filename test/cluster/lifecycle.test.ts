// PURPOSE: `pnpm demo` leaves no process behind, whatever ends it. Its real nodes, with users on them.

import { closeSync, openSync } from 'node:fs'

import { describe, expect, it, onTestFinished } from 'vitest'

import { ChatClient, expectAllToTalk, expectSameTables } from './support/chat-client.ts'
import { isRunning, startLauncher } from './support/demo-process.ts'
import type { DemoProcess } from './support/demo-process.ts'
import { until } from './support/until.ts'

const END_WITHIN_MS = 5000

describe('the launcher and its nodes', () => {
  it.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)('all end on %s to the launcher, with code 0', async (signal) => {
    const launcher = await startLauncher()
    launcher.child.kill(signal)
    await expectAllEnded(launcher)
    expect(await launcher.ended).toBe(0)
  })

  it("all end on a terminal's Ctrl-C, which reaches each of them, with code 0, and tell their users to come back", async () => {
    const launcher = await startLauncher([], { ownGroup: true })
    const users = await Promise.all(launcher.nodes.map((node, i) => ChatClient.connect(node, `user${i}`)))
    process.kill(-launcher.pid, 'SIGINT')
    await expectAllEnded(launcher)
    expect(await launcher.ended).toBe(0)
    for (const { closed } of users) {
      expect(closed?.code).toBe(1012)
      expect(closed?.reason).toMatch(/^service_restart;retry_after_ms=\d+$/)
    }
    expect(launcher.stderr).toBe('')
  })

  it('all end when standard input, a pipe, is closed, with code 0', async () => {
    const launcher = await startLauncher()
    launcher.child.stdin?.end()
    await expectAllEnded(launcher)
    expect(await launcher.ended).toBe(0)
  })

  it('all end when the launcher is killed', async () => {
    const launcher = await startLauncher()
    launcher.child.kill('SIGKILL')
    await expectAllEnded(launcher)
    expect(await launcher.ended).toBe('SIGKILL')
  })

  it('run with /dev/null as the standard input, until they are told to end', async () => {
    const devNull = openSync('/dev/null', 'r')
    onTestFinished(() => closeSync(devNull))
    const launcher = await startLauncher([], { stdin: devNull })
    const users = await Promise.all(launcher.nodes.map((node, i) => ChatClient.connect(node, `user${i}`)))
    await expectSameTables(users, Object.fromEntries(users.map(({ user, node }) => [user, node])))
    await expectAllToTalk(users)
    expect(launcher.hasEnded).toBe(false)
    launcher.child.kill('SIGTERM')
    await expectAllEnded(launcher)
    expect(await launcher.ended).toBe(0)
  })
})

async function expectAllEnded(launcher: DemoProcess): Promise<void> {
  const pids = launcher.nodes.map(({ pid }) => pid)
  expect(pids).toHaveLength(3)
  await until('every process has ended', () => launcher.hasEnded && !pids.some(isRunning), {
    withinMs: END_WITHIN_MS,
    instead: () => ({ launcher: launcher.hasEnded ? 'ended' : 'runs', nodes: pids.filter(isRunning) }),
  })
}
