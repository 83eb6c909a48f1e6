/**
 * Who makes a connection is a stranger as long as his frames must be short, which is until the end of the handshake of the nodes. gRPC has one limit for all
 * messages, and keeps what has come of one until all of it is there; so we count below it.
 *
 *   stream opened ─ bytes ─▶ counted, until a frame is whole ─▶ counted anew
 *                     │                            └─ frames may be long now ─▶ counted no more, and the window is made wide
 *                     └─ more than a frame may have ─▶ cut off, at once
 *
 * Until then the window is HTTP/2's own, 64 KiB.
 */
import type { Http2Stream } from 'node:http2'
import type { ServerDuplexStream } from '@grpc/grpc-js'
import type { LinkEvents } from '../../ports.ts'
import { MAX_FRAME_BYTES } from '../../wire/frame.ts'

/** What may be on its way in one direction: at 10 ms there and back that makes 100 MiB/s, and the default of HTTP/2, 64 KiB, would make 6. */
export const WINDOW_BYTES: number = 1024 * 1024

/** Before each message: whether it is compressed, and its length. */
const HEAD_BYTES = 5

/** Must be called after `events` get the frames of the stream. `cutOff` is told why. */
export function restrainStranger(
  stream: ServerDuplexStream<Buffer, Buffer>,
  events: LinkEvents,
  cutOff: (detail: string) => void,
): void {
  const below = streamBelow(stream)
  if (below === undefined) return
  const limit = (): number => events.frameLimit ?? MAX_FRAME_BYTES
  let heard = 0
  const onBytes = (bytes: Buffer): void => {
    heard += bytes.length
    if (heard > HEAD_BYTES + limit()) cutOff(`more than the ${limit()} bytes that a frame may have`)
  }
  const onFrame = (): void => {
    heard = 0
    if (limit() < MAX_FRAME_BYTES) return
    below.off('data', onBytes)
    stream.off('data', onFrame)
    widen(below)
  }
  below.on('data', onBytes)
  stream.on('data', onFrame)
  onFrame()
}

/** The window that is granted to the stream, and to its connection. */
function widen({ session }: Http2Stream): void {
  if (session === undefined || session.destroyed) return
  session.setLocalWindowSize(WINDOW_BYTES)
  session.settings({ initialWindowSize: WINDOW_BYTES })
}

/** The stream of HTTP/2, which gRPC shows nowhere. If a later version of grpc-js keeps it elsewhere strangers are not restrained, and windows stay small; tests tell. */
function streamBelow(stream: ServerDuplexStream<Buffer, Buffer>): Http2Stream | undefined {
  const call: unknown = Reflect.get(stream, 'call')
  const below: unknown = typeof call === 'object' && call !== null ? Reflect.get(call, 'stream') : undefined
  return isHttp2Stream(below) ? below : undefined
}

function isHttp2Stream(value: unknown): value is Http2Stream {
  return typeof value === 'object' && value !== null && 'session' in value
}
