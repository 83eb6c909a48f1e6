import { nodeName, Pid } from '@pidmesh/runtime'
import { expect, it } from 'vitest'
import { Whereabouts } from '../src/whereabouts.ts'

const pid = (id: number) => new Pid({ name: nodeName('n@h'), incarnation: 1 }, id)
const nonce = Uint8Array.of(1, 2, 3)

it('a session that has gone takes nothing along that a later process of it has said since', () => {
  const whereabouts = new Whereabouts()
  whereabouts.add([nonce], pid(1))
  whereabouts.add([nonce], pid(2))
  whereabouts.forget([nonce], pid(1))
  expect(whereabouts.find(nonce)).toEqual(pid(2))
  whereabouts.forget([nonce], pid(2))
  expect(whereabouts.find(nonce)).toBeUndefined()
})
