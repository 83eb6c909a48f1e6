export interface HistogramSnapshot {
  readonly bounds: readonly number[]
  readonly counts: readonly number[]
  readonly sum: number
  readonly count: number
}
export class Histogram {
  private readonly bounds: readonly number[]
  private readonly counts: number[]
  private sum = 0
  private count = 0
  constructor(bounds: readonly number[]) {
    this.bounds = bounds
    this.counts = new Array<number>(bounds.length + 1).fill(0)
  }
  observe(value: number): void {
    const at = this.bounds.findIndex((bound) => value <= bound)
    const index = at === -1 ? this.bounds.length : at
    this.counts[index] = (this.counts[index] ?? 0) + 1
    this.sum += value
    this.count++
  }
  snapshot(): HistogramSnapshot {
    return { bounds: this.bounds, counts: [...this.counts], sum: this.sum, count: this.count }
  }
}
