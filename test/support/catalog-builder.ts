/** Small models and tuples for tests of stage 3, spelled in as few words as a test needs. */
import type { FieldSpec, ModelSpec } from '../../src/catalog/model-catalog.ts'
import { invariant } from '../../src/errors.ts'
import { decodeMessage } from '../../src/pgoutput/decode.ts'
import type { RelationMessage } from '../../src/pgoutput/messages.ts'
import type { Tuple, TupleColumn } from '../../src/pgoutput/tuple.ts'
import { encodeMessage } from './message-builder.ts'

/** A scalar field whose column has its name. */
export function buildField(name: string, type: string, rest: Partial<FieldSpec> = {}): FieldSpec {
  return {
    name,
    column: name,
    kind: 'scalar',
    type,
    nativeType: null,
    isList: false,
    isRequired: true,
    isUnique: false,
    hasDefault: false,
    isOmitted: false,
    documentation: null,
    ...rest,
  }
}

/** A model on table `things`; its first field is the key unless `rest` says otherwise. */
export function buildModel(fields: readonly FieldSpec[], rest: Partial<ModelSpec> = {}): ModelSpec {
  return {
    name: 'Thing',
    schema: null,
    table: 'things',
    fields,
    relations: [],
    primaryKey: fields.slice(0, 1).map((field) => field.name),
    uniques: [],
    isOmitted: false,
    documentation: null,
    ...rest,
  }
}

/** The relation of table `things`: column name → type OID. */
export function buildRelation(
  columns: Readonly<Record<string, number>>,
  rest: Partial<RelationMessage> = {},
): RelationMessage {
  return {
    kind: 'relation',
    streamXid: null,
    oid: 16_999,
    schema: 'public',
    table: 'things',
    replicaIdentity: 'full',
    columns: Object.entries(columns).map(([name, typeOid]) => ({
      name,
      typeOid,
      typeModifier: -1,
      isKey: true,
    })),
    ...rest,
  }
}

/** A tuple as the decoder hands it on. */
export function buildTuple(...columns: readonly TupleColumn[]): Tuple {
  const bytes = encodeMessage({
    kind: 'insert',
    streamXid: null,
    relationOid: 16_999,
    oldKind: 'none',
    old: null,
    new: columns,
  })
  const message = decodeMessage(bytes, 0, bytes.length)
  invariant(message.kind === 'insert', 'an insert was encoded')
  return message.new
}
