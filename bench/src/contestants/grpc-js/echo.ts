/**
 * The far side of ./distribution.ts: sends each message back as it is. Says its port, and ends when stdin does.
 */
import { Server, ServerCredentials, type ServerDuplexStream } from '@grpc/grpc-js'
import { SERVICE } from './service.ts'

process.stdin.on('end', () => process.exit()).resume()

const server = new Server()
server.addService(SERVICE, {
  echo: (stream: ServerDuplexStream<Buffer, Buffer>) => stream.on('data', (message: Buffer) => stream.write(message)),
})
server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) => {
  if (error !== null) throw error
  process.stdout.write(`${port}\n`)
})
