/**
 * Beside the spine. A validator of metadata: any that speaks Standard Schema (Zod, Valibot, ArkType and others), without a
 * dependency on one. Source: standardschema.dev, version 1. Types and one test.
 */

/** What a validator answers. */
export type MetadataResult<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | { readonly issues: readonly object[] }

/** A validator: `z.object({ actor: z.string() })`. One that answers with a promise is refused. */
export interface MetadataSchema<Output = unknown> {
  readonly '~standard': {
    readonly version: 1
    readonly vendor: string
    readonly validate: (value: unknown) => MetadataResult<Output> | Promise<MetadataResult<Output>>
  }
}

/** Whether it is a promise, or what `await` takes for one. */
export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && typeof Reflect.get(value, 'then') === 'function'
}

/** Whether it speaks Standard Schema. Some validators are functions. */
export function isMetadataSchema(value: unknown): value is MetadataSchema {
  if ((typeof value !== 'object' && typeof value !== 'function') || value === null) return false
  const standard: unknown = Reflect.get(value, '~standard')
  return (
    typeof standard === 'object' &&
    standard !== null &&
    typeof Reflect.get(standard, 'validate') === 'function'
  )
}
