/**
 * Plays histories of one server on a node of ours.
 */
import {
  cast,
  GenServer,
  sendRequest,
  startLink,
  sys,
  type Call,
  type CallError,
  type CallResult,
  type CastResult,
  type From,
  type InitResult,
  type RequestId,
  type ServerPid,
  type StartError,
} from '@pidmesh/gen-server'
import { assertNever, handler, hasType, type Context, type ExitReason, type Node, type Pid } from '@pidmesh/runtime'
import type { TestCluster } from '@pidmesh/runtime/testing'
import { onNewNode } from '../../beam/new-node.ts'
import { exitReasonOf, reasonText } from '../../beam/reasons.ts'
import type { CallDeed, CallReturn, History, InitReturn, Message, Next, Return } from './history.ts'

/** Told what its callbacks do by what it is sent. */
type Told = { readonly id: number; readonly deed: CallDeed; readonly returns: CallReturn }
type PlayedCall = Call<Told, string>
type PlayedPid = ServerPid<PlayedCall, Told, number>
type AnyNext = { readonly continue: Return } | { readonly timeoutMs: number } | { readonly hibernate: true } | undefined

class Played extends GenServer<PlayedCall, Told, Return> {
  #terminate: History['terminate'] = 'return'
  #see: (what: string) => void = () => undefined
  #kept: From<string>[] = []
  #count = 0

  override init({ init, terminate }: History, see: (what: string) => void): InitResult {
    this.#terminate = terminate
    this.#see = see
    see('init')
    return this.#initReturn(init)
  }

  override handleCall({ id, deed, returns }: PlayedCall, from: From): CallResult {
    this.#see(`call ${id}`)
    this.#count++
    this.#do(deed, from)
    return this.#callReturn(returns)
  }

  override handleCast({ id, deed, returns }: Told): CastResult {
    this.#see(`cast ${id}`)
    this.#count++
    this.#do(deed)
    return this.#return(returns as Return)
  }

  override handleInfo(message: unknown): CastResult {
    if (hasType(message, 'idle_timeout')) return this.#see('idle')
    if (hasType(message, 'EXIT')) return this.#see(`exit ${reasonText(message.reason)}`)
    const { id, deed, returns } = message as Told
    this.#see(`info ${id}`)
    this.#count++
    this.#do(deed)
    return this.#return(returns as Return)
  }

  override handleContinue(returns: Return): CastResult {
    this.#see('continue')
    return this.#return(returns)
  }

  override terminate(reason: ExitReason): void {
    this.#see(`terminate ${reasonText(reason)}`)
    if (this.#terminate !== 'return') this.#return(this.#terminate)
  }

  override getState(): number {
    return this.#count
  }

  #do(deed: CallDeed, from?: From<string>): void {
    if (deed === 'keep' && from !== undefined) this.#kept.push(from)
    if (deed === 'reply' && from !== undefined) this.replyTo(from, 'early')
    if (deed === 'answer') for (const kept of this.#kept.splice(0)) this.replyTo(kept, 'late')
  }

  #initReturn(returns: InitReturn): InitResult {
    if (returns === 'ignore') return this.ignore()
    if (typeof returns === 'object' && returns.type === 'noreply') return this.ok(nextOf(returns.next))
    return this.#return(returns) as InitResult
  }

  #callReturn(returns: CallReturn): CallResult {
    const request = {} as PlayedCall
    if (typeof returns !== 'object') return this.#return(returns) as CallResult
    if (returns.type === 'reply') return this.reply(request, 'value', nextOf(returns.next))
    if (returns.type === 'stop_reply') return this.stopAfterReply(request, 'value', exitReasonOf(returns.reason))
    return this.#return(returns) as CallResult
  }

  #return(returns: Return): CastResult {
    if (returns === 'error') throw new Error('told to')
    if (returns === 'bad') return 'bad' as never
    switch (returns.type) {
      case 'noreply':
        return this.noreply(nextOf(returns.next))
      case 'stop':
        return this.stop(exitReasonOf(returns.reason))
      case 'exit':
        return this.self.exit(exitReasonOf(returns.reason))
      default:
        return assertNever(returns)
    }
  }
}

function nextOf(next: Next): AnyNext {
  if (next === 'wait') return undefined
  if (next === 'idle') return { timeoutMs: 0 }
  return next === 'hibernate' ? { hibernate: true } : { continue: next.returns }
}

