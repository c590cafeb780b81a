import { describe, expect, it } from 'vitest'
import { getDatamodel } from '../../prisma/generated/pothos.ts'
import { catalog } from '../../prisma/generated/rowcast.ts'
import { type PothosDatamodel, pothosDatamodel } from '../../src/graphql/pothos-datamodel.ts'

/** What our own type has of a datamodel, with fields by name: the two generators order them differently. */
function comparable({ models }: PothosDatamodel): unknown {
  return Object.fromEntries(
    Object.entries(models).map(([name, { fields, primaryKey, uniqueIndexes }]) => [
      name,
      {
        primaryKey,
        uniqueIndexes,
        fields: Object.fromEntries(
          fields.map((field) => [
            field.name,
            {
              kind: field.kind,
              type: field.type,
              isList: field.isList,
              isRequired: field.isRequired,
              isUnique: field.isUnique,
              isId: field.isId,
              hasDefaultValue: field.hasDefaultValue,
              relationName: field.relationName ?? null,
              relationFromFields: field.relationFromFields ?? null,
            },
          ]),
        ),
      },
    ]),
  )
}

describe('pothosDatamodel', () => {
  it('says of the sample what prisma-pothos-types says', () => {
    const oracle = getDatamodel() as unknown as { datamodel: PothosDatamodel }
    expect(comparable(pothosDatamodel(catalog))).toEqual(comparable(oracle.datamodel))
  })
})
