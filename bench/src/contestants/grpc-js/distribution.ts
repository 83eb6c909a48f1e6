/**
 * grpc-js alone in group `distribution`: one stream to another OS process, which answers each message. No codec, no processes, no timeouts: what is left is what
 * any call over it has to take. Arguments: the cores of the two, or none.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import { credentials, makeGenericClientConstructor, type Client, type ClientDuplexStream } from '@grpc/grpc-js'
import type { Answer } from '../../figures.ts'
import { moveToCore } from '../linux.ts'
import { serve, since } from '../serve.ts'
import { SERVICE } from './service.ts'

/** As many bytes as the request of a call has on the wire; the other side answers with as many as the reply has. */
const MESSAGE = Buffer.alloc(103, 1)

const [nearCore, farCore] = process.argv.slice(2).map(Number)
const command = [process.execPath, fileURLToPath(new URL('echo.js', import.meta.url))]
const [program = '', ...args] = farCore === undefined ? command : ['taskset', '-c', `${farCore}`, ...command]
const far = spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'], detached: true })
far.stdin.on('error', () => undefined) // Its end is the next line's to tell.
const ended = once(far, 'exit').then(() => [])
const [port] = (await Promise.race([once(far.stdout, 'data'), ended])) as [Buffer?]
if (port === undefined) throw new Error('the other side did not start')
const EchoClient = makeGenericClientConstructor(SERVICE, 'Echo')
const client = new EchoClient(`127.0.0.1:${Number(port)}`, credentials.createInsecure()) as unknown as Client & {
  echo(): ClientDuplexStream<Buffer, Buffer>
}
const stream = client.echo()
await roundTrips(1)
const { version } = createRequire(import.meta.url)('@grpc/grpc-js/package.json') as { version: string }

serve(version, {
  'round-trips': roundTrips,
  'round-trips-one-core': async (size) => {
    if (far.pid === undefined || nearCore === undefined || farCore === undefined) throw new Error('there are no cores')
    moveToCore(far.pid, nearCore)
    try {
      return await roundTrips(size)
    } finally {
      moveToCore(far.pid, farCore)
    }
  },
})

/** One after the other. */
function roundTrips(size: number): Promise<Answer> {
  const startMs = performance.now()
  return new Promise((resolve) => {
    let left = size
    const next = (): void => {
      if (left-- > 0) {
        stream.write(MESSAGE)
        return
      }
      stream.off('data', next)
      resolve(since(startMs, size))
    }
    stream.on('data', next)
    next()
  })
}