class Play {
  private readonly cluster: TestCluster
  private readonly node: Node
  private readonly history: History
  private readonly seen: string[] = []
  private asked: { readonly id: number; readonly response: () => string | undefined }[] = []

  constructor(cluster: TestCluster, node: Node, history: History) {
    this.cluster = cluster
    this.node = node
    this.history = history
  }

  async lines(): Promise<readonly string[]> {
    const { cluster, node } = this
    const exits: string[] = []
    const parent = await this.startParent(exits)
    const lines = await this.play(parent)
    await cluster.settle()
    return [...lines, `parent: ${node.isProcessAlive(parent.pid) ? exits.join(' ') : 'gone'}`]
  }

  private async startParent(exits: string[]): Promise<Context> {
    let parent: Context | undefined
    const body = handler((self) => {
      parent = self
      return (message) => {
        if (hasType(message, 'EXIT')) exits.push(reasonText(message.reason))
      }
    })
    this.node.spawn(body, { trapExit: true })
    await this.cluster.settle()
    if (parent === undefined) throw new Error('the parent has not started')
    return parent
  }

  private async play(parent: Context): Promise<string[]> {
    const { cluster, node, history } = this
    let pid: PlayedPid | undefined
    try {
      const args: [History, (what: string) => void] = [history, (what) => void this.seen.push(what)]
      pid = await cluster.run(startLink(parent, Played, args, { trapExit: history.trapsExits }))
    } catch (error) {
      return [this.line([`failed ${reasonText((error as StartError).reason)}`])]
    }
    if (pid === undefined) return [this.line(['ignored'])]
    let ended: ExitReason | undefined
    node.self.awaitDown(pid, Infinity).then(
      (reason) => (ended = reason),
      // The node stops, and it has not ended.
      () => undefined,
    )
    await cluster.settle()
    const lines = [this.line(['started'])]
    for (const batch of history.batches) {
      for (const message of batch) this.send(message, pid, parent.pid)
      await cluster.settle()
      const over = this.responses()
      lines.push(this.line([], ended === undefined ? over : [...over, `down ${reasonText(ended)}`]))
      if (ended !== undefined) break
    }
    return lines
  }

  private line(first: readonly string[], last: readonly string[] = []): string {
    return [...first, ...this.seen.splice(0), ...last].join('; ')
  }

  private send(message: Message, pid: PlayedPid, parent: Pid): void {
    const { node } = this
    const { id } = message
    switch (message.type) {
      case 'call': {
        const request: RequestId<string> = sendRequest(node, pid, message)
        const response = (): string | undefined => {
          const { response: given } = request
          if (given === undefined) return undefined
          return given.type === 'reply' ? `${id} = ${given.value}` : `${id} ! ${errorText(given.error)}`
        }
        this.asked.push({ id, response })
        return
      }
      case 'cast':
        return cast(node, pid, message)
      case 'info':
        return void node.send(pid, message)
      case 'suspend':
        return this.ask(id, sys.suspend(node, pid))
      case 'resume':
        return this.ask(id, sys.resume(node, pid))
      case 'get_state':
        return this.ask(id, sys.getState(node, pid))
      case 'terminate':
        return this.ask(id, sys.terminate(node, pid, exitReasonOf(message.reason)))
      case 'parent_ends':
        return node.exit(parent, 'kill')
      case 'signal':
        return node.exit(pid, exitReasonOf(message.reason))
      default:
        return assertNever(message)
    }
  }

  private ask(id: number, answer: Promise<unknown>): void {
    let response: string | undefined
    answer.then(
      (value) => (response = `${id} = ${typeof value === 'number' ? value : 'ok'}`),
      (error: unknown) => (response = `${id} ! ${errorText(error as CallError)}`),
    )
    this.asked.push({ id, response: () => response })
  }

  /** Of those that are over. */
  private responses(): string[] {
    const looked = this.asked.map((one) => ({ one, response: one.response() }))
    this.asked = looked.filter(({ response }) => response === undefined).map(({ one }) => one)
    return looked.flatMap(({ response }) => response ?? [])
  }
}

function errorText({ serverReason }: CallError): string {
  return reasonText(serverReason)
}

export function playHere(history: History): Promise<readonly string[]> {
  return onNewNode((cluster, node) => new Play(cluster, node, history).lines())
}
