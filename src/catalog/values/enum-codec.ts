/** Stage 3, catalog. Enums: the database's label (`@map`) in both forms, Prisma's name in the row. */
import type { EnumSpec } from '../model-catalog.ts'
import { UnrepresentableValue } from './unrepresentable-value.ts'
import { decodeUtf8 } from './utf8-text.ts'
import type { ValueCodec } from './value-codec.ts'

/** Creates the codec of one enum. A label that the schema does not list (yet) is an `UnrepresentableValue`. */
export function createEnumCodec(spec: EnumSpec): ValueCodec {
  const nameByLabel = new Map(spec.values.map((value) => [value.label, value.name]))
  function parse(label: string): string | UnrepresentableValue {
    return nameByLabel.get(label) ?? new UnrepresentableValue('unknown-label', label)
  }
  return {
    parse,
    decode: (buffer, start, end) => parse(decodeUtf8(buffer, start, end)),
    sameness: null,
    byteLength: null,
  }
}
