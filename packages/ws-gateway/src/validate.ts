/**
 * What clients send, checked by the schema if there is one.
 */
import { shown } from '@pidmesh/runtime'
import type { StandardSchemaV1 } from '@standard-schema/spec'

export type MessageSchema<T> = StandardSchemaV1<unknown, T>

export type Validated<T> =
  | { readonly ok: true; readonly message: T }
  /** `isOfSchema`: the schema has failed, which is no fault of the client's. */
  | { readonly ok: false; readonly problem: string; readonly isOfSchema: boolean }

/** Never throws: what a client sends is its own affair. */
export function validate<T>(value: unknown, schema: MessageSchema<T> | undefined): Validated<T> {
  if (schema === undefined) return { ok: true, message: value as T }
  try {
    return judged(schema['~standard'].validate(value))
  } catch (error) {
    const what = error instanceof Error && typeof error.message === 'string' ? error.message : error
    return { ok: false, problem: `it has failed: ${shown(what)}`, isOfSchema: true }
  }
}

/** @throws whatever an answer throws that is none */
function judged<T>(result: StandardSchemaV1.Result<T> | Promise<StandardSchemaV1.Result<T>>): Validated<T> {
  // A promise of another library, or of another realm, is one, too.
  if ('then' in result) {
    result.then(undefined, () => undefined)
    return { ok: false, problem: 'it is asynchronous', isOfSchema: true }
  }
  if (result.issues === undefined) return { ok: true, message: result.value }
  const [issue] = result.issues
  return { ok: false, problem: issue?.message ?? 'does not match the schema', isOfSchema: false }
}
