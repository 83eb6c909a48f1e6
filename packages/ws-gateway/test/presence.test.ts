/**
 * PURPOSE: who is seen in a room, whatever its members are and in whichever order is told of them.
 */
import { nodeName, Pid, type MemberOfGroup } from '@pidmesh/runtime'
import { describe, expect, it } from 'vitest'
import { RoomPresence } from '../src/presence.ts'

const ROOM = { type: 'presence_diff', room: 'hall' }
const pid = (id: number) => new Pid({ name: nodeName('n@h'), incarnation: 1 }, id)
const member = (id: number, session: string, moves: number, mood: string): MemberOfGroup => ({
  pid: pid(id),
  meta: { id: 'ann', session, moves, meta: { mood } },
})
const ann = (...moods: string[]) => ({ id: 'ann', metas: moods.map((mood) => ({ mood })) })

describe('a session of two processes', () => {
  it('is one device, whichever of them is heard of first', () => {
    const [former, later] = [member(1, 's', 0, 'good'), member(2, 's', 1, 'better')]
    expect(new RoomPresence('hall', [former, later]).present).toEqual([ann('better')])
    expect(new RoomPresence('hall', [later, former]).present).toEqual([ann('better')])
  })

  it('is no news if it comes to another and leaves the one where it was', () => {
    const presence = new RoomPresence('hall', [member(1, 's', 0, 'good')])
    expect(presence.joined([member(2, 's', 1, 'good')])).toBeUndefined()
    expect(presence.left([pid(1)])).toBeUndefined()
    expect(presence.left([pid(2)])).toEqual({ ...ROOM, joined: [], left: ['ann'] })
  })

  it('is what it was if the later one is lost while the former one is still there', () => {
    const presence = new RoomPresence('hall', [member(1, 's', 0, 'good')])
    expect(presence.joined([member(2, 's', 1, 'better')])).toEqual({ ...ROOM, joined: [ann('better')], left: [] })
    expect(presence.left([pid(2)])).toEqual({ ...ROOM, joined: [ann('good')], left: [] })
  })

  it('is not two sessions of one user, which are two devices also if they are alike', () => {
    const presence = new RoomPresence('hall', [member(1, 's', 0, 'good')])
    expect(presence.joined([member(2, 't', 0, 'good')])).toEqual({ ...ROOM, joined: [ann('good', 'good')], left: [] })
    expect(presence.left([pid(1)])).toEqual({ ...ROOM, joined: [ann('good')], left: [] })
  })
})

it('metadata that is replaced by the same is no news', () => {
  const presence = new RoomPresence('hall', [member(1, 's', 0, 'good')])
  expect(presence.joined([member(1, 's', 0, 'good')])).toBeUndefined()
  expect(presence.joined([member(1, 's', 0, 'better')])).toEqual({ ...ROOM, joined: [ann('better')], left: [] })
})

it('who is no session is passed over, when it comes and when it goes', () => {
  const strangers = [{}, { id: 'ann', meta: {} }, { id: 1, session: 's', moves: 0, meta: {} }]
  const members = strangers.map((meta, index) => ({ pid: pid(index), meta }))
  const presence = new RoomPresence('hall', members)
  expect([presence.present, presence.joined(members), presence.left([pid(0)])]).toEqual([[], undefined, undefined])
})

it('a process that is another’s, or another session, than before is not who it was any more', () => {
  const as = (id: string, session: string) => ({ pid: pid(1), meta: { id, session, moves: 0, meta: {} } })
  const presence = new RoomPresence('hall', [as('ann', 's')])
  expect(presence.joined([as('ann', 't')])).toBeUndefined()
  expect(presence.present).toEqual([{ id: 'ann', metas: [{}] }])
  const joined = [{ id: 'bob', metas: [{}] }]
  expect(presence.joined([as('bob', 't')])).toEqual({ ...ROOM, joined, left: ['ann'] })
  expect(presence.present).toEqual(joined)
})

it('those who are there are in the order of their ids, and nobody who has left is among them', () => {
  const of = (id: string, number: number) => ({ pid: pid(number), meta: { id, session: id, moves: 0, meta: {} } })
  const presence = new RoomPresence('hall', [of('cid', 1), of('bob', 2), of('ann', 3)])
  presence.left([pid(2)])
  expect(presence.present.map(({ id }) => id)).toEqual(['ann', 'cid'])
})
