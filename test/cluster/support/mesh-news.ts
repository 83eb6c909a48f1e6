// What nodes were told, and whether all is as it was: for tests of nodes that lose each other.

import { expect } from 'vitest'

import type { MeshEvent, MeshNode } from './mesh-node.ts'

/** A delay that is none: nothing that waits for another node's silence comes in so little time. */
export const PROMPT_MS = 2_000

/** What a node is told from now on. */
export function newsOf(node: MeshNode): () => readonly MeshEvent[] {
  const from = node.events.length
  return () => node.events.slice(from)
}

export const byType = (one: MeshEvent, other: MeshEvent): number => one.type.localeCompare(other.type)

/** Each of these nodes was lost once and came back once, in this order, and nothing else has happened. */
export function expectBreaks(news: readonly MeshEvent[], nodes: readonly MeshNode[], reason?: string): void {
  for (const { name } of nodes) {
    expect(news.filter((event) => event.node === name)).toMatchObject([
      { type: 'nodedown', reason: reason ?? expect.stringMatching(/^(net_tick_timeout|connection_closed)$/) },
      { type: 'nodeup' },
    ])
  }
  expect(news).toHaveLength(2 * nodes.length)
}

/** The calls that one was told to make to the other were all answered, each of them soon. */
export async function expectUndelayed(node: MeshNode, other: MeshNode): Promise<void> {
  const { calls, failed, slowestMs } = await node.ask({ type: 'end_calls', node: other.name })
  expect(calls).toBeGreaterThan(0)
  expect(failed).toBe(0)
  expect(slowestMs).toBeLessThan(PROMPT_MS)
}

/** Each has an answer from each other. What a node was told before is then in its `events`. */
export async function expectToTalk(nodes: readonly MeshNode[]): Promise<void> {
  for (const node of nodes) {
    for (const other of nodes) {
      if (other === node) continue
      expect(await node.ask({ type: 'call', node: other.name })).toEqual({ type: 'reply', value: 'here' })
    }
  }
}
