/**
 * The far side of ./distribution.ts: answers each message. Says its port, and ends when stdin does.
 */
import { Server, ServerCredentials, type ServerDuplexStream } from '@grpc/grpc-js'
import { SERVICE } from './service.ts'

process.stdin.on('end', () => process.exit()).resume()

/** As many bytes as the reply of a call has on the wire. */
const REPLY = Buffer.alloc(33, 1)

const server = new Server()
server.addService(SERVICE, {
  echo: (stream: ServerDuplexStream<Buffer, Buffer>) => stream.on('data', () => stream.write(REPLY)),
})
server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) => {
  if (error !== null) throw error
  process.stdout.write(`${port}\n`)
})
