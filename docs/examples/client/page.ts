import { connect, type Client } from '@pidmesh/client'

type ToServer = { type: 'say'; text: string }
type FromServer = { type: 'said'; from: string; text: string }

/** What a page does with what the client tells. */
interface Page {
  readonly show: (message: FromServer) => void
  readonly reload: (why: string) => void
  readonly showOffline: (why: string, retryInMs: number | undefined) => void
}

export function enter({ show, reload, showOffline }: Page): Client<ToServer, FromServer> {
  const client = connect<ToServer, FromServer>({
    urls: ['wss://a.example.org/ws', 'wss://b.example.org/ws'],
    token: async () => {
      const answer = await fetch('/token')
      if (!answer.ok) throw new Error(`no token: ${answer.status}`) // it is asked again, later; an error's page would be a wrong token
      return answer.text()
    },
  })

  client.on('message', (message) => show(message))
  client.on('open', ({ isResumed }) => {
    if (!isResumed) client.send({ type: 'say', text: 'I am new here' })
  })
  client.on('gap', ({ why, unconfirmed }) => reload(`something was missed: ${why}; ${unconfirmed} of ours may be lost`))
  client.on('close', ({ code, reason, retryInMs }) => showOffline(`${code} ${reason}`, retryInMs))
  return client
}
