/**
 * A child that is started is called without a cast. The code is never run: what doesn't compile is an error of the types, or the check of the types fails.
 */
import {
  call,
  cast,
  child,
  DynamicSupervisor,
  GenServer,
  GenStatem,
  processChild,
  start,
  startLink,
  Supervisor,
  Task,
  type Call,
  type ChildSpec,
  type DynamicSupervisorPid,
  type ServerPid,
  type SimpleSupervisorPid,
  type StartChildResult,
  type StartDynamicChildResult,
  type StatemState,
  type SupervisorPid,
} from '@pidmesh/gen-server'
import type { Context, Node, Pid } from '@pidmesh/runtime'
import { expect, expectTypeOf, it } from 'vitest'

type RoomCall = Call<{ type: 'topic' }, string>
type RoomCast = { type: 'rename'; to: string }
type RoomPid = ServerPid<RoomCall, RoomCast>

class Room extends GenServer<RoomCall, RoomCast> {
  override init(topic: string, _mode: 'open' | 'closed' = 'open') {
    this.log.debug({ topic }, 'a room')
  }
  override handleCall(request: RoomCall) {
    return this.reply(request, 'tea')
  }
  override handleCast(_request: RoomCast): void {}
}

class Mute extends GenServer<RoomCall> {
  override handleCall() {
    return this.noreply()
  }
}

class Choosy extends Mute {
  override init(isWanted: boolean) {
    return isWanted ? this.ok() : this.ignore()
  }
}

class Lamp extends GenStatem<{ state: 'on' | 'off'; calls: RoomCall }> {
  override init() {
    return this.ok('off')
  }
  override handleEvent() {
    return this.keepState()
  }
}

async function pidOf<P extends Pid | undefined>(
  starting: Promise<StartChildResult<P> | StartDynamicChildResult<P>>,
): Promise<P> {
  const started = await starting
  if (started.type !== 'ok') throw new Error(started.type)
  return started.pid
}

it('types: a child is what its specification starts: it is called and cast without a cast of the pid', () => {
  const typed = async (node: Node, rooms: DynamicSupervisorPid, tree: SupervisorPid): Promise<void> => {
    const room = await pidOf(DynamicSupervisor.startChild(node, rooms, child(Room, ['tea'])))
    expectTypeOf(room).toEqualTypeOf<RoomPid>()
    expectTypeOf(await call(node, room, { type: 'topic' })).toEqualTypeOf<string>()
    cast(node, room, { type: 'rename', to: 'chess' })
    class Bare extends GenServer<RoomCall, RoomCast> {}
    // @ts-expect-error it has no handleCall and no handleCast
    child(Bare, [])
    // @ts-expect-error there is no such request
    void call(node, room, { type: 'topics' })
    // @ts-expect-error there is no such cast
    cast(node, room, { type: 'renamed', to: 'chess' })
    expectTypeOf(await pidOf(Supervisor.startChild(node, tree, child(Room, ['tea', 'open'])))).toEqualTypeOf<RoomPid>()
    expectTypeOf(
      await pidOf(DynamicSupervisor.startChild(node, 'rooms', child(Room, ['tea']))),
    ).toEqualTypeOf<RoomPid>()
    // Of whose name another process has it is not known what it takes.
    const started = await DynamicSupervisor.startChild(node, rooms, child(Room, ['tea'], { name: 'tea' }))
    if (started.type === 'already_started') expectTypeOf(started.pid).toEqualTypeOf<Pid>()
    expectTypeOf(await pidOf(DynamicSupervisor.startChild(node, rooms, child(Mute, [])))).toEqualTypeOf<
      ServerPid<RoomCall, never>
    >()
    expectTypeOf(await pidOf(DynamicSupervisor.startChild(node, rooms, child(Lamp, [])))).toEqualTypeOf<
      ServerPid<RoomCall, never, StatemState<'on' | 'off', unknown>>
    >()
    expectTypeOf(
      await pidOf(DynamicSupervisor.startChild(node, rooms, DynamicSupervisor.childSpec())),
    ).toEqualTypeOf<DynamicSupervisorPid>()
    expectTypeOf(
      await pidOf(DynamicSupervisor.startChild(node, rooms, Supervisor.childSpec({}, []))),
    ).toEqualTypeOf<SupervisorPid>()
    expectTypeOf(
      await pidOf(
        DynamicSupervisor.startChild(
          node,
          rooms,
          processChild('x', (self) => self.receive()),
        ),
      ),
    ).toEqualTypeOf<Pid>()
    expectTypeOf(await pidOf(Task.startChild(node, rooms, async () => 5))).toEqualTypeOf<Pid>()
  }
  expect(typed).toBeTypeOf('function')
})

it('types: only a child whose init may ignore its start may have no pid', () => {
  const typed = async (node: Node, rooms: DynamicSupervisorPid): Promise<void> => {
    const choosy = await pidOf(DynamicSupervisor.startChild(node, rooms, child(Choosy, [true])))
    expectTypeOf(choosy).toEqualTypeOf<ServerPid<RoomCall, never> | undefined>()
    // @ts-expect-error it may be ignored
    void call(node, choosy, { type: 'topic' })
  }
  expect(typed).toBeTypeOf('function')
})

