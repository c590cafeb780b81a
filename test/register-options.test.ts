import { describe, expect, it } from 'vitest'
import { checkRegisterOptions } from '../src/register-options.ts'
import { buildField, buildModel } from './support/catalog-builder.ts'

const model = buildModel([
  buildField('id', 'Int'),
  buildField('deletedAt', 'DateTime', { isRequired: false }),
  buildField('createdAt', 'DateTime'),
  buildField('isGone', 'Boolean'),
  buildField('dates', 'DateTime', { isList: true, isRequired: false }),
])

describe('softDelete', () => {
  it.each(['deletedAt', 'isGone'])('may be %s', (softDelete) => {
    expect(() => checkRegisterOptions(model, { softDelete })).not.toThrow()
  })

  it.each([
    ['deletedOn', 'Did you mean "deletedAt"?'],
    ['createdAt', 'of type DateTime; it cannot mark'],
    ['dates', 'of type DateTime[]'],
    ['id', 'of type Int'],
  ])('may not be %s, and the refusal says why', (softDelete, words) => {
    expect(() => checkRegisterOptions(model, { softDelete })).toThrow(
      expect.objectContaining({ code: 'CATALOG_BAD_SOFT_DELETE', message: expect.stringContaining(words) }),
    )
  })

  it('needs the old row, so the identity may not be kept', () => {
    expect(() => checkRegisterOptions(model, { softDelete: 'deletedAt', replicaIdentity: 'keep' })).toThrow(
      /CATALOG_BAD_SOFT_DELETE.*REPLICA IDENTITY FULL/,
    )
  })
})
