import { expectTypeOf } from 'vitest'
import type { RowcastModels } from '../../prisma/generated/rowcast.ts'
import type { Rowcast } from '../../src/index.ts'

declare const rowcast: Rowcast<RowcastModels, { readonly actor: string }>

for await (const change of rowcast.subscribe(['User', 'Tag'], { action: 'INSERT' })) {
  expectTypeOf(change.model).toEqualTypeOf<'User' | 'Tag'>()
  expectTypeOf(change.action).toEqualTypeOf<'INSERT'>()
  expectTypeOf(change.transaction.metadata).toEqualTypeOf<{ readonly actor: string } | null>()
  if (change.model === 'Tag') expectTypeOf(change.new).toEqualTypeOf<RowcastModels['Tag']['row']>()
}

for await (const { changes } of rowcast.transactions({ User: {}, Tag: { where: { name: 'a' } } })) {
  for (const change of changes) {
    expectTypeOf(change.model).toEqualTypeOf<'User' | 'Tag'>()
    if (change.model === 'User' && change.action === 'UPDATE')
      expectTypeOf(change.new).toEqualTypeOf<RowcastModels['User']['row']>()
  }
}

// @ts-expect-error there is no such model
rowcast.subscribe(['Nobody'])
// @ts-expect-error a condition of another model
rowcast.transactions({ Tag: { where: { email: 'a' } } })
// @ts-expect-error conditions stand beside their model
rowcast.subscribe(['User', 'Tag'], { where: {} })
