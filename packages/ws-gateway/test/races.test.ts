/**
 * Interleavings that went wrong once: what comes in the middle of a resume, of a move to another node, of an end.
 */
import { afterEach, expect, it } from 'vitest'
import { Lab, type LabClient } from './lab.ts'

let lab: Lab
afterEach(() => lab.stop())

/** Its socket breaks, and its session knows. */
async function cut(client: LabClient, index: number): Promise<void> {
  const { gateway } = lab.at(index)
  const before = gateway.stats.sessions.detached
  client.socket.terminate()
  await client.closed
  await expect.poll(() => gateway.stats.sessions.detached).toBe(before + 1)
}

it('a client may lose as many answers to its resume as it likes: the token that it has stays good', async () => {
  lab = await Lab.start(1)
  const first = await lab.connect(0, 'unlucky')
  await cut(first, 0)
  for (let lost = 0; lost < 3; lost++) {
    const again = await lab.resume(0, 'unlucky', first.at)
    expect((await again.next('resumed')).seq).toBe(0)
    await cut(again, 0)
  }
})

it('a client can not end the session of another by a message that looks like an exit', async () => {
  lab = await Lab.start(1)
  const victim = await lab.connect(0, 'victim')
  victim.send({ type: 'register', name: 'victim' })
  await victim.handled()
  const attacker = await lab.connect(0, 'attacker')
  attacker.send({ type: 'send', to: 'victim', message: { type: 'EXIT', reason: 'killed' } })
  await attacker.handled()
  await victim.handled()
})
