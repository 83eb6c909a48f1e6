// The clients of the chaos test, all in one process: each writes down what it was told, in order: the numbers that were pushed to it, and gaps.
//
//   { type: 'start', users, urls }  ▶  { type: 'state', open, waiting }  whenever it is asked by { type: 'ask' }
//   { type: 'logs' }                ▶  { type: 'logs', logs: { [user]: (number | 'gap')[] } }
import { connect } from '@pidmesh/client'
import { WebSocket } from 'ws'

/** @type {Map<string, { client: import('@pidmesh/client').Client<never, number>, log: (number | 'gap')[] }>} */
const clients = new Map()

process.on('disconnect', () => process.exit(1))
/** @typedef {{ type: 'start', users: string[], urls: string[] } | { type: 'ask' } | { type: 'logs' }} Order */

const answer = (/** @type {object} */ message) => void process.send?.(message)

process.on('message', (/** @type {Order} */ order) => {
  if (order.type === 'start') {
    for (const user of order.users) {
      /** @type {(number | 'gap')[]} */
      const log = []
      /** @type {import('@pidmesh/client').Client<never, number>} */
      const client = connect({ urls: order.urls, token: user, WebSocket, minRetryMs: 50, maxRetryMs: 1_000 })
      client.on('message', (number) => void log.push(number))
      client.on('gap', () => void log.push('gap'))
      clients.set(user, { client, log })
    }
  } else if (order.type === 'ask') {
    const states = [...clients.values()].map(({ client }) => client.state)
    answer({ type: 'state', open: states.filter((state) => state === 'open').length })
  } else if (order.type === 'logs') {
    answer({ type: 'logs', logs: Object.fromEntries([...clients].map(([user, { log }]) => [user, log])) })
  }
})
