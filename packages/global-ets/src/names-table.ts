/**
 * A replicated table of names, read as any table is. A view: it holds nothing.
 */
import type { NameMeta } from '@pidmesh/runtime'
import { bad, checkKey } from './checks.ts'
import { checkPattern, type CheckedPattern, type Pattern } from './ets/pattern.ts'
import type { Page, ReadableTable } from './ets/readable-table.ts'
import type { NamePattern } from './name-pattern.ts'
import type { NameRow } from './names-messages.ts'

/** What the view needs of the names. */
export interface ReadableNames<M extends NameMeta> {
  readonly size: number
  select(pattern: NamePattern<M>): NameRow<M>[]
  lookup(name: string): NameRow<M> | undefined
}

export class NamesTable<M extends NameMeta> implements ReadableTable<NameRow<M>> {
  private readonly names: ReadableNames<M>

  constructor(names: ReadableNames<M>) {
    this.names = names
  }

  get size(): number {
    return this.names.size
  }

  member(name: string): boolean {
    return this.names.lookup(name) !== undefined
  }

  lookup(name: string): NameRow<M>[] {
    const row = this.names.lookup(name)
    return row === undefined ? [] : [row]
  }

  select(pattern: Pattern<NameRow<M>>): NameRow<M>[]
  select(pattern: Pattern<NameRow<M>>, limit: number): Page<NameRow<M>>
  select(pattern: Pattern<NameRow<M>>, limit?: number): NameRow<M>[] | Page<NameRow<M>> {
    const checked = checkPattern(pattern, 'name')
    if (limit === undefined) return this.matching(checked, {})
    if (!Number.isInteger(limit) || limit < 1) throw bad('a limit is a whole number from 1 on')
    return this.page(checked, limit, undefined)
  }

  selectCount(pattern: Pattern<NameRow<M>>): number {
    return this.select(pattern).length
  }

  fold<Acc>(step: (acc: Acc, row: NameRow<M>) => Acc, initial: Acc): Acc {
    return this.tab2list().reduce(step, initial)
  }

  tab2list(): NameRow<M>[] {
    return this.names.select({})
  }

  first(): string | undefined {
    return this.names.select({ limit: 1 })[0]?.name
  }

  next(name: string): string | undefined {
    checkKey('name', name)
    return this.names.select({ after: name, limit: 1 })[0]?.name
  }

  private matching({ key, matches }: CheckedPattern<NameRow<M>>, range: NamePattern<M>): NameRow<M>[] {
    if (key === undefined) return this.names.select({ ...range, where: matches })
    return typeof key.value === 'string' ? this.lookup(key.value).filter(matches) : []
  }

  private page(checked: CheckedPattern<NameRow<M>>, limit: number, after: string | undefined): Page<NameRow<M>> {
    const rows = this.matching(checked, after === undefined ? { limit } : { after, limit })
    const last = rows.at(-1)
    const isLast = last === undefined || rows.length < limit || checked.key !== undefined
    return { rows, more: isLast ? undefined : () => this.page(checked, limit, last.name) }
  }
}
