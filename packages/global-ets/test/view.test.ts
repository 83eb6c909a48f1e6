import { describe, expect, it } from 'vitest'
import { nodeName, Pid } from '@pidmesh/runtime'
import type { Claim, Op } from '../src/claim.ts'
import { View } from '../src/view.ts'

const origin = { name: nodeName('a@127.0.0.1'), incarnation: 1 }
const server = new Pid(origin, 1)
const claim = (name: string, epoch = 1): Claim => ({ name, pid: new Pid(origin, 100 + epoch), epoch, meta: {} })
const put = (seq: number, name: string, epoch = 1): Op => ({ type: 'put', seq, claim: claim(name, epoch) })
const remove = (seq: number, name: string): Op => ({ type: 'remove', seq, name })

/** A view that is live with these names. */
function live(seq: number, ...names: string[]): View {
  const view = new View(server)
  view.beginSnapshot(1, seq)
  view.addChunk(
    1,
    names.map((name) => claim(name)),
  )
  view.endSnapshot(1)
  return view
}

const namesOf = (view: View): string[] => [...view.claims.keys()].sort()

describe('a view', () => {
  it('is live when its snapshot is whole, at the seq of the snapshot', () => {
    const view = live(7, 'x', 'y')
    expect([view.state, view.seq, namesOf(view)]).toEqual(['live', 7, ['x', 'y']])
  })

  it('applies the next operations, drops older ones, and says what changed', () => {
    const view = live(7, 'x')
    const update = view.applyOps([put(6, 'old'), put(8, 'y'), remove(9, 'x')])
    expect(update).toMatchObject({ removed: [{ name: 'x' }], put: [{ name: 'y' }], gap: false })
    expect([view.seq, namesOf(view)]).toEqual([9, ['y']])
  })

  it('is stale after a gap, serves what it had up to there, and takes no further operation before a new snapshot', () => {
    const view = live(7, 'x')
    expect(view.applyOps([put(8, 'y'), put(10, 'z')])).toMatchObject({ put: [{ name: 'y' }], gap: true })
    expect(view.state).toBe('stale')
    expect(view.applyOps([put(9, 'late')])).toMatchObject({ put: [], gap: false })
    expect(namesOf(view)).toEqual(['x', 'y'])
    view.beginSnapshot(2, 10)
    view.addChunk(2, [claim('x'), claim('z')])
    expect(view.endSnapshot(2)).toMatchObject({ removed: [{ name: 'y' }], put: [{ name: 'z' }] })
    expect([view.state, view.seq]).toEqual(['live', 10])
  })

  it('a snapshot takes the place of everything, and is never merged with what was there', () => {
    const view = live(7, 'x', 'gone')
    view.beginSnapshot(2, 9)
    view.addChunk(2, [claim('x')])
    expect(view.endSnapshot(2)).toMatchObject({ removed: [{ name: 'gone' }], put: [] })
  })

  it('chunks and the end of a snapshot that another one has overtaken are ignored', () => {
    const view = new View(server)
    view.beginSnapshot(1, 5)
    view.addChunk(1, [claim('first')])
    view.beginSnapshot(2, 6)
    view.addChunk(1, [claim('late')])
    view.endSnapshot(1)
    expect(view.state).toBe('syncing')
    view.addChunk(2, [claim('second')])
    view.endSnapshot(2)
    expect(namesOf(view)).toEqual(['second'])
  })

  it('deltas that come between the chunks of a snapshot are in it, and later chunks do not undo them', () => {
    const view = new View(server)
    view.beginSnapshot(1, 5)
    view.addChunk(1, [claim('a'), claim('b')])
    expect(view.applyOps([remove(6, 'a'), remove(7, 'c'), put(8, 'd', 2), put(9, 'new', 2)]).gap).toBe(false)
    view.addChunk(1, [claim('c'), claim('d')])
    view.endSnapshot(1)
    expect(namesOf(view)).toEqual(['b', 'd', 'new'])
    expect(view.claims.get('d')?.epoch).toBe(2)
    expect(view.seq).toBe(9)
    expect(view.applyOps([put(10, 'next')])).toMatchObject({ put: [{ name: 'next' }], gap: false })
  })

  it('a live view stays up to date while a new snapshot comes in', () => {
    const view = live(5, 'a')
    view.beginSnapshot(2, 5)
    expect(view.applyOps([put(6, 'b')])).toMatchObject({ put: [{ name: 'b' }] })
    view.addChunk(2, [claim('a')])
    expect(view.endSnapshot(2)).toEqual({ removed: [], put: [] })
    expect([view.seq, namesOf(view)]).toEqual([6, ['a', 'b']])
  })

  it('a gap while a snapshot comes in ends that snapshot, and a new one is to be asked for', () => {
    const view = new View(server)
    view.beginSnapshot(1, 5)
    expect(view.applyOps([put(7, 'b')]).gap).toBe(true)
    view.addChunk(1, [claim('a')])
    view.endSnapshot(1)
    expect(view.state).toBe('syncing')
  })

  it("claims for processes that are not the owner's, of another node or an earlier life, are left out", () => {
    const foreign: Claim = { ...claim('x'), pid: new Pid({ name: nodeName('b@127.0.0.1'), incarnation: 1 }, 5) }
    const earlier: Claim = { ...claim('y'), pid: new Pid({ name: origin.name, incarnation: 0.5 }, 5) }
    const view = new View(server)
    view.beginSnapshot(1, 0)
    view.addChunk(1, [foreign, earlier, claim('z')])
    view.endSnapshot(1)
    view.applyOps([{ type: 'put', seq: 1, claim: { ...foreign, name: 'w' } }])
    expect(namesOf(view)).toEqual(['z'])
    expect(view.seq).toBe(1)
  })
})
