import { call, GenServer, start, type Call, type CallError, type StartError } from '@pidmesh/gen-server'
import { hasType, startNode } from '@pidmesh/runtime'

type SessionCall = Call<{ type: 'unread' }, number>

const IDLE_MS = 50

class Session extends GenServer<SessionCall, never, { type: 'load' }> {
  private unread = 0

  override init(user: string) {
    if (user === '') return this.stop('no_user')
    return this.ok({ continue: { type: 'load' } }) // `start` resolves now; the first request waits for what follows
  }

  override async handleContinue() {
    this.unread = await fromDatabase()
    return this.noreply({ timeoutMs: IDLE_MS })
  }

  override handleCall(request: SessionCall) {
    return this.reply(request, this.unread, { timeoutMs: IDLE_MS })
  }

  override handleInfo(message: unknown) {
    // No message for 50 ms: nobody needs it. The reason `shutdown` is that of an end in order: it makes no crash report.
    return hasType(message, 'idle_timeout') ? this.stop('shutdown') : this.noreply({ timeoutMs: IDLE_MS })
  }

  override terminate() {
    console.log('closed, with', this.unread, 'unread')
  }
}

async function fromDatabase(): Promise<number> {
  return 3
}

const node = await startNode({ name: 'guide@127.0.0.1', cookie: 'only-to-try-it-out', logLevel: 'silent' })
await start(node, Session, ['']).catch((error: StartError) => console.log(error.code, error.reason))

const session = await start(node, Session, ['alice'])
const end = node.self.awaitDown(session, 1_000)
console.log(await call(node, session, { type: 'unread' }))
console.log(await end)
await call(node, session, { type: 'unread' }).catch((error: CallError) => console.log(error.code))
await node.stop()
