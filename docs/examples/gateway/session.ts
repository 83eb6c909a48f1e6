import { randomUUID } from 'node:crypto'
import { call, type Call, type ServerRef } from '@pidmesh/gen-server'
import type { GlobalEts } from '@pidmesh/global-ets'
import { via, type Node, type Ref } from '@pidmesh/runtime'
import { SocketSession, type NameFor, type PresenceMessage, type SessionClass } from '@pidmesh/ws-gateway'

// #region player
type ClientMessage = { type: 'move'; x: number; y: number }
type ServerMessage =
  | { type: 'moved'; who: string; x: number; y: number }
  | { type: 'tick'; n: number }
  | PresenceMessage

/** All callbacks: each may be async, and a session is in one at a time. */
class Player extends SocketSession<ClientMessage, ServerMessage, { user: string }> {
  moves = 0 // goes with the session when it moves to another node: see handOver

  override async handleConnect() {
    await this.registerAs(`player:${this.principal.user}`, { policy: 'replace', meta: { since: Date.now() } })
    await this.rooms.join('arena', { colour: 'red' })
    this.rooms.watch('arena') // who is there, and who comes and goes: to the client, by handlePresence
  }

  override handleMessage({ x, y }: ClientMessage) {
    this.moves++
    this.rooms.broadcast('arena', { type: 'moved', who: this.principal.user, x, y }, { except: this.pid })
  }

  override handleInfo(message: ServerMessage) {
    if (message.type === 'moved') return this.push(message, { coalesce: `moved:${message.who}` }) // the latest is enough
    if (message.type === 'tick') return this.push(message, { droppable: true })
    return this.push(message)
  }

  override handleDisconnect(code: number, reason: string) {
    this.log.info({ code, reason }, 'away') // the session goes on, and keeps what is pushed
  }

  override handleResume() {
    this.log.info({ moves: this.moves, node: this.node }, 'back') // on this node or on another
  }

  override terminate() {
    this.log.info({}, 'the end') // however it ends, unless it is killed or goes on elsewhere
  }
}
// #endregion

// #region meeting
type Account = { user: string; plan: 'free' | 'paid' }

class Meeting extends SocketSession<never, { type: 'plan'; plan: string }, Account> {
  #notes = new Map<string, string>() // a #field: handOver gives it, or it stays behind

  override handleRefresh(former: Account) {
    // A fresh token over the socket that the client has. One that comes back with it gets handleResume only.
    if (former.plan !== this.principal.plan) this.push({ type: 'plan', plan: this.principal.plan })
  }

  override handOver(): unknown {
    return { notes: [...this.#notes] } // on the old node; it must be sendable
  }

  override handleTakeover(state: { notes: [string, string][] }) {
    this.#notes = new Map(state.notes) // on the new node, before handleResume
  }
}
// #endregion

// #region turns
type YourTurn = { type: 'your_turn' }

class Seat extends SocketSession<never, YourTurn, { user: string }> {
  turnAtMs: number | undefined = Date.now() + 30_000 // goes along; the timer stays behind

  override handleConnect() {
    this.waitForTurn()
  }

  override async handleTakeover(state: unknown) {
    await super.handleTakeover(state) // the fields
    this.waitForTurn()
  }

  override handleInfo(message: YourTurn) {
    if (this.turnAtMs === undefined) return // it has come already: the former process forwards what comes to it, of its timer, too
    this.turnAtMs = undefined
    this.push(message)
  }

  private waitForTurn() {
    if (this.turnAtMs === undefined) return
    this.self.sendAfter(Math.max(0, this.turnAtMs - Date.now()), this.pid, { type: 'your_turn' })
  }
}
// #endregion

// #region ask
type FromDevice = { type: 'done'; id: string; result: string }
type ToDevice = { type: 'do'; id: string; command: string }
type Ask = { type: 'ask'; command: string; replyTo: Ref } // for the session: the client gets a ToDevice

class Device extends SocketSession<FromDevice, ToDevice, { device: string }, ToDevice | Ask> {
  asked = new Map<string, Ref>() // goes along when the session moves

  override handleConnect() {
    return this.registerAs(`device:${this.principal.device}`)
  }

  override handleInfo(message: ToDevice | Ask) {
    if (message.type === 'do') return void this.push(message)
    const id = randomUUID()
    this.asked.set(id, message.replyTo)
    this.push({ type: 'do', id, command: message.command })
  }

  override handleMessage({ id, result }: FromDevice) {
    const replyTo = this.asked.get(id)
    if (replyTo !== undefined) this.self.send(replyTo, result) // to nobody, if nobody waits any more
    this.asked.delete(id)
  }
}

/** From any node; in a process with its `self` in place of the node. */
export async function ask(node: Node, names: GlobalEts, device: string, command: string): Promise<string> {
  const session = names.whereisName(`device:${device}`)
  if (session === undefined) return 'not connected'
  const outcome = await node.request(session, (replyTo) => ({ type: 'ask', command, replyTo }), 10_000)
  return outcome.type === 'reply' ? String(outcome.value) : outcome.type // down: the session has ended; timeout
}
// #endregion

// #region guest
type Said = { type: 'said'; text: string }
type Mute = { type: 'mute' }

const BOT: NameFor<{ type: 'ask'; text: string }> = 'bot' // what a name takes that is none of such sessions

class Guest extends SocketSession<{ text: string }, Said, { user: string }, Said | Mute> {
  isMute = false

  override handleMessage({ text }: { text: string }) {
    if (this.isMute) return
    this.rooms.broadcast('lobby', { type: 'said', text }) // a Said or a Mute; anything else does not compile
    this.sendTo(BOT, { type: 'ask', text })
  }

  override handleInfo(message: Said | Mute) {
    if (message.type === 'mute') this.isMute = true
    else this.push(message) // a Said: a Mute is not for clients
  }
}
// #endregion

// #region buyer
type Bought = { type: 'bought'; item: string; left: number }
type StockCall = Call<{ type: 'take'; item: string }, number | 'none'>
interface Database {
  boughtBy(user: string): Promise<Bought[]>
}

/** A class for each gateway. What its sessions work with is around the class, not in their fields. */
export function buyerOf(database: Database): SessionClass<{ item: string }, Bought, { user: string }> {
  return class Buyer extends SocketSession<{ item: string }, Bought, { user: string }> {
    override async handleConnect() {
      for (const bought of await database.boughtBy(this.principal.user)) this.push(bought)
    }

    override async handleMessage({ item }: { item: string }) {
      const stock: ServerRef<StockCall, never> = via(this.names, 'stock') // a GenServer, on whatever node
      const left = await call(this.self, stock, { type: 'take', item })
      if (left !== 'none') this.push({ type: 'bought', item, left })
    }
  }
}
// #endregion

/** What `Gateway.start` is given. */
export const device: SessionClass<FromDevice, ToDevice, { device: string }, ToDevice | Ask> = Device
export const guest: SessionClass<{ text: string }, Said, { user: string }, Said | Mute> = Guest
export const meeting: SessionClass<never, { type: 'plan'; plan: string }, Account> = Meeting
export const session: SessionClass<ClientMessage, ServerMessage, { user: string }> = Player
export const seat: SessionClass<never, YourTurn, { user: string }> = Seat
