// The nodes that the page may connect to, as the one that has served it knows them.

import type { ChatNode, KnownNodes } from '../../src/messages.ts'

/**
 * The node that has served the page first, at the address that worked: the page may have come through a tunnel.
 * @param pageUrl where the page has come from
 */
export function nodesToConnect({ here, nodes }: KnownNodes, pageUrl: string): readonly ChatNode[] {
  return [{ name: here, url: pageUrl }, ...nodes.filter(({ name }) => name !== here)]
}

export function socketUrl({ url }: ChatNode): string {
  return new URL('/ws', url).href
}

/** The client begins with one of its gateways by chance; the page shall begin with the first. */
export function firstThenRandom(random: () => number): () => number {
  let isFirst = true
  return () => {
    if (!isFirst) return random()
    isFirst = false
    return 0
  }
}