it('types: a start is answered with what that kind of supervisor can answer, so that a switch needs no more', () => {
  const typed = async (node: Node, tree: SupervisorPid, rooms: DynamicSupervisorPid): Promise<void> => {
    type Known = 'ok' | 'already_started' | 'start_failed'
    const ofTree = await Supervisor.startChild(node, tree, child(Room, ['tea']))
    expectTypeOf(ofTree.type).toEqualTypeOf<Known | 'already_present'>()
    const ofRooms = await DynamicSupervisor.startChild(node, rooms, child(Room, ['tea']))
    expectTypeOf(ofRooms.type).toEqualTypeOf<Known | 'max_children'>()
    const ofTasks = await Task.startChild(node, rooms, async () => 5)
    expectTypeOf(ofTasks.type).toEqualTypeOf<Known | 'max_children'>()
    const simple = await Supervisor.start(node, { strategy: 'simple_one_for_one' }, (topic: string) =>
      child(Room, [topic]),
    )
    expectTypeOf((await Supervisor.startChild(node, simple, ['tea'])).type).toEqualTypeOf<Known>()
  }
  expect(typed).toBeTypeOf('function')
})

it('types: a specification that is changed, or written by hand, keeps what it starts; without its type it starts some process', () => {
  const typed = async (node: Node, rooms: DynamicSupervisorPid, plain: ChildSpec): Promise<void> => {
    const second = { ...child(Room, ['tea']), id: 'second' }
    expectTypeOf(await pidOf(DynamicSupervisor.startChild(node, rooms, second))).toEqualTypeOf<RoomPid>()
    const own = DynamicSupervisor.startChild(node, rooms, {
      id: 'own',
      restart: 'temporary',
      start: async (self) => startLink(self, Room, ['tea']),
    })
    expectTypeOf(await pidOf(own)).toEqualTypeOf<RoomPid>()
    expectTypeOf(await pidOf(DynamicSupervisor.startChild(node, rooms, plain))).toEqualTypeOf<Pid | undefined>()
    const all: readonly ChildSpec[] = [child(Room, ['tea']), child(Choosy, [true]), second]
    void Supervisor.start(node, {}, all)
    // @ts-expect-error it starts rooms, and no other servers
    const other: ChildSpec<ServerPid<Call<{ type: 'other' }, number>, never>> = second
    void DynamicSupervisor.startChild(node, rooms, other)
    // @ts-expect-error a start gives a pid
    void DynamicSupervisor.startChild(node, rooms, { id: 'none', start: () => 'room' })
  }
  expect(typed).toBeTypeOf('function')
})

it('types: the children of simple_one_for_one are what the template starts', () => {
  const typed = async (node: Node, self: Context): Promise<void> => {
    const flags = { strategy: 'simple_one_for_one' } as const
    const rooms = await Supervisor.start(node, flags, (topic: string) => child(Room, [topic]))
    expectTypeOf(rooms).toEqualTypeOf<SimpleSupervisorPid<[topic: string], RoomPid>>()
    expectTypeOf(await pidOf(Supervisor.startChild(self, rooms, ['tea']))).toEqualTypeOf<RoomPid>()
    // @ts-expect-error the template takes a text
    void Supervisor.startChild(node, rooms, [5])
    await Supervisor.deleteChild(node, 'rooms', 'x')
    // @ts-expect-error a child of it has no id
    await Supervisor.deleteChild(node, rooms, 'x')
    await Supervisor.terminateChild(node, rooms, self.pid)
    const less: SimpleSupervisorPid<[topic: string]> = rooms
    expectTypeOf(await pidOf(Supervisor.startChild(node, less, ['tea']))).toEqualTypeOf<Pid | undefined>()
    // A name says nothing of what is started under it.
    expectTypeOf(await pidOf(Supervisor.startChild(node, 'rooms', ['tea']))).toEqualTypeOf<Pid | undefined>()
    void start(node, Room, ['tea'])
  }
  expect(typed).toBeTypeOf('function')
})

it('types: what is wrong in the flags is what the compiler tells, and not that the strategy were another', () => {
  const typed = (node: Node, self: Context): void => {
    void Supervisor.start(
      node,
      {
        strategy: 'one_for_all',
        // @ts-expect-error it is the intensity
        maxRestarts: 3,
      },
      [],
    )
    void Supervisor.startLink(
      self,
      {
        strategy: 'one_for_all',
        // @ts-expect-error it is the intensity
        maxRestarts: 3,
      },
      [],
    )
    Supervisor.childSpec(
      {
        strategy: 'one_for_all',
        // @ts-expect-error it is the intensity
        maxRestarts: 3,
      },
      [],
    )
  }
  expect(typed).toBeTypeOf('function')
})
