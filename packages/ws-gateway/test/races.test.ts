/**
 * Interleavings that went wrong once: what comes in the middle of a resume, of a move to another node, of an end.
 */
import { afterEach, expect, it } from 'vitest'
import { Lab } from './lab.ts'

let lab: Lab
afterEach(() => lab.stop())

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
