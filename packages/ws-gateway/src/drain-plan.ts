export interface Closing {
  readonly atMs: number
  readonly retryAfterMs: number
}
export function drainPlan(
  count: number,
  { overMs, fraction }: { readonly overMs: number; readonly fraction: () => number },
): readonly Closing[] {
  return Array.from({ length: count }, (_, index) => ({
    atMs: Math.floor((index * overMs) / count),
    retryAfterMs: Math.round(fraction() * 1_000),
  }))
}
export function restartReason(retryAfterMs: number): string {
  return `service_restart;retry_after_ms=${retryAfterMs}`
}
