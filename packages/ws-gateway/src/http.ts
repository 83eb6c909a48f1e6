/**
 * What a gateway answers beside WebSockets: whether it lives, whether it takes sockets, and its metrics.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Logger } from '@pidmesh/runtime'
import type { MetricsSource } from './options.ts'
import { pathOf } from './upgrade.ts'

export interface HttpState {
  readonly isReady: boolean
  readonly metrics: MetricsSource | undefined
  readonly log: Pick<Logger, 'error'>
}

/** Whether the request was for one of these. */
export function answerHttp(request: IncomingMessage, response: ServerResponse, state: HttpState): boolean {
  if (request.method !== 'GET' && request.method !== 'HEAD') return false
  switch (pathOf(request)) {
    case '/healthz':
      answer(response, 200, 'ok\n')
      return true
    case '/readyz':
      if (state.isReady) answer(response, 200, 'ready\n')
      else answer(response, 503, 'not ready\n')
      return true
    case '/metrics':
      if (state.metrics === undefined) return false
      void answerMetrics(response, state.metrics, state.log)
      return true
    default:
      return false
  }
}

async function answerMetrics(response: ServerResponse, metrics: MetricsSource, log: HttpState['log']): Promise<void> {
  try {
    const text = (await metrics.text()) as unknown
    // Looked at before the head is written: after that it can't be said any more that it failed.
    if (typeof text !== 'string') throw new TypeError('the metrics are no text')
    answer(response, 200, text, metrics.contentType)
  } catch (error) {
    log.error({ problem: String(error) }, 'the metrics could not be had')
    answer(response, 500, 'the metrics could not be had\n')
  }
}

function answer(
  response: ServerResponse,
  status: number,
  body: string,
  contentType = 'text/plain; charset=utf-8',
): void {
  response.writeHead(status, { 'Content-Type': contentType, 'Cache-Control': 'no-store' }).end(body)
}
