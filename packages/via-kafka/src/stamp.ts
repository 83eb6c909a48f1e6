/**
 * How a writer counts, as the brokers do: in signed integers of 32 bits, and its epochs in 16.
 */
import type { Stamp } from './broker-link.ts'

type Count = Omit<Stamp, 'producerId'>

const MAX_EPOCH = 2 ** 15 - 1
const SEQUENCES = 2 ** 31

/** After a batch of so many messages. What comes after the last number is 0. */
export function after({ epoch, sequence }: Count, messages: number): Count {
  return { epoch, sequence: (sequence + messages) % SEQUENCES }
}

/** `undefined` if there is no later epoch: then it goes on as another producer. */
export function laterOf({ epoch }: Count): Count | undefined {
  return epoch < MAX_EPOCH ? { epoch: epoch + 1, sequence: 0 } : undefined
}
