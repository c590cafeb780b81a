import { describe, expect, it } from 'vitest'
import { createRelationRegistry } from '../../src/catalog/relation-registry.ts'
import {
  judgeModelTables,
  ModelTableGuard,
  type ModelTableListener,
  type ModelTableState,
} from '../../src/source/setup/model-tables.ts'
import { buildField, buildModel, buildRelation } from '../support/catalog-builder.ts'

const own: ModelTableState = {
  model: 'Thing',
  schema: 'public',
  table: 'things',
  unpublishedColumns: [],
  doesExist: true,
  isPublished: true,
  published: null,
  standing: 'unknown',
}
const missing = { ...own, doesExist: false, isPublished: false }
const unpublished = { ...own, isPublished: false }

describe('where the models’ tables stand', () => {
  it('is well for one that exists and is published', () => {
    expect(judgeModelTables([own], 'rowcast').size).toBe(0)
  })

  it('is a drift where the table does not exist', () => {
    const fault = judgeModelTables([missing], 'rowcast').get('Thing')
    expect(fault).toMatchObject({
      code: 'CATALOG_DRIFT',
      hint: expect.stringContaining('prisma migrate deploy'),
    })
    expect(fault?.message).toContain('"public"."things" of model Thing does not exist')
  })

  it('is a fault where the table, or one that inherits from it, is not published', () => {
    const child = { ...unpublished, table: 'special_things' }
    expect(judgeModelTables([unpublished], 'rowcast').get('Thing')?.code).toBe('SOURCE_TABLE_NOT_PUBLISHED')
    expect(judgeModelTables([own, child], 'rowcast').get('Thing')?.message).toContain('"special_things"')
  })
})

function createGuard() {
  const reported: string[] = []
  const models = [buildModel([buildField('id', 'Int')])]
  const registry = createRelationRegistry({ catalog: { enums: {} }, models })
  const listener: ModelTableListener = {
    onDrift: (model, why) => reported.push(`${model} ${why.code}`),
    onRecovery: (model) => reported.push(`${model} recovered`),
  }
  const guard = new ModelTableGuard({ registry, publication: 'rowcast', listener })
  return { reported, registry, guard }
}

describe('the guard', () => {
  it('reports each fault once, and its end', () => {
    const { reported, registry, guard } = createGuard()
    guard.update([own])
    guard.update([unpublished])
    guard.update([unpublished])
    expect(registry.faults.get('Thing')?.code).toBe('SOURCE_TABLE_NOT_PUBLISHED')
    guard.update([missing])
    guard.update([own])
    expect(reported).toEqual(['Thing SOURCE_TABLE_NOT_PUBLISHED', 'Thing CATALOG_DRIFT', 'Thing recovered'])
    expect(registry.faults.size).toBe(0)
  })

  it('leaves alone what the stream found out', () => {
    const { reported, registry, guard } = createGuard()
    guard.update([unpublished])
    registry.update(buildRelation({ renamed: 23 }))
    guard.update([own])
    expect(registry.faults.get('Thing')?.message).toContain('no such column')
    expect(reported).toEqual(['Thing SOURCE_TABLE_NOT_PUBLISHED'])
  })
})
