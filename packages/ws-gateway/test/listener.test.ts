import { once } from 'node:events'
import { connect } from 'node:net'
import { expect, it, onTestFinished } from 'vitest'
import { Listener } from '../src/listener.ts'

it.each([
  ['nothing', '', 408],
  ['half a head', 'GET /ws HTTP/1.1\r\nHost: gateway.test\r\nUpgrade: websocket\r\n', 408],
  ['a head, and never the body', 'POST /healthz HTTP/1.1\r\nHost: gateway.test\r\nContent-Length: 9\r\n\r\n', 408],
])('a connection on which %s has come is closed after a while', async (_what, said, status) => {
  const listener = new Listener(
    { port: 0, host: '127.0.0.1' },
    { path: '/ws', answer: () => true, onUpgrade: () => undefined },
    { headWithinMs: 20, requestWithinMs: 20, lookEveryMs: 5 },
  )
  await listener.start()
  const socket = connect(listener.port, '127.0.0.1')
  onTestFinished(async () => {
    socket.destroy()
    await listener.close(Promise.resolve())
  })
  let heard = ''
  socket.on('data', (chunk: Buffer) => (heard += chunk.toString()))
  socket.write(said)
  await once(socket, 'close')
  expect(heard).toContain(`HTTP/1.1 ${status} `)
})
