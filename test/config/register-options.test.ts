import { describe, expect, it } from 'vitest'
import { checkRegisterOptions, type RegisterOptions } from '../../src/config/register-options.ts'
import { buildField, buildModel } from '../support/catalog-builder.ts'

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

describe('a policy', () => {
  it.each([
    [{ omit: ['createdat'] }, 'Did you mean "createdAt"?'],
    [{ expose: ['passwordHash'] }, 'no field "passwordHash"'],
    [{ rows: { id: 1 } }, '`rows` of model'],
    [{ fields: ['id'] }, '`fields` of model'],
    [{ canSubscribe: true }, '`canSubscribe` of model'],
  ])('%o is refused, and the refusal says why', (policy, words) => {
    expect(() => checkRegisterOptions(model, policy as never)).toThrow(
      expect.objectContaining({ code: 'CATALOG_BAD_POLICY', message: expect.stringContaining(words) }),
    )
  })

  it('of functions and known fields is taken', () => {
    const policy: RegisterOptions = {
      rows: () => 'all',
      fields: () => ['id'],
      canSubscribe: () => true,
      omit: ['isGone'],
    }
    expect(() => checkRegisterOptions(model, policy)).not.toThrow()
  })
})
