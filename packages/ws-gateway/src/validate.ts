/**
 * What clients send, checked by the schema if there is one.
 */
import type { StandardSchemaV1 } from '@standard-schema/spec'

export type MessageSchema<T> = StandardSchemaV1<unknown, T>

export type Validated<T> = { readonly ok: true; readonly message: T } | { readonly ok: false; readonly problem: string }

/** Never throws: what a client sends is its own affair. */
export function validate<T>(value: unknown, schema: MessageSchema<T> | undefined): Validated<T> {
  if (schema === undefined) return { ok: true, message: value as T }
  let result: StandardSchemaV1.Result<T> | Promise<StandardSchemaV1.Result<T>>
  try {
    result = schema['~standard'].validate(value)
  } catch {
    return { ok: false, problem: 'the schema failed' }
  }
  if (result instanceof Promise) {
    result.catch(() => undefined)
    return { ok: false, problem: 'the schema is asynchronous' }
  }
  if (result.issues === undefined) return { ok: true, message: result.value }
  const [issue] = result.issues
  return { ok: false, problem: issue?.message ?? 'does not match the schema' }
}
