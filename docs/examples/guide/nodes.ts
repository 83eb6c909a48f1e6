import { call, GenServer, start, type Call, type CallError, type ServerRef } from '@pidmesh/gen-server'
import { startNode } from '@pidmesh/runtime'

type RoomCall = Call<{ type: 'join'; user: string }, string[]>

class Room extends GenServer<RoomCall> {
  private members: string[] = []
  override handleCall(request: RoomCall) {
    this.members.push(request.user)
    return this.reply(request, [...this.members])
  }
}

// Two nodes. Here they live in one program; as a rule they are two, on two machines. They know each other by the cookie.
const cookie = 'only-to-try-it-out'
const berlin = await startNode({ name: 'berlin@127.0.0.1', cookie, logLevel: 'silent' })
const tokyo = await startNode({ name: 'tokyo@127.0.0.1', cookie, logLevel: 'silent', seeds: [berlin.address] })

// The name belongs to the node that the room is on.
const room = await start(berlin, Room, [], { name: 'room' })
const there: ServerRef<RoomCall, never> = { name: 'room', node: berlin.name }
console.log(await call(tokyo, there, { type: 'join', user: 'aiko' }))
console.log(await call(tokyo, room, { type: 'join', user: 'kenji' })) // by its pid as well

// Monitors and links reach as far as messages do.
const watcher = tokyo.spawn(async (self) => {
  self.monitor(room)
  self.monitorNode(berlin.name, true)
  console.log('DOWN:', (await self.receive('DOWN')).reason)
  const { type, node } = await self.receive('nodedown')
  console.log(`${type}: ${node}`)
})
await berlin.stop()
await tokyo.self.awaitDown(watcher, 5_000)

await call(tokyo, there, { type: 'join', user: 'emi' }).catch((error: CallError) => console.log(error.code))
await tokyo.stop()
