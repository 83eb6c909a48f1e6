/** CLOCK_MONOTONIC in microseconds, which all processes of a Linux machine share. */
export function monotonicUs(): number {
  return Math.round(Number(process.hrtime.bigint()) / 1_000)
}
