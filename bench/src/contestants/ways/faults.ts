/**
 * What becomes of messages to a name when something fails: in a cut between nodes, in a cut between the store and all nodes, and when the node that has the name is
 * killed, or stands still.
 *
 *   cut of nodes ─▶ cut of the store ─▶ kill -9 of the third, SIGSTOP of the far: how long is it not known?
 */
import type { Answer } from '../../figures.ts'
import { pause, until, type Cluster } from './cluster.ts'
import { outcomesOf, percentOf, type Sent } from './outcomes.ts'

const EVERY_MS = 10
/** What a send that fails takes at most (5 s of a broker), and what comes late. */
const SETTLE_MS = 6_000
/** Longer than the time to live of a name in a database, which is 30 s. */
const WINDOW_AT_MOST_MS = 45_000
const WINDOW_AT_LEAST_MS = 10_000

/** Takes so many messages a cut, one each 10 ms. Values: percent of them, and seconds. */
export async function faults(cluster: Cluster, size: number): Promise<Answer> {
  const { near, far, third, store } = cluster
  await Promise.all([
    far.child.ask('listen', 'cut'),
    far.child.ask('listen', 'stopped'),
    third.child.ask('listen', 'killed'),
  ])
  for (const name of ['cut', 'stopped', 'killed']) await untilReached(cluster, name)

  near.node.disconnectNode(far.name)
  const nodes = await sentInCut(cluster, { first: 0, count: size }, async () => {
    await until('connected again', () => near.node.connectNode(far.name))
  })
  await untilReached(cluster, 'cut')
  store.pause()
  const stores = await sentInCut(cluster, { first: size, count: size }, async () => store.resume())
  for (const name of ['stopped', 'killed']) await untilReached(cluster, name)

  const windowMs = Math.min(WINDOW_AT_MOST_MS, Math.max(WINDOW_AT_LEAST_MS, size * 150))
  far.child.kill('SIGSTOP')
  third.child.kill('SIGKILL')
  try {
    const [stopped, killed] = await Promise.all([
      ghostWindow(cluster, 'stopped', windowMs),
      ghostWindow(cluster, 'killed', windowMs),
    ])
    return {
      values: {
        ...named('nodes', nodes),
        ...named('store', stores),
        ...named('stop', stopped),
        ...named('kill', killed),
      },
      operations: size,
    }
  } finally {
    far.child.kill('SIGCONT')
  }
}

function untilReached({ near }: Cluster, name: string): Promise<void> {
  return until(`${name} is reached`, async () => (await near.names.send(name, { type: 'numbered', n: -1 })) === 'ok')
}

/** The cut has begun; it is over when all are sent. */
async function sentInCut(
  { near, far }: Cluster,
  { first, count }: { readonly first: number; readonly count: number },
  end: () => Promise<void>,
): Promise<Readonly<Record<string, number>>> {
  const sending: Promise<Sent>[] = []
  for (let n = first; n < first + count; n++) {
    sending.push(send(n))
    await pause(EVERY_MS)
  }
  await end()
  const sent = await Promise.all(sending)
  await pause(SETTLE_MS)
  const came = new Set(await far.child.ask<number[]>('numbers'))
  return percentOf(outcomesOf(sent, came))

  async function send(n: number): Promise<Sent> {
    const status = await near.names.send('cut', { type: 'numbered', n })
    return { n, isSaidSent: status === 'ok' || status === 'busy' }
  }
}

/**
 * From the fault on, which has just been: until a send says that it wasn't made, and until the name is known to be nobody's. What isn't known by then is
 * left out, and so is all of it where nobody can know.
 */
async function ghostWindow(
  { near }: Cluster,
  name: string,
  windowMs: number,
): Promise<Readonly<Record<string, number>>> {
  if (!near.names.capabilities.knowsAbsence) return {}
  const startMs = performance.now()
  const passedS = (): number => (performance.now() - startMs) / 1_000
  let known: number | undefined
  while (performance.now() - startMs < windowMs) {
    const status = await near.names.send(name, { type: 'numbered', n: -1 })
    if (status !== 'ok' && status !== 'busy') known ??= passedS()
    if (status === 'noproc') return { known: known ?? passedS(), gone: passedS() }
    await pause(EVERY_MS)
  }
  return known === undefined ? {} : { known }
}

function named(prefix: string, values: Readonly<Record<string, number>>): Readonly<Record<string, number>> {
  return Object.fromEntries(
    Object.entries(values).map(([name, value]) => [`${prefix}${name.charAt(0).toUpperCase()}${name.slice(1)}`, value]),
  )
}
