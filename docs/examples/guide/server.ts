import { call, cast, GenServer, start, type Call } from '@pidmesh/gen-server'
import { startNode } from '@pidmesh/runtime'

// Requests that are answered, each with the type of its answer; and requests that aren't.
type RoomCall = Call<{ type: 'join'; user: string }, 'welcome' | 'full'> | Call<{ type: 'members' }, string[]>
type RoomCast = { type: 'leave'; user: string }

class Room extends GenServer<RoomCall, RoomCast> {
  private places = 0
  private members: string[] = []

  override init(places: number) {
    this.places = places
  }

  override handleCall(request: RoomCall) {
    switch (request.type) {
      case 'join':
        if (this.members.length >= this.places) return this.reply(request, 'full')
        this.members.push(request.user)
        return this.reply(request, 'welcome')
      case 'members':
        return this.reply(request, [...this.members])
    }
  }

  override handleCast({ user }: RoomCast) {
    this.members = this.members.filter((member) => member !== user)
  }
}

const node = await startNode({ name: 'guide@127.0.0.1', cookie: 'only-to-try-it-out', logLevel: 'silent' })
const room = await start(node, Room, [2])

console.log(await call(node, room, { type: 'join', user: 'alice' }))
console.log(await call(node, room, { type: 'join', user: 'bob' }))
console.log(await call(node, room, { type: 'join', user: 'carol' }))
cast(node, room, { type: 'leave', user: 'alice' })
const members = await call(node, room, { type: 'members' })
console.log(members.join(' and ')) // a string[]: what `members` is answered with
await node.stop()
