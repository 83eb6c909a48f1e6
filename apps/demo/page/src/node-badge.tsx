import type { JSX } from 'preact'

import { colourOf, shortName } from './presence.ts'

/** A node's short name in the node's colour. */
export function NodeBadge({ node }: { node: string }): JSX.Element {
  return (
    <span class={`badge node-${colourOf(node)}`} title={node}>
      {shortName(node)}
    </span>
  )
}
