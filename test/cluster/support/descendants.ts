// Which processes another one has started, and those in turn.

import { readdirSync, readFileSync } from 'node:fs'

/** Without /proc there are none to be seen. */
export function descendantsOf(pid: number): readonly number[] {
  const children = childrenByParent()
  const found: number[] = []
  const toLook = [pid]
  for (let parent = toLook.pop(); parent !== undefined; parent = toLook.pop()) {
    const own = children.get(parent) ?? []
    found.push(...own)
    toLook.push(...own)
  }
  return found
}

function childrenByParent(): ReadonlyMap<number, readonly number[]> {
  const children = new Map<number, number[]>()
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    const parent = parentOf(pid)
    if (parent !== undefined) children.set(parent, [...(children.get(parent) ?? []), Number(pid)])
  }
  return children
}

function parentOf(pid: string): number | undefined {
  try {
    // The state and the parent stand behind the command's name, which is in brackets.
    return Number(/\) \S (\d+) /.exec(readFileSync(`/proc/${pid}/stat`, 'utf8'))?.[1])
  } catch {
    // It has ended.
    return undefined
  }
}
