/**
 * What tests do with simulated gateways and their clients, one step after the other.
 */
import { onTestFinished } from 'vitest'
import { SimLab, type SimMessage, type SimOptions, type SimSocket } from './sim-lab.ts'

export async function labOf(nodes: number, options: SimOptions = {}): Promise<SimLab> {
  const lab = await SimLab.start(nodes, 1, options)
  onTestFinished(() => lab.cluster.stop())
  return lab
}

/** A client that has said hello. */
export async function hello(
  lab: SimLab,
  index: number,
  resume?: { readonly token: string; readonly seq: number },
): Promise<SimSocket> {
  const socket = lab.open(lab.at(index))
  await lab.cluster.settle()
  socket.send({ type: 'hello', token: 'ann', ...(resume === undefined ? {} : { resume }) })
  await lab.cluster.advance(1_000)
  return socket
}

export async function tell(lab: SimLab, socket: SimSocket, ...messages: SimMessage[]): Promise<void> {
  socket.send(messages)
  await lab.cluster.settle()
}

export function tokenOf(socket: SimSocket): string {
  return socket.controls.findLast(({ resume }) => resume !== undefined)?.resume?.token ?? ''
}

export const typesOf = (socket: SimSocket): readonly string[] => socket.controls.map(({ type }) => type)
