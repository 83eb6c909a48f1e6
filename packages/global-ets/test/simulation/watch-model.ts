/**
 * What one who watches knows, by nothing but the rows at the beginning and the changes since then.
 */
import type { NameChange } from '@pidmesh/global-ets'
import type { Ref } from '@pidmesh/runtime'
import type { Proc } from './member.ts'

type Row = Pick<NameChange, 'name' | 'pid' | 'meta'>

export class WatchModel {
  readonly by: Proc
  readonly ref: Ref
  readonly prefix: string
  private readonly isNames: boolean
  /** Of names: who has each. Of groups: how many memberships there are of a process. */
  private readonly known = new Map<string, string[]>()

  constructor(
    by: Proc,
    ref: Ref,
    { prefix, isNames }: { readonly prefix: string; readonly isNames: boolean },
    rows: readonly Row[],
  ) {
    this.by = by
    this.ref = ref
    this.prefix = prefix
    this.isNames = isNames
    for (const row of rows) this.add(row)
  }

  /** What is wrong with the change, if something is. */
  take(change: NameChange): string | undefined {
    const key = this.keyOf(change)
    const held = this.known.get(key) ?? []
    const what = `${change.name} of ${change.pid}`
    switch (change.type) {
      case 'joined':
        if (this.isNames && held.length > 0) return `a watcher is told that ${what} has come before ${held[0]} has gone`
        this.add(change)
        return undefined
      case 'left': {
        const at = held.findIndex((row) => row.startsWith(`${change.pid} `))
        if (at === -1) return `a watcher is told that ${what} has gone, of which it was not told that it had come`
        this.known.set(
          key,
          held.filter((_, index) => index !== at),
        )
        return undefined
      }
      case 'changed':
        if (!held.some((row) => row.startsWith(`${change.pid} `)))
          return `a watcher is told that ${what} has changed, of which it was not told that it had come`
        if (this.isNames) this.known.set(key, [textOf(change)])
        return undefined
    }
  }

  /** In any order. */
  rows(): string[] {
    return [...this.known.values()].flat()
  }

  /** The same of rows. */
  rowsOf(rows: readonly Row[]): string[] {
    const passing = rows.filter(({ name }) => name.startsWith(this.prefix))
    return passing.map((row) => (this.isNames ? textOf(row) : `${row.pid} ${row.name}`))
  }

  private add(row: Row): void {
    const key = this.keyOf(row)
    const text = this.isNames ? textOf(row) : `${row.pid} ${row.name}`
    this.known.set(key, [...(this.known.get(key) ?? []), text])
  }

  private keyOf({ name, pid }: Row): string {
    return this.isNames ? name : `${pid} ${name}`
  }
}

function textOf({ name, pid, meta }: Row): string {
  return `${pid} ${name} ${JSON.stringify(meta)}`
}
