/**
 * The far server of the contestant `socket.io` in group `gateway`: a child of the near one. Argument: Redis's port.
 */
import { answer } from '../gateway/child.ts'
import { startServer } from './gateway-server.ts'

const started = startServer(Number(process.argv[2]))
answer({
  port: async () => (await started).port,
  registered: async () => (await started).io.sockets.sockets.size,
})
