/** Draws the same from the same seed: mulberry32. */
export interface Random {
  below(limit: number): number
  of<Item>(items: readonly [Item, ...Item[]] | readonly Item[]): Item
  shuffled<Item>(items: readonly Item[]): Item[]
}

export function randomOf(seed: number): Random {
  let state = seed >>> 0
  const below = (limit: number): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) % limit
  }
  return {
    below,
    of: <Item>(items: readonly Item[]): Item => items[below(items.length)] as Item,
    shuffled: (items) =>
      items
        .map((item) => ({ item, key: below(1_000_000) }))
        .toSorted((a, b) => a.key - b.key)
        .map(({ item }) => item),
  }
}
